"""What /proc says of processes: their trees, their CPU time, their memory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Memory", "busy", "cpu_seconds", "end_all", "memory", "tree"]

_SCHED = 2
"""With a process's number it makes the number of its CPU clock: clock_getcpuclockid(3)."""


class Memory(NamedTuple):
    """MB. In `rss` a shared page counts once for each process, in `pss` once altogether."""

    pss: float
    rss: float


def tree(roots: Iterable[int], without: str) -> list[int]:
    """These processes and their descendants, leaving out those that run the program `without`."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    parent = int(file.read().rsplit(b")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        program = _program(pid)
        if program is None or program == without:
            continue
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time so far, to the nanosecond, over all threads, those that have ended too."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | _SCHED)
    return total


def busy(seconds: float = 1.0) -> float:
    """Which share of all CPUs is in use by anybody, 0 to 1, while we wait."""
    before = _ticks()
    time.sleep(seconds)
    total, idle = (now - then for now, then in zip(_ticks(), before, strict=True))
    return 1.0 - idle / total if total else 0.0


def _ticks() -> tuple[int, int]:
    with open("/proc/stat") as file:
        words = [int(word) for word in file.readline().split()[1:9]]
    return sum(words), words[3] + words[4]  # idle, and waiting for a disk


def memory(pids: Iterable[int]) -> Memory:
    """What they have in memory now."""
    sizes = {"Pss:": 0, "Rss:": 0}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                for line in file:
                    word, *rest = line.split()
                    if word in sizes:
                        sizes[word] += int(rest[0])
        except OSError:
            continue
    return Memory(sizes["Pss:"] / 1024, sizes["Rss:"] / 1024)


def end_all(program: str, word: str) -> int:
    """SIGKILL whatever runs `program` with `word` on its command line; how many that were."""
    ended = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or _program(int(entry)) != program:
            continue
        try:
            fd = os.pidfd_open(int(entry))
        except OSError:
            continue
        try:  # looked at again behind the descriptor: the number may have got a new owner
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if _program(int(entry)) == program and word.encode() in words:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                ended += 1
        except OSError:
            continue
        finally:
            os.close(fd)
    return ended


def _program(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None
