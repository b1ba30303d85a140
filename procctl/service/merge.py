"""What several streams of output have, as one, in the order of time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from ..abc import Items, StreamItem
from ..aio.block import Block
from ..aio.wake import Wake
from ..core.happenings import LogChunk
from ..errors import ProcctlError

__all__ = ["merged"]


@asynccontextmanager
async def merged(sources: Sequence[Items]) -> AsyncGenerator[AsyncIterator[StreamItem]]:
    """Items of all sources until all have ended. Nothing is read ahead: a slow reader holds all of them back.

    Args:
        sources: Each in the order of time by itself, with an end. The order is exact, as far as the clocks of the
            hosts agree.

    Raises (while iterating):
        ProcctlError: The first that a source raised; the others are ended.
    """
    async with Block("a merged stream", _leave) as block:
        ready = Wake()
        heads = [_Head(source, ready) for source in sources]
        for head in heads:
            block.start_soon(head.run)
        async with aclosing(_items(heads, ready)) as items:
            yield items


class _Head:
    """The next item of one source."""

    def __init__(self, source: Items, ready: Wake) -> None:
        self.item: StreamItem | None = None
        self.over = False
        self.failed: ProcctlError | None = None
        self._source = source
        self._ready = ready
        self._taken = Wake()

    async def run(self) -> None:
        try:
            async with self._source as items:
                async for item in items:
                    self.item = item
                    self._ready.set()
                    await self._taken.wait()
        except ProcctlError as error:
            self.failed = error
        finally:
            self.over = True
            self._ready.set()

    @property
    def time(self) -> float:
        """What has no time of its own is not held up."""
        return self.item.time if isinstance(self.item, LogChunk) else 0.0

    def take(self) -> StreamItem:
        item, self.item = self.item, None
        assert item is not None
        self._taken.set()
        return item


async def _items(heads: Sequence[_Head], ready: Wake) -> AsyncGenerator[StreamItem]:
    while True:
        for head in heads:
            if head.failed is not None:
                raise head.failed
        full = [head for head in heads if head.item is not None]
        if any(head.item is None and not head.over for head in heads):
            await ready.wait()
        elif full:
            yield min(full, key=lambda head: head.time).take()
        else:
            return


async def _leave() -> None:
    """Nothing is to be finished: the sources are ended by cancellation."""
