"""What an agent leaves on a state folder is taken over by the next one."""

import json
import os
import signal
import sqlite3
import time

import anyio
import anyio.to_thread
import pytest
from helpers import DEADLINE, SLEEP, alive, becomes, deadline, descriptors, sh, until

from procctl import Agent, StopSpec, ready
from procctl.agent.features import Features, probe
from procctl.agent.ground import Ground
from procctl.errors import BadConfig
from procctl.stores.sqlite import SqliteStore

from .surviving import Killable, gone, keepers_of

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(90)]

FEATURES = probe().as_dict()
TELLS = FEATURES["pidfd_info"]


def without(*names):
    return Ground(features=Features(**{name: has and name not in names for name, has in FEATURES.items()}))


@pytest.fixture(autouse=True)
def _no_keeper_left(place):
    yield
    limit = time.monotonic() + DEADLINE
    while keepers_of(place):
        assert time.monotonic() < limit
        time.sleep(0.01)


def keeping(place, **more):
    return {"on_exit": "keep", "state_dir": str(place / "state"), **more}


async def named(agent):
    return {process.name: process for process in await agent.processes()}


async def test_the_same_programs_go_on(place, anyio_backend):
    start = {"web": (SLEEP, {}), "other": (SLEEP, {"group": "g"})}
    with Killable(start, anyio_backend, **keeping(place)) as first:
        pids = first.pids()
        first.kill()
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            found = await named(agent)
            assert pids == {name: process.pid for name, process in found.items()}
            assert {p.item.state for p in found.values()} == {"running"}
            assert found["other"].item.group == "g"
            record = await found["web"].stop()
            assert (record.signal, alive(pids["web"])) == ("SIGTERM" if TELLS else record.signal, False)
            await agent.stop_all()


async def test_what_has_ended_meanwhile_is_told_as_it_was(place, anyio_backend):
    start = {"bad": (sh("read x < go; exit 7"), {"cwd": str(place)}), "shot": (SLEEP, {})}
    os.mkfifo(place / "go")
    with Killable(start, anyio_backend, **keeping(place)) as first:
        pids = first.pids()
        first.kill()
    (place / "go").write_text("x\n")
    os.kill(pids["shot"], signal.SIGKILL)
    gone(pids.values())
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            await agent.wait(until="stopped")
            found = await named(agent)
            ends = {name: (p.exit.code, p.exit.signal) for name, p in found.items()}
            unknown = {"bad": (None, None), "shot": (None, None)}
            assert ends == ({"bad": (7, None), "shot": (None, "SIGKILL")} if TELLS else unknown)


@pytest.mark.parametrize("less", [("keeper",), ("pidfd", "pidfd_info"), ("pidfd_info",), ("keeper", "pidfd", "epoll")])
async def test_with_less(place, less):
    """Without a keeper by the records alone; an end that nobody saw is unknown then, and never 0."""
    start = {"web": (SLEEP, {}), "ends": (sh("read x < go; exit 7"), {"cwd": str(place)})}
    os.mkfifo(place / "go")
    with Killable(start, env={"PROCCTL_WITHOUT": ",".join(less)}, **keeping(place)) as first:
        pids = first.pids()
        first.kill()
    (place / "go").write_text("x\n")
    gone([pids["ends"]])
    async with Agent("here", _ground=without(*less), **keeping(place)) as agent:
        with deadline():
            found = await named(agent)
            await found["ends"].wait()
            ended = found["ends"].exit
            assert (ended.code, ended.signal) in {(7, None), (None, None)}  # its zombie may have told
            assert found["web"].pid == pids["web"]
            await found["web"].stop()
            assert not alive(pids["web"])


async def test_the_keeper_was_killed_too(place):
    with Killable({"web": (SLEEP, {})}, **keeping(place)) as first:
        web = first.pids()["web"]
        first.kill()
    (keeper,) = await until(lambda: [pid for pid in keepers_of(place) if os.getsid(pid) == pid])
    os.kill(keeper, signal.SIGKILL)
    gone([keeper])
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            process = (await named(agent))["web"]
            assert process.pid == web
            await process.stop()
            assert not alive(web)


