"""A fleet that is made up: programs, keepers, wires, disks and clocks do as they are told; what is above is real."""

import anyio
import pytest

import procctl
from procctl.core.leases import Book
from procctl.testing import FakeChild, Script, Violation, VirtualFleet, run_virtual

BACKENDS = ("asyncio", "trio")


@pytest.fixture(params=BACKENDS)
def virtually(request):
    """Runs a coroutine function in virtual time: what it returns."""
    return lambda main: run_virtual(main, backend=request.param)


def pids(fleet, name=""):
    return [child.pid for child in fleet.children(name)]


def test_the_second_of_a_slot_for_one_is_refused(virtually):
    async def main():
        async with VirtualFleet(2) as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
            with pytest.raises(procctl.Denied, match="web runs on host1"):
                await fleet.controller.start("web", ["web"], hostname="host2", mode="one")
            assert ["host1"] == [child.host for child in fleet.children("web")]
        assert [] == fleet.children()

    virtually(main)


def test_the_newest_of_force_displaces_the_other_when_that_is_gone(virtually):
    async def main():
        async with VirtualFleet(2, scripts={"web": Script(obeys=4.0)}) as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="force")
            begun = fleet.time
            await fleet.controller.start("web", ["web"], hostname="host2", mode="force")
            assert ["host2"] == [child.host for child in fleet.children()]
            assert 4.0 <= fleet.time - begun <= 5.0

    virtually(main)


def test_a_long_partition_ends_what_runs_on_a_lease_before_another_begins(virtually):
    async def main():
        async with VirtualFleet(2, scripts={"web": Script(obeys=None)}) as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
            waiting = await fleet.controller.start(
                "web", ["web"], hostname="host2", mode="one", standby=True, until="accepted"
            )
            fleet.partition("host1")
            cut = fleet.time
            with anyio.fail_after(40):
                while fleet.children("web"):
                    await fleet.run(0.1)
                gone = fleet.time - cut
                while not fleet.children("web"):
                    await fleet.run(0.1)
            assert 15 < gone < 26 < fleet.time - cut < 36
            assert waiting.uuid == fleet.child("web").place.uuid

    virtually(main)


@pytest.mark.parametrize("outage", [27, 35, 42, 45, 48, 51, 60])
def test_after_a_long_outage_it_is_started_once(virtually, outage):
    async def main():
        async with VirtualFleet(1) as fleet:
            web = await fleet.controller.start("web", ["web"], mode="one", restart="always")
            fleet.partition("host1")
            await fleet.run(outage)
            assert not fleet.children("web")
            fleet.heal("host1")
            with anyio.fail_after(15):
                while not fleet.children("web"):
                    await fleet.run(0.1)
            begun = pids(fleet)
            await fleet.run(60)
            await web.refresh()
            assert (begun, 1) == (pids(fleet), web.item.restarts)

    virtually(main)


def test_what_an_agent_ran_ends_with_it_and_is_known_to_the_next(virtually):
    async def main():
        async with VirtualFleet(1) as fleet:
            web = await fleet.controller.start("web", ["web"])
            fleet.crash("host1")
            assert not fleet.runs("host1")
            await fleet.run(1)
            assert [] == fleet.children()
            await fleet.restart("host1")
            await fleet.run(5)
            found = await fleet.controller.process("web")
            assert (web.uuid, "stopped") == (found.uuid, found.item.state)
            await found.start()
            assert 1 == len(fleet.children("web"))

    virtually(main)


def test_what_is_kept_lives_on_and_is_adopted(virtually):
    async def main():
        async with VirtualFleet(1, on_exit="keep") as fleet:
            web = await fleet.controller.start("web", ["web"], mode="one")
            first = pids(fleet)
            fleet.crash("host1")
            await fleet.run(3)
            assert first == pids(fleet)
            await fleet.restart("host1")
            await fleet.run(5)
            await web.refresh()
            assert (first, "running", first[0]) == (pids(fleet), web.item.state, web.pid)
            fleet.child("web").exit(3)
            await web.wait()
            assert 3 == web.exit.code

    virtually(main)


def test_who_lost_its_lease_while_its_agent_was_away_stands_by_again(virtually):
    async def main():
        async with VirtualFleet(2, on_exit="keep") as fleet:
            for host in ("host1", "host2"):
                await fleet.controller.start("web", ["web"], hostname=host, mode="one", standby=True, until="accepted")
                await fleet.run(1)
            assert "host1" == fleet.child("web").host
            fleet.crash("host1")
            await fleet.run(40)
            assert "host2" == fleet.child("web").host
            fleet.network.delay = (0.0, 0.0)  # it is told so before it sees the end of its program
            await fleet.restart("host1")
            await fleet.run(5)
            states = {p.item.hostname: p.item.state for p in await fleet.controller.processes("web")}
            assert {"host1": "pending", "host2": "running"} == states
            fleet.child("web").exit(0)
            await fleet.run(5)
            assert "host1" == fleet.child("web").host

    virtually(main)


