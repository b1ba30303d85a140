"""Several streams of output as one, in the order of time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from time import time as wall

import anyio

from ..abc import Items, StreamItem
from ..aio.block import Block
from ..aio.wake import Wake
from ..core.happenings import LogChunk
from ..errors import ProcctlError

__all__ = ["merged"]

_LINGER = 0.25
"""Seconds that a source which has nothing is waited for by the others; then it is idle, until it has something."""
_HOLD = 0.05
"""How old an item is in seconds before it goes ahead of an idle source: what came at the same time is put in order."""


@asynccontextmanager
async def merged(sources: Sequence[Items], follow: bool = False) -> AsyncGenerator[AsyncIterator[StreamItem]]:
    """Items of all sources until all have ended. Nothing is read ahead: a slow reader holds all of them back.

    Args:
        sources: Each in the order of time by itself.
        follow: Whether they go on with what comes. Then nobody waits long for a source that has nothing; else the
            order is exact, as far as the clocks of the hosts agree.

    Raises (while iterating):
        ProcctlError: The first that a source raised; the others are ended.
    """
    async with Block("a merged stream", _leave) as block:
        ready = Wake()
        heads = [_Head(source, ready) for source in sources]
        for head in heads:
            block.start_soon(head.run)
        async with aclosing(_items(heads, ready, follow)) as items:
            yield items


class _Head:
    """The next item of one source."""

    def __init__(self, source: Items, ready: Wake) -> None:
        self.item: StreamItem | None = None
        self.over = False
        self.failed: ProcctlError | None = None
        self.empty_since = anyio.current_time()
        self.came = 0.0
        self._source = source
        self._ready = ready
        self._taken = Wake()

    async def run(self) -> None:
        try:
            async with self._source as items:
                async for item in items:
                    self.item = item
                    self.came = anyio.current_time()
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
        self.empty_since = anyio.current_time()
        self._taken.set()
        return item


async def _items(heads: Sequence[_Head], ready: Wake, follow: bool) -> AsyncGenerator[StreamItem]:
    while True:
        for head in heads:
            if head.failed is not None:
                raise head.failed
        full = [head for head in heads if head.item is not None]
        empty = [head for head in heads if head.item is None and not head.over]
        if not full and not empty:
            return
        pause = _pause(full, empty, follow) if full else None
        if pause == 0.0:
            yield min(full, key=lambda head: head.time).take()
            continue
        with anyio.move_on_after(pause):
            await ready.wait()


def _pause(full: Sequence[_Head], empty: Sequence[_Head], follow: bool) -> float | None:
    """How long to wait for those that have nothing; None: until something happens."""
    if not empty:
        return 0.0
    if not follow:
        return None
    now = anyio.current_time()
    patient = max(head.empty_since for head in empty) + _LINGER - now
    first = min(full, key=lambda head: head.time)
    young = min(first.time + _HOLD - wall(), first.came + _HOLD - now)
    return max(0.0, patient, young)


async def _leave() -> None:
    """Nothing is to be finished: the sources are ended by cancellation."""