async def test_leaving_leaves_all_as_it_is(place):
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            web = await agent.start("web", sh("while :; do echo x; sleep 0.01; done"))
            pid, uuid = web.pid, web.uuid
    assert alive(pid)
    for _ in range(2):
        async with Agent("here", **keeping(place)) as agent:
            with deadline():
                web = await agent.process("web")
                assert (web.pid, web.uuid, web.item.restarts) == (pid, uuid, 0)
    async with Agent("here", **keeping(place)) as agent:
        await agent.stop_all()
    assert not alive(pid)


async def test_output_goes_on_where_it_was(place, anyio_backend):
    command = sh("i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; sleep 0.005; done; exec sleep 1000")
    with Killable({"web": (command, {})}, anyio_backend, **keeping(place)) as first:
        first.pids()
        time.sleep(0.3)
        first.kill()
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            web = await agent.process("web")
            async with web.logs(follow=True) as lines:
                found = []
                async for line in lines:
                    found.append(line.text)
                    if line.text == "300":
                        break
            assert found == [str(i) for i in range(1, 301)]
            await agent.stop_all()


async def test_uptime_and_cursors_go_on(place):
    """A cursor that the first agent gave means the same bytes to the next."""
    os.mkfifo(place / "go")
    command = sh("echo one; read x < go; echo two; exec sleep 1000")
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            web = await agent.start("web", command, cwd=str(place), ready=ready.log("one"))
            async with web.logs() as lines:
                cursor = (await anext(lines)).cursor
            begun = agent._engine.inner.host.processes[web.uuid].started
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            web = await agent.process("web")
            await anyio.to_thread.run_sync((place / "go").write_text, "x\n")
            async with web.logs(follow=True, since=cursor) as lines:
                assert (await anext(lines)).text == "two"
            assert agent._engine.inner.host.processes[web.uuid].started == begun
            await agent.stop_all()


async def test_restarts_go_on(place, anyio_backend):
    """One that was restarted is restarted again, with its count; one that waited for it goes on waiting."""
    spec = {"policy": "always", "delay": (0.01, 0.01), "jitter": 0.0}
    start = {"flaky": (sh("echo x >> runs; sleep 1000"), {"restart": spec, "cwd": str(place)})}
    with Killable(start, anyio_backend, **keeping(place)) as first:
        pid = first.pids()["flaky"]
        first.kill()
    os.kill(pid, signal.SIGKILL)
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            flaky = await agent.process("flaky")
            await becomes(flaky, lambda item: item.state == "running" and item.pid != pid)
            assert flaky.item.restarts == 1
            await until(lambda: (place / "runs").read_text() == "x\nx\n")
            await agent.stop_all()


async def test_a_stop_under_way_goes_on(place, anyio_backend):
    stubborn = sh("trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done")
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            web = await agent.start("web", stubborn, ready=ready.log("up"))
            pid = web.pid
            await agent.stop("web", grace=0.5, until="accepted")
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            web = await agent.process("web")
            assert web.item.detail in ("stopping", "emptying", "exited")
            await web.wait("stopped")
            assert not alive(pid)


async def test_an_emptying_under_way_goes_on_and_ends_only_what_is_its_own(place):
    stray = "(setsid sh -c 'trap \"\" TERM; echo $$ > pid; exec sleep 1000' &); while ! [ -s pid ]; do sleep 0.01; done"
    spec = StopSpec(steps=(("SIGTERM", 1.0),))
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            command = sh(f"{stray}; echo up; exec sleep 1000")
            web = await agent.start("web", command, cwd=str(place), ready=ready.log("up"), stop=spec)
            await web.stop(until="accepted")
            await becomes(web, lambda item: item.detail == "emptying" and "still alive" in item.why.text)
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            web = await agent.process("web")
            assert web.item.detail == "emptying"
            await web.wait("stopped")
            assert [s.pid for s in web.exit.escaped] == [int((place / "pid").read_text())]
            assert not alive(web.exit.escaped[0].pid)


async def test_what_was_deleted_stays_deleted(place):
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            for name in ("a", "b"):
                await agent.start(name, ["true"])
            await agent.wait(until="stopped")
            await agent.delete("a")
    async with Agent("here", **keeping(place)) as agent:
        assert [p.name for p in await agent.processes()] == ["b"]


