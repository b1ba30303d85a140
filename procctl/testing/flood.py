"""Sending more than anybody reads, to see whether it is held back."""

from __future__ import annotations

import anyio

from ..abc import Connection, Prompt
from .frames import LAST, SMALL, make_frame

__all__ = ["Flood"]


class Flood:
    """Frames of one size, until told to stop or to the limit; then the last one.

    Attributes:
        frames: How many have been accepted.
        over: Whether all have.
    """

    def __init__(self, connection: Connection, tag: str, size: int, limit: int) -> None:
        self.frames = 0
        self.over = False
        self._connection = connection
        self._tag = tag
        self._size = size
        self._limit = limit
        self._stopping = False

    def stop(self) -> None:
        """No more after the one under way."""
        self._stopping = True

    async def run(self) -> None:
        """Send. Raises what `send` does."""
        while not self._stopping and self.frames * self._size < self._limit:
            await self._send(make_frame(self._tag, self.frames, self._size))
            self.frames += 1
        await self._connection.send(make_frame(self._tag, LAST, SMALL))
        self.over = True

    async def _send(self, frame: bytes) -> None:
        """As a session does it: at once where that is possible."""
        if isinstance(self._connection, Prompt) and self._connection.send_nowait(frame):
            await anyio.lowlevel.checkpoint()
        else:
            await self._connection.send(frame)
