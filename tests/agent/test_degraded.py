"""Without a feature of the kernel everything is still right."""

import contextlib
import os
import subprocess

import anyio
import anyio.to_thread
import pytest
from helpers import DEADLINE, SLEEP, alive, deadline, finished, sh, texts, until

from procctl import Agent, RestartSpec, StopSpec, ready
from procctl.agent.doctor import examine
from procctl.agent.features import Features, probe
from procctl.agent.ground import Ground

pytestmark = pytest.mark.anyio

NAMES = tuple(Features().as_dict())
LESS = [set(), *({name} for name in NAMES), set(NAMES)]


def named(names):
    return "complete" if not names else "without " + (",".join(names) if len(names) == 1 else "any")


def less(names):
    return Ground(features=Features(**{n: has and n not in names for n, has in probe().as_dict().items()}))


@pytest.fixture(params=LESS, ids=named)
def ground(request):
    return less(request.param)


alternately = pytest.mark.parametrize(
    ("anyio_backend", "names"),
    [(("asyncio", "trio")[i % 2], names) for i, names in enumerate(LESS)],
    ids=[named(names) for names in LESS],
)
"""Each once, on one of the two."""


async def test_a_life(ground):
    async with Agent(_ground=ground) as agent:
        with deadline():
            web = await agent.start("web", sh("echo up; exec sleep 1000"), ready=ready.log("up"))
            pid = web.pid
            await web.restart(until="ready")
            assert (await web.stop()).signal == "SIGTERM"
            assert (alive(pid), await texts(web), web.item.restarts) == (False, ["up", "up"], 1)


async def test_exits(ground):
    async with Agent(_ground=ground) as agent:
        with deadline():
            for i in range(10):
                await agent.start(f"p{i}", sh(f"exit {i}" if i else "kill -9 $$"))
            await agent.wait("p*", until="stopped")
            found = [(p.exit.code, p.exit.signal) for p in await agent.processes("p*")]
            assert found == [(None, "SIGKILL"), *((i, None) for i in range(1, 10))]


async def test_all_output_is_there(ground):
    async with Agent(_ground=ground) as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["seq", "1", "50000"])
            await web.wait("stopped")
            assert await texts(web) == [str(n) for n in range(1, 50001)]


STUBBORN_BOTH = """
(setsid sh -c 'trap "" TERM; echo $$ > pid; while :; do sleep 0.05; done' &)
trap '' TERM
while ! [ -s pid ]; do sleep 0.01; done
echo up
while :; do sleep 0.1; done
"""


async def test_a_stubborn_one_and_its_daemon(ground, tmp_path):
    declared = {"ready": ready.log("up"), "stop": StopSpec(steps=(("SIGTERM", 0.2),)), "cwd": str(tmp_path)}
    async with Agent(_ground=ground) as agent:
        with deadline():
            web = await agent.start("web", sh(STUBBORN_BOTH), **declared)
            pid = int((tmp_path / "pid").read_text())
            record = await web.stop()
            assert (record.signal, pid in {s.pid for s in record.escaped}, alive(pid)) == ("SIGKILL", True, False)


async def test_restarts(ground):
    async with Agent(_ground=ground) as agent:
        with deadline():
            spec = RestartSpec(policy="always", delay=(0.01, 0.01), limit=3)
            web = await agent.start("web", sh("exit 7"), restart=spec)
            await web.wait("stopped")
            assert (web.exit.code, web.item.restarts) == (7, 3)


async def test_statistics(ground):
    async with Agent(_ground=ground) as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            while (await web.refresh()).memory < 10_000:  # it has only just become what it is
                await anyio.sleep(0.01)
            assert (await agent.info()).features == ground.features.as_dict()


@alternately
async def test_adopt_and_detach(names, tmp_path):
    stranger = subprocess.Popen(SLEEP)
    async with Agent(_ground=less(names)) as agent:
        with deadline():
            web = await agent.adopt(stranger.pid, "web", SLEEP)
            assert (web.state.word, web.pid) == ("running", stranger.pid)
            await web.stop(until="accepted")
            assert await anyio.to_thread.run_sync(stranger.wait, DEADLINE) == -15
            record = await web.wait("stopped")
            assert (record.code, record.signal) in {(None, "SIGTERM"), (None, None)}  # unknown, never 0
            await web.start()
            pid = web.pid
            await web.detach()
            assert (web.item.detail, web.pid, alive(pid)) == ("detached", 0, True)
            await agent.adopt(pid, "web")
            assert (await web.refresh()).pid == pid
            await web.kill()
            await until(lambda: not os.path.exists(f"/proc/{pid}"))  # it is reaped as the child that it was


@alternately
async def test_keep(names, place):
    options = {"on_exit": "keep", "state_dir": place, "_ground": less(names)}
    async with Agent("here", **options) as agent:
        with deadline():
            pids = {name: (await agent.start(name, sh("echo up; exec sleep 1000"))).pid for name in ("ends", "lives")}
            uuid = (await agent.process("lives")).uuid
    os.kill(pids["ends"], 9)
    await until(lambda: not alive(pids["ends"]))
    async with Agent("here", **options) as agent:
        with deadline():
            ends, lives = await agent.process("ends"), await agent.process("lives")
            await ends.wait("stopped")
            assert (ends.exit.code, ends.exit.signal) in {(None, "SIGKILL"), (None, None)}  # unknown, never 0
            assert (lives.pid, lives.uuid, lives.item.restarts) == (pids["lives"], uuid, 0)
            assert await texts(lives) == ["up"]
            await lives.stop()
            assert not alive(pids["lives"])
    for pid in pids.values():  # they are children of this program, and no agent's any more
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def test_the_doctor_says_what_follows_where_something_is_missing():
    bad = {finding.name: finding for finding in examine(Features())}
    good = {finding.name: finding for finding in examine(Features(**dict.fromkeys(NAMES, True)))}
    assert [bad[name].good for name in NAMES] == [False] * len(NAMES)
    assert [good[name].good for name in NAMES] == [True] * len(NAMES)
    assert not {bad[name].text for name in NAMES} & {good[name].text for name in NAMES}
    assert {"cgroup2", "descriptors", "processes", "user"} <= set(good)


async def test_the_environment_takes_features_away(monkeypatch):
    monkeypatch.setenv("PROCCTL_WITHOUT", "pidfd,epoll")
    async with Agent() as agent:
        with deadline():
            features = (await agent.info()).features
            assert (features["pidfd"], features["epoll"]) == (False, False)
            assert (await agent.start("web", ["true"], until="exit")).exit.code == 0
