"""What comes back for one stream of ours. Never blocks the reader of the link; credit bounds it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable

from ..abc import StreamItem
from ..aio.wake import Wake
from ..core.messages import Failure
from ..errors import refusal

__all__ = ["WINDOW", "Inbox"]

WINDOW = 64
"""Items that may be under way to one reader."""


class Inbox:
    """Args: more: Tells the peer that so many more items are wanted."""

    def __init__(self, more: Callable[[int], None]) -> None:
        self._more = more
        self._items: deque[StreamItem] = deque()
        self._end: Failure | bool = False
        self._wake = Wake()

    @property
    def ended(self) -> bool:
        """Whether the peer has ended it."""
        return self._end is not False

    def put(self, item: StreamItem) -> None:
        """One has come."""
        self._items.append(item)
        self._wake.set()

    def close(self, failure: Failure | None) -> None:
        """The end; with a failure, raised when all before it has been read."""
        self._end = failure or True
        self._wake.set()

    async def items(self) -> AsyncGenerator[StreamItem]:
        """Everything until the end."""
        taken = 0
        while True:
            while self._items:
                item = self._items.popleft()
                taken += 1
                if taken == WINDOW // 2:
                    self._more(taken)
                    taken = 0
                yield item
            if isinstance(self._end, Failure):
                raise refusal(self._end.code, self._end.message, self._end.hint)
            if self._end:
                return
            await self._wake.wait()
