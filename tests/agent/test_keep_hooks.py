"""The channel of a program with hooks outlives its agent, and the next agent goes on talking."""

import os
import signal
import time

import pytest
from helpers import DEADLINE, alive, becomes, deadline, until

from procctl import Agent, State

from .surviving import Killable, keepers_of
from .talking import OBEDIENT, talker

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(90)]

ANSWERING = talker("obey(double={'data': 42})")
LATE = """
say("workerStarted")
read = lines()
for message in read:
    if message == "stopRequest":
        print("asked", flush=True)
        break
os.path.exists("again") or open("again", "w").close()
for message in read:
    if message == "stopRequest":
        say("workerStopped")
"""
"""It answers only what it is asked for the second time."""


@pytest.fixture(autouse=True)
def _no_keeper_left(place):
    yield
    limit = time.monotonic() + DEADLINE
    while (left := keepers_of(place)) and time.monotonic() < limit:
        time.sleep(0.01)
    for keeper in left:  # so that one test does not fail the next
        os.kill(keeper, signal.SIGKILL)
    assert left == []


def keeping(place):
    return {"on_exit": "keep", "state_dir": str(place / "state")}


async def test_the_next_agent_talks_with_it(place, anyio_backend):
    with Killable({"mail": (ANSWERING, {"hooks": True})}, anyio_backend, **keeping(place)) as first:
        pid = first.pids()["mail"]
        first.kill()
    for detail in ("up", "idle"):
        async with Agent("here", **keeping(place)) as agent:
            with deadline():
                mail = await agent.process("mail")
                assert (mail.pid, mail.item.detail) == (pid, detail)
                await mail.start()
                assert (mail.pid, mail.state) == (pid, State.RUNNING)
                assert await mail.ask("double") == 42
                await mail.stop()
                assert (mail.item.detail, mail.pid) == ("idle", pid)
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            mail = await agent.process("mail")
            assert (mail.item.detail, mail.pid) == ("idle", pid)
            await mail.start()
            assert (mail.item.detail, mail.pid) == ("up", pid)
            await agent.stop_all()
    assert not alive(pid)


async def test_what_was_asked_is_asked_again(place):
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            mail = await agent.start("mail", talker(LATE), hooks=True, cwd=str(place))
            pid = mail.pid
            await agent.stop("mail", until="accepted")
            await until(lambda: (place / "again").exists())
            await mail.refresh()
            assert mail.item.detail == "pausing"
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            mail = await agent.process("mail")
            await becomes(mail, lambda item: item.detail == "idle")
            assert mail.pid == pid
            await agent.stop_all()


async def test_the_keeper_forgets_the_channel_with_the_run(place):
    async with Agent("here", **keeping(place)) as agent:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True)
            (keeper,) = await until(lambda: [pid for pid in keepers_of(place) if os.getsid(pid) == pid])
            await until(lambda: _sockets(keeper) == 3)  # the agent, the listener, the channel
            await mail.kill()
            await until(lambda: _sockets(keeper) == 2)
            await mail.start()
            await until(lambda: _sockets(keeper) == 3)
            pid = mail.pid
            await mail.detach()
            await until(lambda: _sockets(keeper) == 2)
            assert (mail.item.detail, mail.item.said) == ("detached", "")
            await until(lambda: not os.path.exists(f"/proc/{pid}"))  # its channel has ended, and this one with it


def _sockets(pid):
    found = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
        except OSError:
            continue
    return found
