"""A program as its own process: this very test program asks to run, is stopped and started, and is told of the end."""

import os
import signal
import time

import anyio
import pytest
from helpers import SLEEP, alive, becomes, deadline, until

import procctl
from procctl import Agent, Controller, Denied, PermitLost, Refused
from procctl.agent.ground import Ground
from procctl.core.terms import Terms
from procctl.errors import Closed

pytestmark = pytest.mark.anyio

QUICK = Terms(ttl=2.5, drift=0.01, wake=0.4, kill=0.4, renew=0.3)
"""Held for 1.66 s after it was last asked for."""


@pytest.fixture
async def fleet():
    async with (
        Controller(_ground=Ground(terms=QUICK)) as controller,
        Agent("north", join=controller, _ground=Ground(terms=QUICK)) as north,
        Agent("south", join=controller, _ground=Ground(terms=QUICK)) as south,
    ):
        yield controller, north, south


async def heard(controller, name):
    """Wait until the controller knows of it."""
    with deadline():
        while not await controller.processes(name):
            await anyio.sleep(0.01)


async def serve(permit, log):
    """A program that pauses and goes on."""
    async for request in permit.requests():
        log.append(request.action)
        await request.done({"asked": request.data})


# asking ---------------------------------------------------------------------------------------------------------


async def test_it_is_a_process_with_its_own_pid(fleet):
    controller, north, _ = fleet
    async with north.permit("importer", mode="one", group="g") as permit:
        (seen,) = await north.processes()
        assert (seen.name, seen.pid, seen.item.state, seen.item.detail) == ("importer", os.getpid(), "running", "up")
        assert (seen.item.group, seen.item.memory > 0, seen.item.why.text) == ("g", True, "started by local")
        assert permit.fence > 0
        assert permit.epoch > 0
        assert 0 < permit.left <= QUICK.hold(QUICK.ttl)
        permit.check()
        permit.status("half of it")
        permit.metrics({"lines": 3})
        await becomes(await controller.process("importer"), lambda item: item.said == "half of it")
        assert (await north.process("importer")).item.metrics == {"lines": 3.0}
    assert await north.processes() == []
    assert permit.left == 0
    with pytest.raises(Closed):
        permit.check()


async def test_a_second_one_is_told_who_runs(fleet):
    controller, north, south = fleet
    async with north.permit("importer", mode="one") as first:
        with deadline():
            while not [p for p in await controller.processes("importer") if p.pid]:
                await anyio.sleep(0.01)
        with pytest.raises(Denied, match=rf"importer runs on north \(pid {os.getpid()}\)"):
            async with south.permit("importer", mode="one"):
                raise AssertionError
        assert await south.processes() == []
    async with south.permit("importer", mode="one", standby=True) as second:  # the controller may yet have to hear it
        assert second.fence > first.fence


async def test_it_stands_in_the_way_of_programs_too(fleet):
    _, north, south = fleet
    async with north.permit("importer", mode="one"):
        with pytest.raises(Denied, match="importer runs on north"):
            await south.start("importer", SLEEP, mode="one")


@pytest.mark.in_turn
async def test_its_lease_is_renewed(fleet):
    _, north, south = fleet
    async with north.permit("importer", mode="one") as permit:
        end = time.monotonic() + QUICK.ttl + 0.5  # longer than any lease that nobody renews
        while time.monotonic() < end:
            permit.check()
            await anyio.sleep(0.05)
        with pytest.raises(Denied):
            await south.start("importer", SLEEP, mode="one")


async def test_standby_waits_for_the_holder(fleet):
    _, north, south = fleet
    order = []

    async def second():
        async with south.permit("importer", mode="one", standby=True):
            order.append("second")

    async with anyio.create_task_group() as group:
        async with north.permit("importer", mode="one"):
            group.start_soon(second)
            with deadline():
                while not [p for p in await south.processes() if p.item.why.code == "queued"]:
                    await anyio.sleep(0.01)
            order.append("first")
    assert order == ["first", "second"]


async def test_a_person_is_waited_for():
    async with (
        Controller(approval=[lambda request, fleet: procctl.ask()]) as controller,
        Agent("north", join=controller) as north,
    ):
        entered = anyio.Event()

        async def run():
            async with north.permit("importer"):
                entered.set()

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await until(lambda: [p for p in north._engine.inner.host.processes.values() if p.phase.detail == "held"])
            (approval,) = await controller.approvals()
            assert not entered.is_set()
            await controller.approve(approval.approval)
            with deadline():
                await entered.wait()
        with anyio.move_on_after(0.2) as scope:
            async with north.permit("importer"):
                raise AssertionError
        assert scope.cancelled_caught
        assert await north.processes() == []
        with deadline():
            while await controller.approvals():
                await anyio.sleep(0.01)


