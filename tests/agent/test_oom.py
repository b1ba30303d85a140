"""What the kernel kills for want of memory is reported so: in a memory cgroup of our own."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.to_thread
import pytest
from helpers import DEADLINE, SLEEP, alive, deadline, sh, until

from procctl import Agent, ready
from procctl.agent import oom
from procctl.agent.features import probe
from procctl.agent.ground import Ground

pytestmark = pytest.mark.anyio

LIMIT = 40 << 20
EAT = f'exec {sys.executable} -S -c "open(\\"go\\").read(); bytearray(400 << 20)"'


@pytest.fixture
def cgroup():
    """A folder of the kernel's in which at most so much memory is used."""
    name = f"procctl-test-{uuid4().hex[:8]}"
    second = [root for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if _has_memory(Path(root))]
    folder = Path(second[0] if second else "/sys/fs/cgroup/memory", name)
    limits = ("memory.max", "memory.swap.max") if second else ("memory.limit_in_bytes", "memory.swappiness")
    try:
        folder.mkdir()
        (folder / limits[0]).write_text(str(LIMIT))
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    if (folder / limits[1]).exists():
        (folder / limits[1]).write_text("0")
    yield folder
    folder.rmdir()


def _has_memory(root):
    """Whether children of it have a memory controller, of version 2."""
    try:
        return "memory" in (root / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


@pytest.fixture(params=["log", "counters"])
def source(request, monkeypatch):
    """What is asked; where there is no log that can be read, this is skipped."""
    if request.param == "counters":
        monkeypatch.setattr(oom, "_open_log", lambda: None)
        monkeypatch.setattr(oom, "LOOK_AFTER", 0.02)
        return request.param
    log = oom._open_log()
    if log is None:
        pytest.skip("the kernel's log cannot be read here")
    os.close(log)
    return request.param


async def inside(agent, cgroup, folder, name, then):
    """One that has moved there, and that the agent knows to be there."""
    os.mkfifo(folder / "go") if not (folder / "go").exists() else None
    command = sh(f"echo $$ > {cgroup}/cgroup.procs; echo up; {then}")
    process = await agent.start(name, command, cwd=str(folder), ready=ready.log("up"))
    known = agent._engine._machine._tools.oom
    await until(lambda: known._counts is None or any(place.pid == process.pid for place in known._places))
    return process


async def go(folder):
    """What waits for it goes on."""
    await anyio.to_thread.run_sync((folder / "go").write_text, "go\n")


async def test_the_record_says_so_and_others_go_on(cgroup, source, tmp_path):
    async with Agent() as agent:
        with deadline():
            other = await agent.start("other", SLEEP)
            web = await inside(agent, cgroup, tmp_path, "web", EAT)
            shot = await inside(agent, cgroup, tmp_path, "shot", "exec sleep 1000")
            await go(tmp_path)
            await web.wait("stopped")
            assert (web.exit.signal, web.exit.oom) == ("SIGKILL", True)
            assert web.item.why.text == "killed by SIGKILL: out of memory"
            os.kill(shot.pid, signal.SIGKILL)  # by somebody, in the same place
            await shot.wait("stopped")
            assert (shot.exit.signal, shot.exit.oom, shot.item.why.text) == ("SIGKILL", False, "killed by SIGKILL")
            assert (alive(other.pid), (await other.refresh()).state) == (True, "running")


async def test_of_one_that_was_adopted(cgroup, source, tmp_path):
    if not probe().pidfd_info:
        pytest.skip("how a stranger ends is not known to this kernel")
    os.mkfifo(tmp_path / "go")
    stranger = subprocess.Popen(sh(EAT), cwd=tmp_path)
    (cgroup / "cgroup.procs").write_text(str(stranger.pid))
    async with Agent() as agent:
        with deadline():
            web = await agent.adopt(stranger.pid, "web")
            await go(tmp_path)
            await anyio.to_thread.run_sync(stranger.wait, DEADLINE)
            await web.wait("stopped")
            assert (web.exit.signal, web.exit.oom) == ("SIGKILL", True)


async def test_where_it_cannot_be_seen_it_is_killed_and_no_more(cgroup, tmp_path):
    from attrs import evolve

    async with Agent(_ground=Ground(features=evolve(probe(), oom=False))) as agent:
        with deadline():
            web = await inside(agent, cgroup, tmp_path, "web", EAT)
            await go(tmp_path)
            await web.wait("stopped")
            assert (web.exit.signal, web.exit.oom, web.item.why.text) == ("SIGKILL", False, "killed by SIGKILL")


def test_a_record_of_the_log():
    line = b"3,416,452520000,-;Memory cgroup out of memory: Killed process 15990 (python3) total-vm:221356kB\n"
    forged = b"11,416,452520000,-;Killed process 15990 (python3)\n"
    other = b"6,1,5,-;e1000: link up\n"
    assert [oom._KILLED.match(text) is not None for text in (line, forged, other)] == [True, False, False]
    assert oom._KILLED.match(line).groups() == (b"3", b"452520000", b"15990")
