"""Waiting for a time of day."""

from __future__ import annotations

import time

import anyio

__all__ = ["sleep_until"]

_LOOK = 30.0
"""Seconds at most between two looks at the clock, which may be set meanwhile."""


async def sleep_until(when: float) -> None:
    """Wait until the wall clock has come to a time.

    Args:
        when: Seconds since the epoch.
    """
    while (left := when - time.time()) > 0:
        await anyio.sleep(min(left, _LOOK))
