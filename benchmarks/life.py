"""One life of one system: its folder, its driver, its children's reports, and that nothing of it is left."""

from __future__ import annotations

import array
import contextlib
import importlib
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from built import HOME, Built
from drivers.base import Driver
from procfs import tree
from reports import Reports

__all__ = ["Life", "asked_by", "driver_class", "gone"]

RUN = HOME / "run"


def driver_class(system: str) -> type[Driver]:
    """The driver of a system."""
    return importlib.import_module(f"drivers.d_{system}").D


class Life:
    """Args: built: The programs. system: A driver's name. n: How many children. mode, extra: What they are to do.

    Attributes:
        driver: Of the system.
        reports: Of its children.
    """

    def __init__(self, built: Built, system: str, n: int, mode: str = "pause", *extra: str, log: bool = False) -> None:
        self._child = built.child
        self._work = RUN / f"{system}-{os.getpid()}-{time.time_ns() % 10**9}"
        self._work.mkdir(parents=True)
        self.reports = Reports(self._work, built.child)
        self.driver = driver_class(system)(self._work)
        self.driver.n = n
        self.driver.log = log
        self.driver.argv = [built.child, mode, self.reports.path, *extra]

    def __enter__(self) -> Self:
        return self

    def boot(self, timeout: float = 120.0) -> tuple[float, list[int]]:
        """Seconds from the asking to the last child's report, and the children's pids."""
        begin = time.monotonic_ns()
        self.driver.boot()
        begin = self.driver.began or begin
        got = self.reports.need(self.driver.n, timeout)
        return (max((report.ns for report in got), default=begin) - begin) / 1e9, [report.pid for report in got]

    def own(self) -> list[int]:
        """The system's own processes: its trees without our children."""
        return tree(self.driver.roots(), self._child)

    def __exit__(self, *_: object) -> None:
        own = self.own()
        try:
            self.driver.close()
        except Exception as error:
            print(f"  close: {error!r}", file=sys.stderr)
        for process in self.driver.processes:
            process.poll()
        time.sleep(0.1)
        self._end(own)
        self.reports.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def _end(self, own: Sequence[int]) -> None:
        """What the system has left behind of itself, known by our folder."""
        for pid in own:
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline") as file:
                    words = file.read()
                if str(self._work) in os.readlink(f"/proc/{pid}/cwd") + words:
                    os.kill(pid, signal.SIGKILL)


def gone(pids: Sequence[int], act: Callable[[], object], patience: float = 90.0) -> float:
    """Act, and say after how many seconds the last of these had ended."""
    poll = select.epoll()
    fds = [os.pidfd_open(pid) for pid in pids]
    for fd in fds:
        poll.register(fd, select.EPOLLIN)
    ended: list[int] = []

    def watch() -> None:
        end = time.monotonic() + patience
        while len(ended) < len(fds) and time.monotonic() < end:
            for fd, _ in poll.poll(1):
                poll.unregister(fd)
                ended.append(time.monotonic_ns())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.monotonic_ns()
    try:
        act()
    finally:
        watcher.join()
        for fd in fds:
            os.close(fd)
        poll.close()
    if len(ended) < len(fds):
        raise TimeoutError(f"{len(fds) - len(ended)} of {len(fds)} are still alive")
    return (ended[-1] - begin) / 1e9


def asked_by(driver: Driver, what: str, clients: int, seconds: float) -> list[int]:
    """So many client processes asking at once: how long each question took, in nanoseconds."""
    running = [_client(driver, what, seconds) for _ in range(clients)]
    taken = array.array("q")
    failed = False
    for pid, reading in running:
        with open(reading, "rb") as pipe:
            taken.frombytes(pipe.read())
        failed |= bool(os.waitpid(pid, 0)[1])
    if failed:
        raise OSError("a client has failed")
    return taken.tolist()


def _client(driver: Driver, what: str, seconds: float) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(reading)
        with open(writing, "wb") as pipe:
            pipe.write(array.array("q", driver.measure(what, seconds)).tobytes())
        code = 0
    except BaseException as error:
        print(f"  client: {error!r}", file=sys.stderr)
    finally:
        os._exit(code)
