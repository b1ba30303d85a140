"""An agent is killed at random moments: a few times here, a thousand times by ``nox -s kills``."""

import os
import random
import time

import anyio
import pytest
from helpers import DEADLINE, alive, marked

from procctl import Agent

from .surviving import Killable

RUNS = int(os.environ.get("PROCCTL_KILLS", "3"))
"""Kills in each of the two ways."""
BUSY = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"]
FLAKY = {"restart": {"policy": "always", "delay": (0.01, 0.05), "limit": None}}
START = {
    "busy": (BUSY, {}),
    "deep": (["sh", "-c", "setsid sleep 1001 & exec sleep 1000"], {}),
    "flaky": (["sh", "-c", "sleep 0.05"], FLAKY),
    "a": (["sleep", "1000"], {}),
    "b": (["sleep", "1000"], {}),
}
SLEEPERS = ("busy", "deep", "a", "b")


def moment(i):
    """From the first spawn on; the first line of what it says comes after the last."""
    return random.Random(i).uniform(0.0, 0.4)


def killed_at(i, **options):
    """An agent that was killed somewhere in its life; the marks of what it ran."""
    mark = f"kill-{os.getpid()}-{i}"
    with Killable(START, "trio" if i % 2 else "asyncio", env={"KILLED": mark}, **options) as agent:
        limit = time.monotonic() + 6 * DEADLINE
        while not marked(mark, "KILLED") or len(marked(mark, "KILLED")) < 2:
            assert time.monotonic() < limit
            time.sleep(0.002)
        time.sleep(moment(i))
        agent.kill()
    return mark


def test_with_stop_nothing_survives(record_property):
    slowest = 0.0
    for i in range(RUNS):
        mark = killed_at(i)
        begun = time.monotonic()
        quiet = begun
        while time.monotonic() - quiet < 0.4:  # it stays so
            if marked(mark, "KILLED"):
                quiet = time.monotonic()
            assert quiet - begun < 3.0, marked(mark, "KILLED")
            time.sleep(0.005)
        slowest = max(slowest, quiet - begun)
    record_property("slowest", slowest)
    print(f"{RUNS} kills; the last survivor was gone after at most {slowest:.3f} s")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
@pytest.mark.seconds(7200)
async def test_with_keep_all_is_adopted_and_nothing_doubled(place):
    for i in range(RUNS):
        folder = place / str(i)
        mark = await anyio.to_thread.run_sync(lambda: killed_at(i, on_exit="keep", state_dir=str(folder)))  # noqa: B023
        before = {pid: name_of(pid) for pid in marked(mark, "KILLED")}
        os.environ["KILLED"] = mark
        try:
            async with Agent("here", on_exit="keep", state_dir=folder) as agent:
                with anyio.fail_after(DEADLINE):
                    for process in await agent.processes():
                        if process.name in SLEEPERS and process.item.detail != "registered":
                            await process.wait("running")
                    await check(agent, before, mark)
                    await agent.stop_all()
        finally:
            del os.environ["KILLED"]
        assert marked(mark, "KILLED") == []


async def check(agent, before, mark):
    """Each that there was is there, under its own pid; and each that there is, is there once."""
    known = {process.name: process.item for process in await agent.processes()}
    for pid, name in before.items():
        if name in SLEEPERS and spawned(pid):
            assert known[name].pid == pid, (name, pid, known[name])
    for name, item in known.items():
        if name in SLEEPERS and item.pid:
            leaders = [pid for pid in marked(mark, "KILLED") if name_of(pid) == name and spawned(pid)]
            assert leaders == [item.pid], (name, leaders, item)


def spawned(pid):
    """Whether an agent has spawned it: it leads a session, and is not the descendant that has made one itself."""
    try:
        return alive(pid) and os.getsid(pid) == pid and words_of(pid)[-1:] != [b"1001"]
    except ProcessLookupError:
        return False


def words_of(pid):
    """Its command line."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return []


def name_of(pid):
    """Of the process that it belongs to, by its mark."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = dict(part.split(b"=", 1) for part in file.read().split(b"\0") if b"=" in part)
    except OSError:
        return ""
    return pairs.get(b"PROCCTL_NAME", b"").decode()