async def test_a_stop_while_it_waits_is_a_refusal():
    async with Agent("here", approval=[lambda request, fleet: procctl.ask()]) as agent:
        caught = []

        async def run():
            with pytest.raises(Refused, match="stopped by local") as error:
                async with agent.permit("importer"):
                    raise AssertionError
            caught.append(error.value.code)

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await until(lambda: [p for p in agent._engine.inner.host.processes.values() if p.phase.detail == "held"])
            await agent.stop("importer")
        assert caught == ["superseded"]
        assert await agent.processes() == []


async def test_what_cannot_be_asked():
    async with Agent("here") as agent:
        await agent.start("web", SLEEP)
        with pytest.raises(Refused, match="exists already"):
            await agent.permit("web").__aenter__()
        with pytest.raises(Refused, match="is no process name"):
            await agent.permit("no name").__aenter__()
        permit = agent.permit("importer")
        async with permit:
            with pytest.raises(Closed, match="entered once"):
                await permit.__aenter__()
        with pytest.raises(Closed):
            await permit.__aenter__()
        assert [p.name for p in await agent.processes()] == ["web"]
    with pytest.raises(Closed):
        await agent.permit("importer").__aenter__()


# stop and start -------------------------------------------------------------------------------------------------


async def test_stop_and_start_are_requests(fleet):
    controller, north, south = fleet
    log = []
    async with north.permit("importer", mode="one") as permit, anyio.create_task_group() as group:
        group.start_soon(serve, permit, log)
        await becomes(north_one := await north.process("importer"), lambda item: item.detail == "up")
        await heard(controller, "importer")
        (item,) = await controller.stop("importer")
        assert (item.state, item.detail, item.pid) == ("stopped", "idle", os.getpid())
        with pytest.raises(Denied, match="importer"):  # it keeps its permission
            await south.start("importer", SLEEP, mode="one")
        (item,) = await controller.start("importer", hostname="north")
        assert (item.state, item.pid) == ("running", os.getpid())
        assert await north_one.ask("count", [1, 2]) == {"asked": [1, 2]}
        assert log == ["stop", "start", "count"]
        assert not permit.lost
        group.cancel_scope.cancel()


async def test_a_stop_that_nobody_reads_ends_the_block(fleet):
    controller, north, _ = fleet
    answered = []

    async def stop():
        await heard(controller, "importer")
        answered.extend(await controller.stop("importer"))

    async with anyio.create_task_group() as group:
        with pytest.raises(PermitLost, match="stopped by local") as caught:
            async with north.permit("importer", mode="one"):
                group.start_soon(stop)
                await anyio.sleep_forever()
    assert caught.value.code == "stopped"
    assert [(item.state, item.exit.by, item.exit.code) for item in answered] == [("stopped", "local", 0)]


async def test_one_that_refuses_to_stop_has_to_leave(fleet):
    _, north, _ = fleet

    async def refuse(permit):
        async for request in permit.requests():
            await request.refuse("not now")

    with pytest.raises(PermitLost, match="refused to stop: not now"):
        async with north.permit("importer") as permit, anyio.create_task_group() as group:
            group.start_soon(refuse, permit)
            await anyio.wait_all_tasks_blocked()
            await north.stop("importer")


async def test_questions_that_nobody_reads_are_refused(fleet):
    _, north, _ = fleet
    async with north.permit("importer"):
        with pytest.raises(Refused, match="reads no requests"):
            await north.ask("count", None, "importer")


async def test_what_only_the_program_can_do_is_refused(fleet):
    _, north, _ = fleet
    async with north.permit("importer") as permit:
        for command in (
            north.restart("importer"),
            north.detach("importer"),
            north.signal("SIGKILL", "importer"),
        ):
            with pytest.raises(Refused, match="is the program of its own agent: only it can") as caught:
                await command
            assert caught.value.code == "own-program"
        with pytest.raises(Refused):
            await north.adopt(os.getpid(), "other")
        assert (await north.process("importer")).item.state == "running"
        assert not permit.lost


async def test_kill_ends_the_block_and_not_the_program(fleet):
    _, north, _ = fleet
    with pytest.raises(PermitLost, match="stopped by local"):
        async with north.permit("importer"):
            await north.kill("importer")


async def test_what_the_body_raises_leaves_as_itself(fleet):
    _, north, _ = fleet
    error = ValueError("mine")
    exits = []
    async with north.events() as events:
        await anext(events)
        with pytest.raises(ValueError) as caught:
            async with north.permit("importer"):
                raise error
        with deadline():
            async for event in events:
                if isinstance(event, procctl.Removed):
                    exits.append(event.process.exit.code)
                    break
    assert caught.value is error
    assert exits == [1]


async def test_its_end_is_no_loss_where_the_work_is_done(fleet):
    _, north, _ = fleet
    async with north.permit("importer") as permit:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as group:
                group.start_soon(north.stop, "importer")
                await until(lambda: permit.lost)
                done = True
                group.cancel_scope.cancel()
    assert done


