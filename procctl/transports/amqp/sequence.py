"""Numbered frames of one direction of a connection: what is on its way, and what has arrived. No I/O, no clock.

A broker that is killed forgets what it has confirmed, as queues of peers live in its memory. So whoever sends keeps
each frame until the other end has it, and whoever receives knows by the number what it has already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import frozen

__all__ = ["BYTES", "WINDOW", "Incoming", "Marks", "Outgoing"]

WINDOW = 64
"""Frames that may be on their way, or wait over there to be read."""
BYTES = 4 << 20
"""Bytes of those: no more are sent while there are as many, whatever is larger in itself excepted."""


@frozen
class Marks:
    """How far the other end is. Attributes: got: It has all frames to this one. read: They are read to this one."""

    got: int
    read: int


class Outgoing:
    """Frames of ours."""

    def __init__(self) -> None:
        self._last = 0
        self._marks = Marks(0, 0)
        self._kept: deque[tuple[int, bytes]] = deque()
        self._unread: deque[int] = deque()
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether the next one has to wait."""
        return len(self._unread) >= WINDOW or self._bytes >= BYTES

    def add(self, frame: bytes) -> int:
        """One more: its number, from 1."""
        self._last += 1
        self._kept.append((self._last, frame))
        self._unread.append(len(frame))
        self._bytes += len(frame)
        return self._last

    def mark(self, marks: Marks) -> bool:
        """The other end says how far it is. False: it cannot be there."""
        if not marks.read <= marks.got <= self._last:
            return False
        while self._kept and self._kept[0][0] <= marks.got:
            self._kept.popleft()
        for _ in range(marks.read - self._marks.read):
            self._bytes -= self._unread.popleft()
        self._marks = Marks(max(marks.got, self._marks.got), max(marks.read, self._marks.read))
        return True

    def kept(self) -> Iterator[tuple[int, bytes]]:
        """What the other end is not known to have."""
        return iter(self._kept)


class Incoming:
    """Frames of the other end's.

    Attributes:
        overrun: Whether more came than may wait: the other end does not keep to the window.
    """

    def __init__(self) -> None:
        self.overrun = False
        self._got = self._read = self._told = 0
        self._waiting = self._freed = 0

    def take(self, number: int, size: int) -> bool:
        """One has arrived. False: it is here already, or one before it is missing (`missing`)."""
        if number != self._got + 1:
            return False
        self.overrun = self._got - self._read >= WINDOW or self._waiting >= BYTES
        self._got = number
        self._waiting += size
        return True

    def missing(self, number: int) -> bool:
        """Whether something between what is here and this one is not."""
        return number > self._got + 1

    def read(self, size: int) -> bool:
        """The next one was read. True: the other end should be told."""
        self._read += 1
        self._waiting -= size
        self._freed += size
        return self._read - self._told >= WINDOW // 4 or self._freed >= BYTES // 4

    def marks(self) -> Marks:
        """How far this end is; whoever asks tells it to the other."""
        self._told = self._read
        self._freed = 0
        return Marks(self._got, self._read)
