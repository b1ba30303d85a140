"""Clocks: the one that decides, which never jumps and goes on in suspend, and the loop's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import anyio

from .poller import on_asyncio

__all__ = ["boot_clock", "loop_clock"]


_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_clock() -> float:
    """Seconds of CLOCK_BOOTTIME, which goes on in suspend (clock_gettime(2)); elsewhere of the monotonic clock."""
    return time.clock_gettime(_BOOT)


def loop_clock() -> Callable[[], float]:
    """What `anyio.current_time` gives in this task's loop, for those who ask often: it looks the loop up each time."""
    return asyncio.get_running_loop().time if on_asyncio() else anyio.current_time
