"""Many timers, one task."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import anyio

from .wake import Wake

__all__ = ["Timers"]


class Timers:
    """Calls functions later, in the task that runs `run`. They are not cancelled; a caller knows an outdated one."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._wake = Wake()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call this in so many seconds."""
        at = anyio.current_time() + seconds
        if not self._heap or at < self._heap[0][0]:
            self._wake.set()
        heapq.heappush(self._heap, (at, next(self._order), call))

    async def run(self) -> None:
        """Never returns; cancelled to end it."""
        while True:
            while self._heap and self._heap[0][0] <= anyio.current_time():
                heapq.heappop(self._heap)[2]()
            deadline = self._heap[0][0] if self._heap else float("inf")
            with anyio.CancelScope(deadline=deadline):
                await self._wake.wait()
