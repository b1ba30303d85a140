"""Which process is meant: by pidfd first, then by its start and the boot of the machine. A recycled pid is another."""

from __future__ import annotations

import os
from functools import lru_cache

from ..core.records import Ident
from .features import Features
from .procfs import facts_of

__all__ = ["boot_id", "ident_of", "open_pidfd", "start_of", "still_there"]


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Of this boot of the machine (random(4)); empty where the system does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_of(pid: int) -> int:
    """When a process began, in ticks since the boot; 0: there is none, or the system does not say so."""
    try:
        facts = facts_of(pid)
    except OSError:
        return 0
    return 0 if facts is None else facts.started


def ident_of(pid: int) -> Ident:
    """Of what has this pid now."""
    return Ident(pid, start_of(pid), boot_id())


def still_there(ident: Ident) -> bool:
    """Whether that very process is there, a zombie too. What cannot be told apart is not there."""
    return ident.start != 0 and ident.boot == boot_id() and start_of(ident.pid) == ident.start


def open_pidfd(ident: Ident, features: Features) -> int | None:
    """A descriptor for that very process: opened first and checked then. None where there are no pidfds.

    Raises:
        ProcessLookupError: It is gone; what has its pid now is another.
        OSError: There are no descriptors left.
    """
    fd = os.pidfd_open(ident.pid) if features.pidfd else None
    if not still_there(ident):
        if fd is not None:
            os.close(fd)
        raise ProcessLookupError(ident.pid, f"pid {ident.pid} is another process by now")
    return fd
