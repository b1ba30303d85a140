"""Was it killed for want of memory? The signal alone does not tell; the kernel's log does, or else its counters.

The log (``/dev/kmsg``, for root, outside of pid namespaces) names the process. The counters of a memory cgroup
(``memory.events`` of version 2, ``memory.oom_control`` of version 1) only say that one more of those in it was killed
so: that is taken for the one of ours in it that was killed next and not by us.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from ..core.records import Ident

__all__ = ["OutOfMemory", "tells"]

LOOK_AFTER = 1.0
"""Seconds after its start at which it is looked where a process is: who moves to another cgroup does so at once."""
_ROOTS = {"memory": "/sys/fs/cgroup/memory", "": "/sys/fs/cgroup"}
_UNIFIED = "/sys/fs/cgroup/unified"
_FILES = ("memory.events.local", "memory.events", "memory.oom_control")
_KILLED = re.compile(rb"^([0-7]),\d+,(\d+),[^;]*;[^\n]*Killed process (\d+) \(")
"""A record of the log (Documentation/ABI/testing/dev-kmsg): priority, with 0 for the kernel in its upper bits, and
microseconds."""
_INITIAL = "pid:[4026531836]"
"""The initial pid namespace (PROC_PID_INIT_INO of linux/proc_ns.h): in others the log's numbers are not ours."""
_KEPT = 1000
_TICKS = os.sysconf("SC_CLK_TCK")


def tells() -> bool:
    """Whether one of both can be read here."""
    log = _open_log()
    if log is not None:
        os.close(log)
        return True
    return _count(_folder(os.getpid())) is not None


class OutOfMemory:
    """Knows who was killed for want of memory.

    Args:
        usable: Whether to look at all.
        after: Calls later.
    """

    def __init__(self, usable: bool, after: Callable[[float, Callable[[], None]], None]) -> None:
        self._after = after
        self._log = _open_log() if usable else None
        self._killed: dict[int, float] = {}
        self._counts: dict[str, int] | None = None if self._log is not None or not usable else {}
        """By cgroup, how many that were killed are accounted for."""
        self._places: dict[Ident, str] = {}
        self._own = ""
        if self._counts is not None:
            self._own = self._noted(os.getpid())

    def begun(self, ident: Ident) -> None:
        """It runs: see soon where."""
        if self._counts is not None:
            self._after(LOOK_AFTER, lambda: self.look(ident))

    def look(self, ident: Ident) -> None:
        """See where it is now."""
        if self._counts is None:
            return
        folder = self._noted(ident.pid)
        if folder and folder != self._own:
            self._places[ident] = folder

    def was(self, ident: Ident, shot: bool) -> bool:
        """Whether this one, which was killed by SIGKILL, was killed for want of memory; to be asked once.

        Args:
            ident: Which.
            shot: Whether we had sent it SIGKILL ourselves.
        """
        if self._log is not None:
            self._read_log(self._log)
            at = self._killed.pop(ident.pid, None)
            asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()  # the log's clock stands still then
            return at is not None and at + asleep >= ident.start / _TICKS
        return self._is_counted(self._places.pop(ident, self._own)) and not shot

    def forget(self, ident: Ident) -> None:
        """It has ended otherwise."""
        self._places.pop(ident, None)

    def close(self) -> None:
        """Nothing is asked any more."""
        log, self._log = self._log, None
        if log is not None:
            os.close(log)

    def _read_log(self, log: int) -> None:
        while True:
            try:
                record = _KILLED.match(os.read(log, 8192))
            except BrokenPipeError:
                continue  # what came next was overwritten; it goes on with the oldest that is there
            except OSError:
                return
            if record is not None:
                self._killed[int(record[3])] = int(record[2]) / 1e6
                if len(self._killed) > _KEPT:
                    del self._killed[next(iter(self._killed))]

    def _noted(self, pid: int) -> str:
        """The cgroup of a process; what was counted there until now is nobody's of ours."""
        folder = _folder(pid)
        count = _count(folder)
        if count is None or self._counts is None:
            return ""
        self._counts.setdefault(folder, count)
        return folder

    def _is_counted(self, folder: str) -> bool:
        count = _count(folder) if folder else None
        if self._counts is None or count is None or count <= self._counts.get(folder, count):
            return False
        self._counts[folder] += 1
        return True


def _open_log() -> int | None:
    try:
        if os.readlink("/proc/self/ns/pid") != _INITIAL:
            return None
        return os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


def _folder(pid: int) -> str:
    """Of the cgroup that a process's memory is counted in; empty: it cannot be seen."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return ""
    by_controller = {name: path for _, names, path in lines for name in names.split(",")}
    for name in ("memory", ""):
        if name in by_controller:
            root = _UNIFIED if not name and os.path.isdir(_UNIFIED) else _ROOTS[name]
            folder = os.path.normpath(root + by_controller[name])
            return folder if os.path.isdir(folder) else root  # a container may see its own as the root
    return ""


def _count(folder: str) -> int | None:
    """How many were killed in a cgroup, by the kernel for want of memory."""
    for name in _FILES if folder else ():
        try:
            with open(f"{folder}/{name}", encoding="ascii") as file:
                return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
        except (OSError, ValueError):
            continue
    return None
