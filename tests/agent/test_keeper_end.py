"""A keeper whose agent never returns comes to an end, and nothing is lost by that."""

import os
import shutil
import signal

import pytest
from helpers import SLEEP, alive, deadline, sh, until

from procctl import Agent
from procctl.agent.features import probe

from .surviving import Killable, gone, keepers_of

pytestmark = pytest.mark.anyio


def left(place, start, without=""):
    """The pids of what an agent has left, and of its keeper; the agent was killed."""
    options = {"on_exit": "keep", "state_dir": str(place / "state")}
    with Killable(start, env={"PROCCTL_WITHOUT": without}, **options) as killable:
        pids = killable.pids()
        killable.kill()
    return pids


async def keeper_of(place):
    (keeper,) = await until(lambda: [pid for pid in keepers_of(place) if os.getsid(pid) == pid])
    return keeper


@pytest.mark.parametrize(
    ("anyio_backend", "without"),
    [("asyncio", ""), ("trio", "pidfd,pidfd_group,pidfd_info")],
    ids=["with all", "without pidfd"],
)
async def test_when_all_has_ended_and_how_is_told_to_the_next_agent(place, without):
    os.mkfifo(place / "go")
    command = sh("read x < go; exit 7")
    pids = left(place, {"bad": (command, {"cwd": str(place)}), "shot": (SLEEP, {})}, without)
    keeper = await keeper_of(place)
    os.kill(pids["shot"], signal.SIGKILL)
    await until(lambda: not alive(pids["shot"]))
    assert alive(keeper)  # there is something to hold
    (place / "go").write_text("x\n")
    gone([keeper])
    async with Agent("here", on_exit="keep", state_dir=place / "state") as agent:
        with deadline():
            await agent.wait(until="stopped")
            found = {p.name: (p.exit.code, p.exit.signal, p.item.restarts) for p in await agent.processes()}
    known = {"bad": (7, None, 0), "shot": (None, "SIGKILL", 0)}
    unknown = {"bad": (None, None, 0), "shot": (None, None, 0)}
    assert found == (known if probe().pidfd_info and not without else unknown)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_when_the_folder_is_gone_and_what_runs_goes_on(place):
    """Nobody can find it any more."""
    pids = left(place, {"web": (SLEEP, {})})
    keeper = await keeper_of(place)
    shutil.rmtree(place / "state")
    gone([keeper])
    assert alive(pids["web"])
    os.kill(pids["web"], signal.SIGKILL)


async def test_an_agent_whose_folder_is_gone_starts_another_keeper_all_the_same(place):
    async with Agent("here", state_dir=place / "state") as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            keeper = await keeper_of(place)
            shutil.rmtree(place / "state")
            os.kill(keeper, signal.SIGKILL)
            gone([keeper])
            await until(lambda: agent._engine._machine.keeping._sock is not None)
            other = await agent.start("other", SLEEP)
            assert (alive(web.pid), alive(other.pid)) == (True, True)
