"""What happened, numbered, the last so many of it. Readers are synchronous and own their place. Pure.

A place is a cursor: ``<epoch>-<number>`` of the last item that was read. The epoch names one run of whoever numbers,
so a cursor of another run is known as one, and what lies between is a gap of unknown size.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from .messages import Lost

__all__ = ["Backlog"]

T = TypeVar("T")


class Backlog(Generic[T]):
    """Args: epoch: Names this run. limit: How many items are kept."""

    def __init__(self, epoch: str, limit: int = 4096) -> None:
        self.epoch = epoch
        self.last = 0
        self._items: deque[T] = deque(maxlen=limit)

    def cursor(self, number: int | None = None) -> str:
        """The cursor behind item `number`; None: behind the last."""
        return f"{self.epoch}-{self.last if number is None else number}"

    def put(self, item: T) -> int:
        """Append one; its number is returned."""
        self.last += 1
        self._items.append(item)
        return self.last

    def skip(self) -> None:
        """One happened that is not kept."""
        self.last += 1

    def place(self, cursor: str) -> int | None:
        """The number in a cursor of this run; None if it is of another."""
        epoch, _, number = cursor.rpartition("-")
        if epoch != self.epoch or not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return None
        if int(number) > self.last:
            return None
        return int(number)

    def take(self, place: int, most: int) -> tuple[list[T | Lost], int]:
        """Items behind a place, at most so many, and the place behind them; what is not kept is a `Lost`."""
        first = self.last - len(self._items)  # the number of the item before the oldest that is kept
        out: list[T | Lost] = []
        if place < first:
            out.append(Lost(count=first - place, first=self.cursor(place), next=self.cursor(first)))
            place = first
        start = place - first
        stop = min(len(self._items), start + most)
        out += [self._items[i] for i in range(start, stop)]
        return out, place + (stop - start)
