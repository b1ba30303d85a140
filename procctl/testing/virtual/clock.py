"""Clocks of hosts, which run a little too fast or too slow, and the timers that go by them."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from ...aio.timers import Timers

__all__ = ["HostClock", "PacedTimers"]

MIDNIGHT = 1_767_225_600.0
"""1 January 2026 in UTC: when every virtual fleet begins."""


class HostClock:
    """The clock of one host, over the runs of what is on it.

    Args:
        born: By the loop's clock, when the fleet began.
        shown: What it shows then.
        rate: Its seconds in one second.
    """

    def __init__(self, born: float, shown: float = 0.0, rate: float = 1.0) -> None:
        self._born = born
        self._real = born
        self._shown = shown
        self.rate = rate

    def boot(self) -> float:
        """Seconds since its machine was booted."""
        return self._shown + (anyio.current_time() - self._real) * self.rate

    def wall(self) -> float:
        """Seconds since the epoch; shown, and never decided by."""
        return MIDNIGHT + anyio.current_time() - self._born

    def change(self, rate: float) -> None:
        """It runs at another rate from now on."""
        self._shown, self._real, self.rate = self.boot(), anyio.current_time(), rate

    def reset(self) -> None:
        """The machine was booted."""
        self._shown, self._real = 0.0, anyio.current_time()

    def real(self, seconds: float) -> float:
        """How long its seconds last."""
        return seconds / self.rate


class PacedTimers(Timers):
    """Timers that go by such a clock. Args: clock: Which."""

    def __init__(self, clock: HostClock) -> None:
        super().__init__()
        self._clock = clock

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        super().after(self._clock.real(seconds), call)
