"""Work in a thread, or where none can be started, without."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread

__all__ = ["in_thread"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_thread(work: Callable[[Unpack[Ts]], T], *args: *Ts, limiter: anyio.CapacityLimiter | None = None) -> T:
    """What the work gives. Where the system has no thread left (RLIMIT_NPROC, pids.max) it is done here, in the loop.

    Raises what the work raises. Cancellation: waits for the work's end.
    """
    begun = False

    def begin() -> T:
        nonlocal begun
        begun = True
        return work(*args)

    try:
        return await anyio.to_thread.run_sync(begin, limiter=limiter)
    except RuntimeError:
        if begun:
            raise
    return begin()
