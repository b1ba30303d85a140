"""Memory and CPU of processes, sampled when somebody asks and not more often than twice a second."""

from __future__ import annotations

import os
from time import monotonic

from attrs import frozen

from ..core.records import Item
from ..core.value import evolve
from .features import Features

__all__ = ["Stats", "own_memory"]

FRESH = 0.5
"""Seconds for which a sample is as good as a new one."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@frozen
class _Sample:
    at: float
    cpu: float
    memory: int
    percent: float


@frozen
class _Shown:
    """An item, the sample that was added to it, and what came of it."""

    item: Item
    sample: _Sample
    whole: Item


class Stats:
    """Samples by process. The first sample of a process shows 0 percent.

    Args:
        features: Of this kernel.
    """

    def __init__(self, features: Features) -> None:
        self._read = _by_procfs if features.procfs else _by_psutil
        self._samples: dict[str, _Sample] = {}
        self._shown: dict[str, _Shown] = {}

    def add(self, item: Item) -> Item:
        """The item with what its process uses now."""
        if not item.pid:
            return item
        now = monotonic()
        old = self._samples.get(item.uuid)
        if old is None or now - old.at >= FRESH:
            used = self._read(item.pid)
            if used is None:
                return item
            cpu, memory = used
            percent = 0.0
            if old is not None and cpu >= old.cpu:
                percent = round(100 * (cpu - old.cpu) / (now - old.at), 1)
            old = self._samples[item.uuid] = _Sample(now, cpu, memory, percent)
        shown = self._shown.get(item.uuid)
        if shown is None or shown.item is not item or shown.sample is not old:
            whole = evolve(item, memory=old.memory, cpu=old.percent)
            shown = self._shown[item.uuid] = _Shown(item, old, whole)
        return shown.whole

    def forget(self, uuid: str) -> None:
        """Its run has ended."""
        self._samples.pop(uuid, None)
        self._shown.pop(uuid, None)

    def forget_shown(self) -> None:
        """Nobody has asked for a while; the samples stay, for the CPU since."""
        self._shown.clear()


def own_memory(features: Features) -> int:
    """Resident bytes of this program."""
    used = (_by_procfs if features.procfs else _by_psutil)(os.getpid())
    return used[1] if used is not None else 0


def _by_procfs(pid: int) -> tuple[float, int] | None:
    """CPU seconds and resident bytes out of /proc/PID/stat (proc(5)): one read."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            parts = file.read(1024).rpartition(b")")[2].split()
    except OSError:
        return None
    return (int(parts[11]) + int(parts[12])) / _TICKS, int(parts[21]) * _PAGE


def _by_psutil(pid: int) -> tuple[float, int] | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return times.user + times.system, process.memory_info().rss
    except psutil.Error:
        return None