# the end --------------------------------------------------------------------------------------------------------


async def test_force_waits_until_the_block_is_left(fleet):
    _, north, south = fleet
    order = []

    async def displace():
        async with south.permit("importer", mode="force"):
            order.append("south")

    async with anyio.create_task_group() as group:
        with pytest.raises(PermitLost) as caught:
            async with north.permit("importer", mode="one") as permit:
                group.start_soon(displace)
                try:
                    await anyio.sleep_forever()
                finally:
                    with anyio.CancelScope(shield=True):
                        assert 0 < permit.left < 10
                        await anyio.sleep(0.2)  # what it does at its end takes a while
                        order.append("north")
    assert order == ["north", "south"]
    assert caught.value.code == "stopped"


@pytest.mark.in_turn
async def test_without_its_controller_it_is_told_in_time():
    async with Controller(_ground=Ground(terms=QUICK)) as controller:
        async with Agent("north", join=controller, _ground=Ground(terms=QUICK)) as north:
            with pytest.raises(PermitLost, match="the controller has not been heard") as caught:
                async with north.permit("importer", mode="one", grace=0.5) as permit:
                    north._engine._links._line.submit = lambda call: procctl.abc.Pending()  # what is said is lost
                    begun = time.monotonic()
                    await anyio.sleep_forever()
            taken = time.monotonic() - begun
            assert caught.value.code == "lease-lost"
            assert permit.lost == "its lease runs out: the controller has not been heard"
            assert QUICK.hold(QUICK.ttl) - 0.5 - QUICK.renew - QUICK.wake < taken < QUICK.hold(QUICK.ttl)
            assert await north.processes() == []


@pytest.mark.in_turn
async def test_nothing_ends_a_program_that_does_not_leave(fleet, caplog):
    _, north, _ = fleet
    with pytest.raises(PermitLost, match="stopped by local"):
        async with north.permit("importer", mode="one", grace=0.1) as permit:
            with anyio.CancelScope(shield=True):
                await north.stop("importer", until="accepted")
                await becomes(await north.process("importer"), lambda item: "nothing ends it" in item.trouble)
                assert (await north.process("importer")).item.detail == "stopping"
                with deadline():  # no lease is prolonged that is being ended
                    while not permit._permission.overran:
                        await anyio.sleep(0.01)
                with pytest.raises(PermitLost):
                    permit.check()
    assert "has not left its block in time" in caplog.text


@pytest.mark.in_turn
async def test_the_keeper_has_no_deadline_for_it(fleet):
    """The loop is blocked, so nobody renews: the child is ended by the keeper, and this program is not."""
    _, north, _ = fleet
    child = await north.start("child", SLEEP, mode="one", restart=procctl.RestartSpec())
    with pytest.raises(PermitLost, match=r"its lease has run out|has not been heard") as caught:
        async with north.permit("importer", mode="one") as permit:
            limit = time.monotonic() + 10
            while (alive(child.pid) or permit.left) and time.monotonic() < limit:
                time.sleep(0.01)
            assert not alive(child.pid)
            with pytest.raises(PermitLost):
                permit.check()
    assert caught.value.code == "lease-lost"


async def test_it_ends_with_the_agent():
    """A permit of another task."""
    told = []

    async def run(agent, entered):
        with pytest.raises(PermitLost, match="stopped by agent here") as caught:
            async with agent.permit("importer", mode="one"):
                entered.set()
                try:
                    await anyio.sleep_forever()
                finally:
                    told.append("left")
        told.append(caught.value.code)

    async with anyio.create_task_group() as group:
        async with Agent("here") as agent:
            entered = anyio.Event()
            group.start_soon(run, agent, entered)
            await entered.wait()
        assert told[:1] == ["left"]
    assert told == ["left", "stopped"]


async def test_it_ends_with_an_agent_that_keeps(tmp_path):
    fences = []

    async def run(agent, entered):
        with pytest.raises(PermitLost):
            async with agent.permit("importer", mode="one") as permit:
                fences.append(permit.fence)
                entered.set()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        for _ in range(2):
            async with Agent("here", state_dir=tmp_path, on_exit="keep") as agent:
                assert await agent.processes() == []
                entered = anyio.Event()
                group.start_soon(run, agent, entered)
                await entered.wait()
            with anyio.move_on_after(0):
                await anyio.sleep(0)
    assert fences == sorted(set(fences))
    assert len(fences) == 2


async def test_a_real_signal_is_still_the_programs_own(fleet):
    _, north, _ = fleet
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    try:
        async with north.permit("importer"):
            os.kill(os.getpid(), signal.SIGUSR1)
            await until(lambda: seen)
            assert (await north.process("importer")).item.state == "running"
    finally:
        signal.signal(signal.SIGUSR1, before)
