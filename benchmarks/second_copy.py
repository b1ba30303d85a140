"""SIGKILL the supervisor, start it again, and count how many copies of its one program live.

    python benchmarks/second_copy.py [ROUNDS]

The program takes a lock (flock), or notes that somebody else has it, and lives on. Each system is told to run it once,
with what its own configuration has; it is killed, alone, as by the kernel for want of memory, and started again with the
same words. Copies are counted after 3 s. Peers are installed by `setup.sh`; those that are not there are left out.
Everything is ended at the end, found by the name of this run's folder on its command line.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from drivers.base import PEERS, Driver, peer_python
from interpreter import environment

PAUSE = 3.0
"""Seconds between the second start and the count."""
PATIENCE = 15.0

WITNESS = """
import fcntl, os, sys, time
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
try:
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(out, b"%d has the lock\\n" % os.getpid())
except OSError:
    os.write(out, b"%d is one too many\\n" % os.getpid())
while True:
    time.sleep(1)
"""
PROCCTL = """
version = 1
[process.c]
command = {words}
mode = "one"
restart = "always"
"""
SUPERVISOR = """
[supervisord]
nodaemon=true
logfile={work}/s.log
pidfile={work}/s.pid
[program:c]
command={command}
autorestart=true
"""
CIRCUS = """
[circus]
endpoint = ipc://{work}/c.sock
pubsub_endpoint = ipc://{work}/p.sock
[watcher:c]
cmd = {command}
copy_env = True
"""


class System(NamedTuple):
    """Attributes: name: For the table. version: Of what is installed. file: Its configuration. words: It, started."""

    name: str
    version: str
    file: str
    words: tuple[str, ...]


def systems() -> list[System]:
    """Those that are there. `{work}` in the words is the folder of the run."""
    ours = importlib.metadata.version("procctl")
    agent = (
        sys.executable,
        "-m",
        "procctl.cli",
        "agent",
        "-f",
        "{work}/procctl.toml",
        "--listen",
        "unix://{work}/a.sock",
    )
    found = [
        System(f"procctl, on_exit = {how}", ours, PROCCTL, (*agent, "--state-dir", "{work}/state", "--on-exit", how))
        for how in ("stop", "keep")
    ]
    for name, module, text in (
        ("supervisor", ("-m", "supervisor.supervisord", "-c", "{work}/file"), SUPERVISOR),
        ("circus", ("-m", "circus.circusd", "{work}/file"), CIRCUS),
    ):
        if (PEERS / name).exists():
            words = (peer_python(name), "-c", f"import importlib.metadata as m; print(m.version({name!r}))")
            version = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
            found.append(System(name, version, text, (peer_python(name), *module)))
    return found


class Supervisor(Driver):
    """A system that runs the witness once, and can be killed."""

    def __init__(self, system: System, work: Path) -> None:
        super().__init__(work)
        self.system = system
        (work / "witness.py").write_text(WITNESS)
        self.argv = [
            os.path.realpath(sys.executable),
            "-S",
            "-I",
            str(work / "witness.py"),
            str(work / "lock"),
            str(work / "log"),
        ]
        words = "[" + ", ".join(f'"{word}"' for word in self.argv) + "]"
        text = system.file.format(work=work, command=" ".join(self.argv), words=words)
        for name in ("file", "procctl.toml"):
            (work / name).write_text(text)

    def boot(self) -> None:
        self.run(*(word.format(work=self.work) for word in self.system.words), env=environment())

    def kill(self) -> None:
        """The system alone, with SIGKILL."""
        process = self.processes.pop()
        process.send_signal(signal.SIGKILL)
        process.wait()

    def copies(self) -> set[int]:
        """The pids of witnesses that live."""
        words = "\0".join(self.argv).encode() + b"\0"
        return {pid for pid in _pids() if _command_line(pid) == words}

    def runs(self) -> int:
        """Wait until there is one that has the lock; gives its pid."""
        limit = time.monotonic() + PATIENCE
        while not (self.work / "log").exists() or len(found := self.copies()) != 1:
            if time.monotonic() > limit:
                raise TimeoutError(f"{self.system.name} has not started it: {(self.work / 'daemon.out').read_text()}")
            time.sleep(0.05)
        return found.pop()

    def close(self) -> None:
        super().close()
        for pid in self.copies():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]


def _command_line(pid: int) -> bytes:
    try:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return b""
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Found(NamedTuple):
    """Attributes: copies: How many live. first: Whether the one of before does. refused: How many found the lock taken."""

    copies: int
    first: bool
    refused: int


def one(system: System) -> Found:
    """Start, kill, start, count."""
    with tempfile.TemporaryDirectory(prefix="second-") as folder:
        supervisor = Supervisor(system, Path(folder))
        try:
            supervisor.boot()
            first = supervisor.runs()
            supervisor.kill()
            supervisor.boot()
            time.sleep(PAUSE)
            copies = supervisor.copies()
            refused = (Path(folder) / "log").read_text().count("one too many")
        finally:
            supervisor.close()
    return Found(len(copies), first in copies, refused)


def main(rounds: int = 1) -> None:
    """Print a table for Markdown."""
    print("| | version | copies that live | the first of them lives | starts that found the lock taken |")
    print("|---|---|---|---|---|")
    for system in systems():
        found = [one(system) for _ in range(rounds)]
        cells = (
            {each.copies for each in found},
            {"yes" if each.first else "no, it was ended" for each in found},
            {each.refused for each in found},
        )
        shown = " | ".join(" or ".join(map(str, sorted(cell))) for cell in cells)
        print(f"| {system.name} | {system.version} | {shown} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
