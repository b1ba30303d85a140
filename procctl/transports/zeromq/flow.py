"""One connection's frames, both ways: what has come and is unread, and how many may still be sent. No I/O."""

from __future__ import annotations

from collections import deque

from .messages import SMALLEST, WINDOW, Unfit, number, parse_hello

__all__ = ["Flow"]


class Flow:
    """Credit bounds it: nobody sends more than `WINDOW` frames beyond what the other end's reader has taken.

    Args:
        largest: Bytes of the longest frame that the other end takes; None: its welcome will say.

    Attributes:
        room: Frames that may be sent before there is more credit.
        end: Why nothing can be sent, and nothing more comes behind what is unread; None while it lives.
    """

    def __init__(self, largest: int | None) -> None:
        self.largest = largest
        self.room = WINDOW
        self.end: str | None = None
        self._unread: deque[bytes | int] = deque()
        self._due = WINDOW
        self._taken = 0

    @property
    def readable(self) -> bool:
        """Whether `next` gives something: a frame, or the news of the end."""
        return bool(self._unread) or self.end is not None

    def came(self, message: bytes) -> None:
        """A message of the other end. Raises `Unfit` if it does not keep to the credit, or cannot be understood."""
        kind, rest = message[:1], message[1:]
        if kind == b"d":
            self._arrived(rest)
        elif kind == b"x":
            self._arrived(number(rest))
        elif kind == b"c":
            self.room += number(rest)
            if self.room > WINDOW:
                raise Unfit("credit for frames that were never sent")
        elif kind == b"w":
            self.largest = parse_hello(rest).max_frame
        elif kind == b"b":
            self.finish("has closed the connection" + (f": {rest[:200].decode(errors='replace')}" if rest else ""))

    def next(self) -> bytes | int | None:
        """The next frame; the size of one that was too large to be sent; None at the end."""
        if not self._unread:
            return None
        self._taken += 1
        return self._unread.popleft()

    def credit(self) -> bytes | None:
        """What is to be said about credit now, if anything."""
        if self._taken < WINDOW // 2 or self.end is not None:
            return None
        granted, self._taken = self._taken, 0
        self._due += granted
        return b"c%d" % granted

    def open_to(self, size: int) -> bool:
        """Whether a frame of so many bytes can be said now."""
        return self.room > 0 and (self.largest is not None or size <= SMALLEST)

    def say(self, frame: bytes) -> bytes:
        """A frame as a message; it takes up room."""
        self.room -= 1
        return b"d" + frame if self.largest is None or len(frame) <= self.largest else b"x%d" % len(frame)

    def finish(self, why: str) -> None:
        """It has ended; the first reason counts."""
        if self.end is None:
            self.end = why

    def _arrived(self, frame: bytes | int) -> None:
        self._due -= 1
        if self._due < 0:
            raise Unfit("more frames than there was credit for")
        self._unread.append(frame)
