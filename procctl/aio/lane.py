"""One thing after the other: what the pure core has decided is performed in order, and to its end.

What is performed may cause events, and those further decisions; they queue behind what is there already. So the
order of decisions is the order of effects, and no decision is made in the middle of another's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

__all__ = ["Lane"]

T = TypeVar("T")


class Lane(Generic[T]):
    """Args: perform: Does one thing; never blocks or awaits."""

    def __init__(self, perform: Callable[[T], None]) -> None:
        self._perform = perform
        self._queue: deque[Callable[[], Iterable[T]]] = deque()
        self._running = False

    def decide(self, decision: Callable[[], Iterable[T]]) -> None:
        """Make this decision when all before it has been performed, then perform what it gives."""
        self._queue.append(decision)
        if self._running:
            return
        self._running = True
        try:
            while self._queue:
                for out in self._queue.popleft()():
                    self._perform(out)
        finally:
            self._running = False
