"""A slot whose holder's host is lost: who wants it is told so, and what can be done."""

from functools import partial

import anyio
import pytest

import procctl
from procctl.testing import VirtualFleet, run_virtual

BACKENDS = ("asyncio", "trio")
STRICT = {"mode": "one", "level": "strict"}


@pytest.fixture(params=BACKENDS)
def virtually(request):
    """Runs a coroutine function in virtual time: what it returns."""
    return lambda main: run_virtual(main, backend=request.param)


async def holding(fleet, **declared):
    """The first host holds the slot, and is lost."""
    await fleet.controller.start("web", ["web"], hostname="host1", **{**STRICT, **declared})
    await fleet.run(2)
    fleet.crash("host1")
    await fleet.run(20)
    assert "lost" == (await fleet.controller.hosts("host1"))[0].state


async def why(fleet, host="host2"):
    return (await fleet.controller.process("web", hostname=host)).item.why.text


def test_a_refusal_names_the_lost_host_and_the_way_out(virtually):
    async def main():
        async with VirtualFleet(2) as fleet:
            await holding(fleet)
            way = r"host1 has not responded since \S+Z: if it is lost for good, .* procctl free web --host host1"
            with pytest.raises(procctl.Denied, match=rf"web runs on host1 \(pid \d+\) since \S+; {way}"):
                await fleet.controller.start("web", ["web"], hostname="host2", **STRICT)
            [holder] = await fleet.controller.holders("web")
            assert ("host1", False, True) == (holder.hostname, holder.responds, holder.pid > 0)
            await fleet.controller.free("web", "host1")
            await fleet.controller.start("web", hostname="host2")
            await fleet.restart("host1")
            await fleet.run(30)
            assert ["host2"] == [child.host for child in fleet.children("web")]

    virtually(main)


def test_one_that_displaces_says_for_whom_it_waits_and_that_nothing_is_heard(virtually):
    async def main():
        async with VirtualFleet(2) as fleet:
            await holding(fleet)
            await fleet.controller.start(
                "web", ["web"], hostname="host2", mode="force", level="strict", until="accepted"
            )
            await fleet.run(5)
            assert "waits for an end: web runs on host1 " in await why(fleet)
            assert "procctl free web --host host1" in await why(fleet)
            ask = partial(fleet.controller.request, procctl.core.messages.Start(name="web", hostname="host2"))
            batch = await ask(until="running", deadline=3.0)
            assert ["timeout"] == [miss.code for miss in batch.misses]
            assert "waits for an end: web runs on host1" in batch.misses[0].message
            await fleet.controller.free("web")
            await fleet.run(5)
            assert "running" == (await fleet.controller.process("web", hostname="host2")).item.state

    virtually(main)


@pytest.mark.parametrize("level", ["lease", "strict"])
def test_who_waits_is_told_when_the_host_is_lost_and_when_it_is_back(virtually, level):
    async def main():
        async with VirtualFleet(2) as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one", level=level)
            await fleet.controller.start("web", ["web"], hostname="host2", mode="one", standby=True, until="accepted")
            await fleet.run(2)
            text = await why(fleet)
            assert text.startswith("waits for the slot: web runs on host1 (pid ")
            assert "responded" not in text
            fleet.partition("host1")
            fleet.sever("host1")
            await fleet.run(4)
            told = {"lease": "and the lease runs out by itself", "strict": "then procctl free web --host host1"}
            assert (await why(fleet)).endswith(told[level])
            fleet.heal("host1")
            await fleet.run(8)
            assert text == await why(fleet)

    virtually(main)


def test_what_a_host_holds_that_is_there_is_freed_by_force_alone(virtually):
    async def main():
        async with VirtualFleet(2) as fleet:
            web = await fleet.controller.start("web", ["web"], hostname="host1", mode="one", restart="always")
            await fleet.run(2)
            first = fleet.child("web").pid
            with pytest.raises(procctl.Refused, match="and host1 responds") as caught:
                await fleet.controller.free("web")
            assert ("still-running", "procctl stop host1/web ends it and frees the slot") == (
                caught.value.code,
                caught.value.hint,
            )
            await fleet.run(10)
            assert first == fleet.child("web").pid
            seen = []
            async with fleet.controller.events() as events, anyio.create_task_group() as group:

                async def watch():
                    async for event in events:
                        if hasattr(event, "process"):
                            seen.append(event.process.why.text)

                group.start_soon(watch)
                [holder] = await fleet.controller.free("web", "host1", force=True)
                await fleet.run(10)
                group.cancel_scope.cancel()
            assert (first, True, "host1") == (holder.pid, holder.responds, holder.hostname)
            assert any("its lease is over at the controller: local has freed it" in text for text in seen), seen
            await web.refresh()
            assert ("running", True) == (web.item.state, web.item.pid != first)
            cause = "its lease is over at the controller: local has freed it"
            assert cause == web.item.exit.cause
            assert f"before that it was killed by SIGTERM: {cause}" in web.item.why.text

    virtually(main)


def test_after_a_yes_it_says_what_it_waits_for(virtually):
    async def main():
        def careful(request, fleet):
            return procctl.ask() if request.hostname == "host2" else None

        async with VirtualFleet(2, approval=[careful]) as fleet:
            with pytest.raises(procctl.Denied):
                await fleet.controller.start("web", ["web"], hostname="host2", mode="one", standby=True)
            assert "waits for a person" in await why(fleet)
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
            [approval] = await fleet.controller.approvals()
            await fleet.controller.approve(approval.approval)
            await fleet.run(2)
            item = (await fleet.controller.process("web", hostname="host2")).item
            assert ("pending", "asking", "queued") == (item.state, item.detail, item.why.code)
            assert "waits for the slot: web runs on host1" in item.why.text

    virtually(main)


def test_after_a_restart_of_the_controller_it_says_who_is_asked_now(virtually):
    async def main():
        asking = []

        def later(request, fleet):
            return procctl.ask() if asking and request.hostname == "host2" else None

        async with VirtualFleet(2, approval=[later]) as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
            await fleet.controller.start("web", ["web"], hostname="host2", mode="one", standby=True, until="accepted")
            await fleet.run(2)
            assert "waits for the slot" in await why(fleet)
            await fleet.controller.stop("web", hostname="host1", until="accepted")
            asking.append(True)
            fleet.crash_controller()
            await fleet.run(1)
            await fleet.restart_controller()
            await fleet.run(40)
            item = (await fleet.controller.process("web", hostname="host2")).item
            if item.state == "pending":
                assert ("held", "waits for a person to approve web on host2") == (item.detail, item.why.text)
                [approval] = await fleet.controller.approvals()
                await fleet.controller.approve(approval.approval)
                await fleet.run(5)
            assert ["host2"] == [child.host for child in fleet.children("web")]

    virtually(main)
