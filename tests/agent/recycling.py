"""In a pid namespace of its own, as root: numbers are given again on purpose, and whoever has one now is left alone.

``python -m agent.recycling BACKEND FEATURE,… CASE…`` prints whether the new owner lives, and how the old one is said to
have ended. The features are taken away. It is process 1 there, so what loses its parent is its own to reap.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
from helpers import DEADLINE, SLEEP, alive, becomes, deadline, sh, until

from procctl import Agent, StopSpec, ready
from procctl.agent.features import Features, probe
from procctl.agent.ground import Ground
from procctl.agent.identity import start_of
from procctl.errors import InternalError, ProcctlError

from .surviving import Killable, gone, keepers

SLOW = StopSpec(steps=(("SIGTERM", 0.3),))
NEXT = Path("/proc/sys/kernel/ns_last_pid")


def give_again(pid, command=SLEEP):
    """A program of somebody's that has this number, which is free, and began at another tick."""
    limit = time.monotonic() + DEADLINE
    before = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.02
    while time.clock_gettime(time.CLOCK_BOOTTIME) < before:
        pass
    while time.monotonic() < limit:
        NEXT.write_text(str(pid - 1))
        popen = subprocess.Popen(command, start_new_session=True)
        if popen.pid == pid:
            return popen
        popen.kill()
        popen.wait()
    raise AssertionError(f"{pid} is not given again")


async def started(agent, name, command, **declared):
    """One that runs, when nothing else is being started: the keeper has forked."""
    process = await agent.start(name, command, **declared)
    await until(lambda: agent._engine._machine.keeping.parents == {})
    return process


def kill_and_reap(pid):
    """Another part of this program is faster than the agent."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def end(record):
    return [record.code, record.signal]


async def a_child(ground, folder):
    """Signalled alone, and as a tree, before the agent has seen its end."""
    lives = []
    async with Agent(_ground=ground) as agent:
        for act in ("signal", "stop", "kill"):
            web = await started(agent, act, SLEEP)
            kill_and_reap(web.pid)
            stranger = give_again(web.pid, sh("sleep 1001 & exec sleep 1000"))
            with contextlib.suppress(ProcctlError):  # it is seen to have ended
                await (web.signal("SIGTERM") if act == "signal" else getattr(web, act)())
            await web.wait("stopped")
            lives.append(stranger.poll() is None)
            stranger.kill()
            stranger.wait()
        return lives, end(web.exit)


async def a_child_when_the_agent_fails(ground, folder):
    """The last resort: by force, at once."""
    try:
        async with Agent(_ground=ground) as agent:
            web = await started(agent, "web", SLEEP)
            kill_and_reap(web.pid)
            stranger = give_again(web.pid)
            agent._engine.block.fail(RuntimeError("a defect"))
            agent._engine.inner.hands.kill_now()
    except InternalError:
        return stranger.poll() is None


async def one_below_it(ground, folder):
    """It was seen below a process that ignores SIGTERM; at SIGKILL its number is another's."""
    command = sh("trap : TERM; env -i setsid sh -c 'echo $$; exec sleep 1000' & while :; do wait; sleep 0.02; done")
    async with Agent(_ground=ground) as agent:
        web = await started(agent, "web", command, ready=ready.log(r"\d"), stop=SLOW)
        async with web.logs() as lines:
            below = int((await anext(lines)).text)
        await web.stop(until="accepted")
        os.kill(below, signal.SIGKILL)
        gone_at = time.monotonic() + DEADLINE
        while os.path.exists(f"/proc/{below}"):
            assert time.monotonic() < gone_at
        stranger = give_again(below)
        await web.wait("stopped")
        return stranger.poll() is None


STRAY = "(setsid sh -c 'trap \"\" TERM; echo $$ > pid; exec sleep 1000' &); while ! [ -s pid ]; do sleep 0.01; done"


async def emptying(agent, folder, more="exec sleep 1000"):
    """A process that has ended, and a stray of it that lives on for a while, in a session of its own."""
    command = sh(f"{STRAY}; echo up; {more}")
    web = await started(agent, "web", command, cwd=folder, ready=ready.log("up"), stop=SLOW)
    number = web.pid
    await web.stop(until="accepted")
    await becomes(web, lambda item: item.detail == "emptying" and "still alive" in item.why.text)
    return web, number, int(Path(folder, "pid").read_text())


async def a_stray(ground, folder):
    async with Agent(_ground=ground) as agent:
        web, _, stray = await emptying(agent, folder)
        kill_and_reap(stray)
        stranger = give_again(stray)
        await web.wait("stopped")
        return stranger.poll() is None, [s.pid for s in web.exit.escaped] == [stray]


