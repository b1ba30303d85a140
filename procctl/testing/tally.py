"""A service that counts what it is told to do, and streams numbers. It stands behind the sessions of the kit."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from ..abc import Call, Caller, Items, Pending, StreamItem
from ..core.messages import AnyStream, Batch, LogChunk, Logs, Restart

__all__ = ["PAUSE", "Tally"]

PAUSE = 0.03
"""Seconds that a command takes."""
_RATE = 0.002
UUID = "00000000-0000-4000-8000-000000000000"


class Tally:
    """A command with a key is carried out once, as an agent does it; `Restart` takes a moment, all else none.

    Attributes:
        carried: How often each name was restarted.
    """

    def __init__(self, group: TaskGroup) -> None:
        self.carried: Counter[str] = Counter()
        self._group = group
        self._known: dict[str, Pending] = {}

    def submit(self, call: Call) -> Pending:
        if not isinstance(call.request, Restart):
            return Pending.of(Batch())
        if call.key in self._known:
            return self._known[call.key]
        pending = self._known[call.key] = Pending()
        self.carried[call.request.name] += 1
        self._group.start_soon(self._settle, pending)
        return pending

    async def _settle(self, pending: Pending) -> None:
        await anyio.sleep(PAUSE)
        pending.settle(Batch())

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        return self._stream(request)

    @asynccontextmanager
    async def _stream(self, request: AnyStream) -> AsyncGenerator[AsyncIterator[StreamItem]]:
        numbers = _numbers(int(request.since or 0) if isinstance(request, Logs) else 0)
        try:
            yield numbers
        finally:
            await numbers.aclose()


async def _numbers(number: int) -> AsyncGenerator[StreamItem]:
    while True:
        await anyio.sleep(_RATE)
        number += 1
        yield LogChunk(
            uuid=UUID,
            name="numbers",
            hostname="peer",
            stream="stdout",
            time=0.0,
            text=str(number),
            cursor=str(number),
        )
