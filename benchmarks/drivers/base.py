"""What the side-by-side harness needs of a system.

A life of a system is: boot() -> requests -> close(). The harness times from outside: every child (`child.c`) reports
its pid and the time to a FIFO as its first act, so a driver reports nothing itself.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar, Protocol

from built import HOME

__all__ = ["PEERS", "Client", "Driver", "borrow", "peer_python"]

PEERS = HOME / "venv"
_RUNNING = ("active", "up", "online")


def peer_python(name: str) -> str:
    """The interpreter of a system's own virtual environment."""
    return str(PEERS / name / "bin/python")


def borrow(name: str) -> None:
    """Let this process import a system's own client library."""
    path = str(next((PEERS / name / "lib").glob("python*/site-packages")))
    if path not in sys.path:
        sys.path.append(path)


class Client(Protocol):
    """A lasting connection; each method is one request, in the system's own way."""

    def status_one(self, i: int) -> str:
        """The state of child i, as text."""
        ...

    def status_all(self) -> int:
        """How many children the answer names as running."""
        ...


class Driver:
    """One system, in one life.

    Attributes:
        name: For the report.
        can: Which of restart, control, stop, warm, logs, churn.
        work: A folder of this life's own.
        argv: The child's command line.
        n: How many of it.
        log: Capture the children's stdout into `work`/logs; else into nowhere.
        began: Monotonic nanoseconds at which the start began, if not at the call of `boot`.
    """

    name: ClassVar[str] = "?"
    can: ClassVar[Collection[str]] = frozenset()

    def __init__(self, work: Path) -> None:
        self.work = work
        self.argv: list[str] = []
        self.n = 0
        self.log = False
        self.began: int | None = None
        self.processes: list[subprocess.Popen[bytes]] = []

    def boot(self) -> None:
        """Start the system with n children that start with it. Needn't wait for them."""
        raise NotImplementedError

    def ready(self) -> None:
        """All children run: wait until requests are answered."""

    def roots(self) -> list[int]:
        """The pids at the top of the system's own trees."""
        return [process.pid for process in self.processes]

    def client(self) -> Any:
        """A new `Client`; called in a process of its own for each."""
        raise NotImplementedError

    def measure(self, what: str, seconds: float) -> list[int]:
        """How long each question of one client takes, in nanoseconds. Runs in a process of its own."""
        client: Client = self.client()
        taken: list[int] = []
        if what == "all":
            ask = client.status_all
            if client.status_all() != self.n:
                raise ValueError("not all are running")
        else:

            def ask() -> Any:
                return client.status_one(len(taken) % self.n)

            state = str(client.status_one(0)).lower()
            if "run" not in state and state not in _RUNNING:
                raise ValueError(f"child 0 is {state}")
        begin = time.monotonic_ns()
        end = begin + int(seconds * 1e9)
        while begin < end:
            ask()
            now = time.monotonic_ns()
            taken.append(now - begin)
            begin = now
        return taken

    def stop_all(self) -> None:
        """Ask all children to end; may return before they have."""
        raise NotImplementedError

    def start_all(self) -> None:
        """Ask for all of them again."""
        raise NotImplementedError

    def log_bytes(self) -> int:
        """How much of the children's output is on disk by now."""
        return sum(file.stat().st_size for file in (self.work / "logs").iterdir() if file.is_file())

    def close(self) -> None:
        """End the system and its children: SIGTERM to what `run` has started."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        self.wait(8.0)

    def wait(self, seconds: float) -> None:
        """For the end of what `run` has started; by force after so long."""
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            if process.returncode is None:
                process.kill()
                process.wait()

    def run(self, *argv: object, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program of the system."""
        with open(self.work / "daemon.out", "ab") as out:
            options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, "cwd": self.work, **options}
            process = subprocess.Popen([str(word) for word in argv], **options)
        self.processes.append(process)
        return process
