"""The clock that decides: it never jumps, and goes on in suspend."""

from __future__ import annotations

import time

__all__ = ["boot_clock"]


def boot_clock() -> float:
    """Seconds of CLOCK_BOOTTIME, which goes on in suspend (clock_gettime(2)); elsewhere of the monotonic clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
