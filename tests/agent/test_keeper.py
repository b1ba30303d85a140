"""When an agent is killed, nothing that it ran goes on."""

import os
import signal
import time
from pathlib import Path

import pytest
from helpers import PATIENCE, SLEEP, alive, becomes, deadline, marked, sh, until

from procctl import Agent

from .surviving import Killable, gone, keepers

pytestmark = pytest.mark.anyio


# within a second on a machine that is not busy otherwise: benchmarks/keeper.py measures it


def test_all_ends_soon(anyio_backend):
    start = {f"p{i}": (SLEEP, {"until": "accepted"}) for i in range(99)} | {"last": (SLEEP, {})}
    with Killable(start, anyio_backend, env={"KILLED": "many"}) as agent:
        agent.pids()
        pids = marked("many", "KILLED")
        assert len(pids) >= 100
        agent.kill()
        assert gone(pids) < PATIENCE


def test_what_has_left_its_group_and_closed_everything_too(tmp_path):
    command = sh(f"(setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 1000' >&- 2>&- &); exec sleep 1000")
    with Killable({"web": (command, {})}) as agent:
        web = agent.pids()["web"]
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        agent.kill()
        assert gone([web, int((tmp_path / "pid").read_text())]) < PATIENCE


def test_what_hides_its_mark_is_known_by_its_descriptor():
    with Killable({"web": (["env", "-i", "sleep", "1000"], {})}) as agent:
        pids = agent.pids().values()
        agent.kill()
        assert gone(pids) < PATIENCE


def test_what_ignores_signals_too():
    with Killable({"web": (sh("trap '' TERM HUP INT; while :; do sleep 0.1; done"), {})}) as agent:
        pids = agent.pids().values()
        agent.kill()
        assert gone(pids) < PATIENCE


def test_other_things_of_the_same_program_go_on(tmp_path):
    """A child that the agent has not started, and another agent's, are not the keeper's business."""
    with Killable({"web": (SLEEP, {})}) as one, Killable({"web": (SLEEP, {})}) as other:
        mine, theirs = one.pids()["web"], other.pids()["web"]
        one.kill()
        gone([mine])
        time.sleep(0.5)
        assert alive(theirs)


async def settled(agent):
    """The pids of its keepers, when they have begun."""
    await until(lambda: agent._engine._machine._tools.keeping.parents == {})
    return keepers(agent._engine._epoch)


async def test_one_keeper_and_only_when_something_runs():
    async with Agent() as agent:
        assert agent._engine._machine._tools.keeping._sock is None
        with deadline():
            for name in ("a", "b", "c"):
                await agent.start(name, SLEEP)
            found = await settled(agent)
            assert len(found) == 1
            assert Path(f"/proc/{found[0]}/environ").read_bytes() == b""
            await until(lambda: os.getsid(found[0]) == found[0])
    await until(lambda: not alive(found[0]))


async def test_it_hears_nothing_but_sigkill():
    async with Agent() as agent:
        with deadline():
            await agent.start("web", SLEEP)
            (keeper,) = await settled(agent)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                os.kill(keeper, number)
            await agent.start("other", SLEEP)
            assert alive(keeper)


async def test_one_that_is_killed_is_replaced_and_knows_everything():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", ["env", "-i", "sleep", "1000"])
            (keeper,) = await settled(agent)
            os.kill(keeper, signal.SIGKILL)
            await until(lambda: set(keepers(agent._engine._epoch)) - {keeper})
            await becomes(web, lambda item: item.state == "running")
    await until(lambda: keepers(agent._engine._epoch) == [])


async def test_it_idles():
    async with Agent() as agent:
        with deadline():
            await agent.start("web", SLEEP)
            (keeper,) = await settled(agent)
            before = _ticks(keeper)
            time.sleep(0.3)
            assert _ticks(keeper) - before <= 1  # a tick may have begun before


def _ticks(pid):
    """CPU time that it has used."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