async def test_what_is_declared_follows_the_file(place):
    from procctl.service.specs import spec_of

    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            await agent.declare([spec_of("a", SLEEP), spec_of("b", SLEEP), spec_of("c", SLEEP)])
            await agent.start("mine", SLEEP)
            await agent.wait(until="running")
            before = {name: p.pid for name, p in (await named(agent)).items()}
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            await agent.declare([spec_of("a", SLEEP), spec_of("b", ["sleep", "1001"])])
            await agent.wait(until="running")
            after = {name: p.pid for name, p in (await named(agent)).items()}
            assert set(after) == {"a", "b", "mine"}
            assert (after["a"], after["mine"]) == (before["a"], before["mine"])
            assert after["b"] != before["b"]
            assert not alive(before["c"])
            await agent.stop_all()


async def test_a_lease_is_held_over_the_agents_end(place):
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            await agent.start("web", SLEEP, mode="one")
            token = agent._engine.inner.host.select(_all("web"))[0].token
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            gate = agent._engine._own._door.gate
            assert [lease.slot for lease in gate.leases.values()] == ["web"]
            assert list(gate.leases) == [token]
            await agent.stop("web")
            assert gate.leases == {}
            await agent.start("web")
            assert next(iter(gate.leases)) > token
            await agent.stop_all()


def _all(name):
    from procctl.core.messages import Status

    return Status(name=name)


# the folder -------------------------------------------------------------------------------------------------------


async def test_keep_needs_a_folder():
    with pytest.raises(BadConfig, match="needs a state folder"):
        Agent(on_exit="keep")


async def test_two_agents_never_share_one(place):
    async with Agent("here", state_dir=place / "state"):
        with pytest.raises(BadConfig, match=f"in use by the agent with pid {os.getpid()}"):
            async with Agent("there", state_dir=place / "state"):
                pass


async def test_a_folder_that_is_torn_or_foreign(place):
    (place / "state").mkdir()
    base = place / "state" / "state.sqlite"
    base.write_bytes(b"SQLite format 3\0" + os.urandom(8192))
    with pytest.raises(BadConfig, match=r"cannot be used.*begin anew"):
        async with Agent("here", state_dir=place / "state"):
            pass
    base.unlink()
    with sqlite3.connect(base) as foreign:
        foreign.execute("CREATE TABLE things (x)")
    foreign.close()
    with pytest.raises(BadConfig, match="another program"):
        async with Agent("here", state_dir=place / "state"):
            pass


async def test_a_document_that_cannot_be_read(place):
    async with Agent("here", state_dir=place / "state") as agent:
        await agent.start("web", ["true"])
    store = SqliteStore()
    store.open(f"sqlite://{place}/state/state.sqlite")
    (key,) = [key for key, _ in store.items() if key.startswith("process/")]
    store.put(key, json.dumps({"process": {"uuid": 7}}))
    store.close()
    before = descriptors()
    with pytest.raises(BadConfig, match=r"record process/.* cannot be read"):
        async with Agent("here", state_dir=place / "state"):
            pass
    assert before == descriptors()


async def test_with_stop_nothing_goes_on_and_all_is_known(place, anyio_backend):
    options = {"state_dir": str(place / "state")}
    with Killable(
        {"web": (SLEEP, {}), "again": (SLEEP, {"restart": {"policy": "always"}})}, anyio_backend, **options
    ) as first:
        pids = first.pids()
        first.kill()
    async with Agent("here", **options) as agent:
        with deadline():
            assert not any(alive(pid) for pid in pids.values())
            found = await named(agent)
            await found["web"].wait("stopped")
            await becomes(found["again"], lambda item: item.state == "running" and item.restarts == 1)


async def test_what_cannot_be_recorded_is_not_started(place):
    async with Agent("here", state_dir=place / "state") as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            journal = agent._engine.inner.journal
            journal._store.put = _full
            await agent.add(_spec("other"), start=False)
            with pytest.raises(Exception, match="cannot be recorded in the state folder: disk is full"):
                await agent.start("other")
            assert alive(web.pid)


def _full(key, value):
    raise OSError("disk is full")


def _spec(name):
    from procctl.service.specs import spec_of

    return spec_of(name, SLEEP)
