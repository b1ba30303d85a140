"""Frames that wait to be sent. Queueing never waits; what bounds it is requests in flight and granted credit, and a
hard limit for a peer that asks and does not read."""

from __future__ import annotations

from collections import deque

from ..aio.wake import Wake
from ..errors import PeerGone

__all__ = ["LIMIT", "Outbox"]

LIMIT = 64 << 20
"""Bytes that may wait for one peer."""


class Outbox:
    """Two queues: answers and control go before items of streams.

    Attributes:
        idle: Whether nothing is queued, nor being sent: whoever takes the frames waits for one.
    """

    def __init__(self) -> None:
        self._first: deque[bytes] = deque()
        self._items: deque[bytes] = deque()
        self._size = 0
        self._wake = Wake()
        self.idle = False

    def put(self, frame: bytes, *, item: bool = False) -> None:
        """Queue one.

        Raises:
            PeerGone: The peer has let too much pile up; the link is to be ended.
        """
        if self._size + len(frame) > LIMIT:
            raise PeerGone(f"the peer does not read: {self._size} bytes wait for it")
        (self._items if item else self._first).append(frame)
        self.idle = False
        self._size += len(frame)
        self._wake.set()

    async def get(self) -> bytes:
        """The next to send."""
        while True:
            queue = self._first or self._items
            if queue:
                frame = queue.popleft()
                self._size -= len(frame)
                return frame
            self.idle = True
            await self._wake.wait()