def test_how_it_ended_while_no_agent_was_there_is_known(virtually):
    async def main():
        async with VirtualFleet(1, on_exit="keep") as fleet:
            web = await fleet.controller.start("web", ["web"])
            fleet.crash("host1")
            fleet.child("web").exit(7)
            await fleet.restart("host1")
            await fleet.run(5)
            await web.refresh()
            assert ("stopped", 7) == (web.item.state, web.exit.code)

    virtually(main)


def test_a_lease_holds_over_the_end_of_the_controller(virtually):
    async def main():
        async with VirtualFleet(2) as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
            first = pids(fleet)
            fleet.crash_controller()
            await fleet.run(2)
            await fleet.restart_controller()
            await fleet.run(10)
            assert ["host1", "host2"] == sorted(host.name for host in await fleet.controller.hosts())
            with pytest.raises(procctl.Denied):
                await fleet.controller.start("web", ["web"], hostname="host2", mode="one")
            assert first == pids(fleet)

    virtually(main)


def test_a_rule_that_is_broken_is_raised(virtually, monkeypatch):
    """Where the journal is not read, the slot is given twice."""
    monkeypatch.setattr(Book, "load", lambda self, leases, now: None)

    async def main():
        async with VirtualFleet(2) as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
            fleet.partition("host1")
            fleet.crash_controller()
            await fleet.restart_controller()
            await fleet.run(10)
            await fleet.controller.start("web", ["web"], hostname="host2", mode="one")
            await fleet.run(1)

    with pytest.raises(Violation, match="I1: web runs on host2 beside the one on host1") as raised:
        virtually(main)
    assert "controller is killed" in "\n".join(raised.value.lines)


def test_restarts_take_their_time(virtually):
    async def main():
        async with VirtualFleet(1) as fleet:
            restart = procctl.RestartSpec(policy="always", delay=(2.0, 60.0), jitter=0.0)
            web = await fleet.controller.start("web", ["web"], restart=restart)
            for pause in (2, 4, 8):
                before = pids(fleet)
                fleet.child("web").crash()
                await fleet.run(pause - 0.5)
                assert [] == pids(fleet)
                await fleet.run(1)
                assert before < pids(fleet)
            await web.refresh()
            assert (3, "SIGSEGV") == (web.item.restarts, web.exit.signal)

    virtually(main)


def test_who_takes_no_notice_is_killed_with_all_that_it_left(virtually):
    async def main():
        async with VirtualFleet(1, scripts={"web": Script(obeys=None, leaves=2)}) as fleet:
            web = await fleet.controller.start("web", ["web"])
            child, begun = fleet.child("web"), fleet.time
            record = await web.stop(grace=5)
            assert (["SIGTERM", "SIGKILL"], "SIGKILL") == (child.signals[:2], record.signal)
            assert 5 <= fleet.time - begun < 6
            assert not child.there

    virtually(main)


def test_what_it_leaves_at_its_own_end_is_found_and_ended(virtually):
    async def main():
        async with VirtualFleet(1, scripts={"web": Script(lasts=10, leaves=1)}) as fleet:
            web = await fleet.controller.start("web", ["web"])
            child = fleet.child("web")
            await web.wait()
            assert (False, 0, 10) == (child.there, web.exit.code, round(fleet.time))

    virtually(main)


def test_readiness_output_and_messages(virtually):
    async def main():
        scripts = {
            "slow": Script(ready=7, output=("hello",)),
            "logged": Script(ready=None),
        }
        async with VirtualFleet(1, scripts=scripts) as fleet:
            begun = fleet.time
            await fleet.controller.start("slow", ["slow"], ready=procctl.ready.tcp(1), until="ready")
            assert 7 <= fleet.time - begun < 8
            logged = await fleet.controller.start("logged", ["x"], ready=procctl.ready.log("open"), until="running")
            await fleet.run(3)
            fleet.child("logged").write("now open")
            await logged.wait("ready")
            async with fleet.controller.logs(name="slow") as lines:
                assert ["hello"] == [line.text async for line in lines]
            hooked = await fleet.controller.start("hooked", ["x"], hooks=True, until="accepted")
            await fleet.run(1)
            fleet.child("hooked").send("workerStarted")
            await hooked.wait("running")
            assert ["startRequest"] == fleet.child("hooked").messages

    virtually(main)


def test_what_cannot_be_started_says_why(virtually):
    async def main():
        async with VirtualFleet(1, scripts={"web": Script(fails="no such program")}) as fleet:
            with pytest.raises(procctl.ProcctlError, match="no such program"):
                await fleet.controller.start("web", ["web"])

    virtually(main)