async def the_next_child(ground, folder):
    """It leads a group with the number of one that is still being emptied."""
    async with Agent(_ground=ground) as agent:
        web, number, _ = await emptying(agent, folder)
        for i in range(100):
            NEXT.write_text(str(number - 1))
            other = await agent.start(f"other-{i}", sh("sleep 1001 & echo $!; exec sleep 1000"), ready=ready.log(r"\d"))
            if other.pid == number:
                break
            await other.kill()
        async with other.logs() as lines:
            below = int((await anext(lines)).text)
        assert web.item.detail == "emptying"
        await web.wait("stopped")
        return other.pid == number, alive(below), alive(other.pid)


async def a_strangers_group(ground, folder):
    """Its leader has ended too, so nobody has the number itself any more."""
    async with Agent(_ground=ground) as agent:
        web, number, _ = await emptying(agent, folder)
        leader = give_again(number, sh("setsid() { :; }; sleep 1001 & echo $! > below"))
        leader.wait()
        below = int(Path("below").read_text())
        await web.wait("stopped")
        return os.getsid(below) == number, alive(below)


async def an_adopted_one(ground, folder):
    lives = []
    async with Agent(_ground=ground) as agent:
        for act in ("signal", "stop", "kill"):
            first = subprocess.Popen(SLEEP, start_new_session=act == "stop")
            await until(Path(f"/proc/{first.pid}/cmdline").read_bytes)  # its exec has come through
            web = await agent.adopt(first.pid, act)
            await until(lambda: agent._engine._machine.keeping.parents == {})
            first.kill()
            first.wait()
            stranger = give_again(first.pid, sh("sleep 1001 & exec sleep 1000"))
            with contextlib.suppress(ProcctlError):  # it is seen to have ended
                await (web.signal("SIGTERM") if act == "signal" else getattr(web, act)())
            await web.wait("stopped")
            lives.append(stranger.poll() is None)
        return lives, end(web.exit)


async def one_that_is_adopted_too_late(ground, folder):
    """Whoever asks has said when it began."""
    from procctl.core.messages import Adopt
    from procctl.core.specs import ProcessSpec

    async with Agent(_ground=ground) as agent:
        first = subprocess.Popen(SLEEP)
        request = Adopt(pid=first.pid, start=start_of(first.pid), spec=ProcessSpec(name="web", command=()))
        first.kill()
        first.wait()
        stranger = give_again(first.pid)
        try:
            await agent.request(request)
        except ProcctlError as error:
            return stranger.poll() is None, "another process by now" in str(error)


async def a_restored_one(ground, folder):
    """Its number was given again while there was no agent, and then once more."""
    options = {"on_exit": "keep", "state_dir": folder, "_ground": ground}
    async with Agent("here", **options) as agent:
        pids = [(await started(agent, name, SLEEP)).pid for name in ("a", "b")]
    kill_and_reap(pids[0])
    strangers = [give_again(pids[0])]
    async with Agent("here", **options) as agent:
        found = {p.name: p for p in await agent.processes()}
        await found["a"].wait("stopped")
        kill_and_reap(pids[1])
        strangers.append(give_again(pids[1]))
        await found["b"].kill()
        await found["b"].wait("stopped")
        return [s.poll() is None for s in strangers], end(found["a"].exit), end(found["b"].exit)


async def the_keepers(ground, folder):
    """Its list has what has ended, by number and start; the agent is killed, and all on the list with it."""
    without = ",".join(name for name, has in ground.features.as_dict().items() if not has)
    start = {"a": (sh("echo $$ > a"), {"cwd": folder, "until": "stopped"}), "b": (SLEEP, {})}
    with Killable(start, env={"PROCCTL_WITHOUT": without}) as killable:
        other = killable.pids()["b"]
        stranger = give_again(int(Path("a").read_text()))
        killable.kill()
    gone([other])
    gone(keepers())  # it goes over all again and again, and then it is done
    return stranger.poll() is None


async def main(without, cases):
    features = {name: has and name not in without for name, has in probe().as_dict().items()}
    said = {}
    for name in cases:
        case = globals()[name]
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="p") as folder, deadline():
            os.chdir(folder)
            said[name] = await case(Ground(features=Features(**features)), folder)
    print(json.dumps(said))


if __name__ == "__main__":
    anyio.run(main, sys.argv[2].split(","), sys.argv[3:], backend=sys.argv[1])