def test_nothing_exclusive_begins_while_the_journal_cannot_be_written(virtually, caplog):
    async def main():
        async with VirtualFleet(1) as fleet:
            fleet.fail_disk("controller")
            with pytest.raises(procctl.ProcctlError, match="the virtual disk fails"):
                await fleet.controller.start("web", ["web"], mode="one")
            fleet.fail_disk("controller", 0.0)
            await fleet.run(5)
            await fleet.controller.start(name="web")
            assert 1 == len(fleet.children())

    virtually(main)
    assert "leases cannot be put down" in caplog.text


def test_a_broken_wire_carries_out_a_command_once(virtually):
    async def main():
        async with VirtualFleet(1) as fleet:
            fleet.network.delay = (0.1, 0.2)
            web = await fleet.controller.start("web", ["web"], mode="one")
            fleet.sever("host1")
            await fleet.run(5)
            assert (1, web.pid) == (fleet.trace.counts["starts"], fleet.child("web").pid)

    virtually(main)


def test_a_host_that_lost_its_power_is_let_in_again_before_its_old_link_is_given_up(virtually):
    """That is after three heartbeats, so after 15 seconds here."""

    async def main():
        async with VirtualFleet(1) as fleet:
            await fleet.run(20)
            fleet.reboot("host1")
            begun = fleet.time
            await fleet.restart("host1")
            assert fleet.time - begun < 6
            assert ["joined"] == [host.state for host in await fleet.controller.hosts()]

    virtually(main)


def test_a_host_that_lost_its_power_begins_with_nothing(virtually):
    async def main():
        async with VirtualFleet(2, on_exit="keep") as fleet:
            await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
            fleet.reboot("host1")
            assert [] == fleet.children()
            await fleet.restart("host1")
            await fleet.run(1)
            await fleet.controller.start("web", ["web"], hostname="host2", mode="one")
            assert ["host2"] == [child.host for child in fleet.children()]

    virtually(main)


def test_what_outlived_its_program_has_no_power_either(virtually):
    async def main():
        async with VirtualFleet(1, scripts={"web": Script(leaves=1)}) as fleet:
            web = await fleet.controller.start("web", ["web"])
            child = fleet.child("web")
            child.exit()
            assert (False, True) == (child.alive, child.there)
            fleet.reboot("host1")
            assert not child.there
            await fleet.restart("host1")
            await web.start()
            assert child.pid != fleet.child("web").pid

    virtually(main)


def test_an_agent_that_cannot_be_left_is_told_of(virtually, monkeypatch):
    monkeypatch.setattr(FakeChild, "signal", lambda self, name, tree=False: None)

    async def main():
        async with VirtualFleet(1) as fleet:
            await fleet.controller.start("web", ["web"])

    with pytest.raises(Violation, match="leaving: host1 could not be left within 3600 s"):
        virtually(main)


@pytest.mark.anyio
async def test_in_real_time_it_works_too():
    async with VirtualFleet(1) as fleet:
        await fleet.controller.start("web", ["web"], mode="one")
        assert 1 == len(fleet.children("web"))
    assert [] == fleet.children()


@pytest.mark.anyio
async def test_what_the_body_raises_leaves_as_itself():
    with pytest.raises(LookupError, match="there is no host 'nowhere', only host1"):
        async with VirtualFleet(1) as fleet:
            await fleet.controller.start("web", ["web"])
            fleet.crash("nowhere")
    assert [] == fleet.children()


@pytest.mark.parametrize("who", ["host1", "controller"])
@pytest.mark.parametrize("on_exit", ["stop", "keep"])
def test_a_crash_before_each_step(who, on_exit):
    """Every frame that is sent, every record and every fork of a start: killed before it, and after it."""

    async def main(after):
        async with VirtualFleet(2, on_exit=on_exit) as fleet:
            await fleet.run(20)
            fleet.crash(who, after=after) if who == "host1" else fleet.crash_controller(after=after)
            call = fleet.controller.start("web", ["web"], hostname="host1", mode="one", until="accepted")
            with anyio.move_on_after(2):
                try:
                    await call
                    await anyio.sleep_forever()
                except procctl.ProcctlError:
                    pass
            if fleet.runs(who):
                return False
            await (fleet.restart(who) if who == "host1" else fleet.restart_controller())
            await fleet.run(20)
            shown = {item.pid for item in fleet.controller.registry.processes() if item.pid}
            assert shown == set(pids(fleet))
            with anyio.move_on_after(5):
                await fleet.controller.start("web", ["web"], hostname="host2", mode="one", standby=True)
            assert 1 == len(fleet.children("web"))
            return True

    crashes = 0
    while run_virtual(main, crashes):
        crashes += 1
        assert crashes < 60
    assert crashes >= 5
