"""Streams as answers: JSON of what there is, or Server-Sent Events (WHATWG HTML, 9.2) that go on.

What is read from the service is what the client takes: a slow one is held back at its connection, and is shown a gap.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import anyio
from attrs import frozen
from starlette.types import Receive, Scope, Send

from ...abc import Items
from ...aio.wall import sleep_until
from ...core.messages import LogChunk, Lost
from ...core.records import Wall
from ...errors import ProcctlError, Refused
from ...service.lines import Line
from ...wire.codec import item_out, unstructure
from .places import Places
from .problems import problem

__all__ = ["JSON", "SSE", "LineDocument", "StreamAnswer", "event_documents", "line_documents"]

SSE, JSON = "text/event-stream", "application/json"
EVERY = 15.0
"""Seconds of silence after which a comment shows that the stream lives, and finds a client that has left."""

Document = tuple[str, str, dict[str, Any]]
"""The cursor behind it, its type, and itself."""


async def event_documents(items: AsyncIterator[Any]) -> AsyncGenerator[Document]:
    """Events as they are said."""
    async for item in items:
        if isinstance(item, Lost):
            yield item.next, "lost", {"type": "lost", **_lost(item)}
        else:
            yield item.cursor, item.type, item_out(item)


async def line_documents(skip: dict[str, list[int]], items: AsyncIterator[Any]) -> AsyncGenerator[Document]:
    """Lines of output, each with the cursor from which nothing is missed. Args: skip: See `Places`."""
    places = Places(skip)
    async for item in items:
        assert isinstance(item, LogChunk | Lost)
        for line, cursor in places.take(item):
            yield cursor, "gap" if line.lost else "line", _line(line, cursor)
    for line, cursor in places.rest():
        yield cursor, "line", _line(line, cursor)


def _lost(item: Lost) -> dict[str, Any]:
    document: dict[str, Any] = unstructure(item)
    return {"count": None, "first": "", "next": "", **document}


@frozen(kw_only=True)
class LineDocument:
    """A line of output as it is sent.

    Attributes:
        lost: Bytes that were lost here, 0 for an ordinary line, -1: nobody knows how many.
        approximate: Whether the time is: no agent watched when it was written.
    """

    time: Wall
    name: str
    uuid: str
    hostname: str
    stream: str
    text: str
    cursor: str
    lost: int
    approximate: bool


def _line(line: Line, cursor: str) -> dict[str, Any]:
    document = LineDocument(
        time=line.time,
        name=line.name,
        uuid=line.uuid,
        hostname=line.hostname,
        stream=line.stream,
        text=line.text,
        cursor=cursor,
        lost=line.lost,
        approximate=line.approximate,
    )
    made: dict[str, Any] = unstructure(document)
    return made


class StreamAnswer:
    """An ASGI response.

    Args:
        items: What the service gives.
        documents: Makes documents of it.
        live: Whether as Server-Sent Events.
        streams: All that there are; it is among them while it lives.
        expires: When the credential of whoever reads it ends, seconds since the epoch; None: never.
    """

    def __init__(
        self,
        items: Items,
        documents: Callable[[AsyncIterator[Any]], AsyncGenerator[Document]],
        live: bool,
        streams: set[StreamAnswer],
        expires: float | None = None,
    ) -> None:
        self._items = items
        self._documents = documents
        self._live = live
        self._streams = streams
        self._expires = expires
        self._expired = False
        self._closed = False
        self._scope: anyio.CancelScope | None = None
        self._begun = False
        self._sent = anyio.Lock()
        self._spoke = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. What is refused before the first item is a problem document."""
        self._streams.add(self)
        try:
            await self._answer(scope, receive, send)
        finally:
            self._streams.discard(self)

    def close(self) -> None:
        """End it in an orderly way."""
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: ProcctlError | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._until_left, receive, group.cancel_scope)
            self._scope = group.cancel_scope
            if self._live:
                group.start_soon(self._remind, send)
            if self._expires is not None:
                group.start_soon(self._expire, self._expires, group.cancel_scope)
            try:
                await self._feed(send)
            except ProcctlError as error:
                failed = error
            group.cancel_scope.cancel()
        if self._expired:
            failed = Refused("unauthorized", "the credential has expired")
        if failed is not None and not self._begun:
            await problem(failed)(scope, receive, send)
        elif failed is not None and not self._live:
            return  # half a document: the connection is cut, so that nobody takes it for whole
        elif self._begun:
            with anyio.CancelScope(shield=True):
                await self._end(send, failed)

    async def _feed(self, send: Send) -> None:
        async with self._items as items, aclosing(self._documents(items)) as documents:
            if self._live:
                await self._begin(send)  # nothing may happen for long
            count = 0
            async for cursor, kind, document in documents:
                if not self._live and not self._begun:
                    await self._begin(send)
                await self._say(send, _sse(cursor, kind, document) if self._live else _element(count, document))
                count += 1
            if not self._begun:
                await self._begin(send)

    async def _begin(self, send: Send) -> None:
        self._begun = True
        kind = SSE if self._live else JSON
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._say(send, b"retry: 1000\n\n" if self._live else b'{"items":[')

    async def _end(self, send: Send, failed: ProcctlError | None) -> None:
        rest = b"" if self._live else b"]}"
        if self._live and failed is not None:
            error = {"code": getattr(failed, "code", "failed"), "message": failed.message, "hint": failed.hint}
            rest = _sse("", "error", error)
        elif self._live and not self._closed:
            rest = _sse("", "end", {})
        await send({"type": "http.response.body", "body": rest, "more_body": False})

    async def _say(self, send: Send, data: bytes) -> None:
        async with self._sent:
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self._spoke = anyio.current_time()
        await anyio.lowlevel.checkpoint()  # a server may swallow what is sent to a client that has left

    async def _remind(self, send: Send) -> None:
        while True:
            await anyio.sleep(EVERY)
            if self._begun and anyio.current_time() - self._spoke >= EVERY:
                await self._say(send, b":\n\n")

    async def _expire(self, when: float, scope: anyio.CancelScope) -> None:
        await sleep_until(when)
        self._expired = True
        scope.cancel()

    async def _until_left(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._begun = self._expired = False  # nobody is there to be told the end
        scope.cancel()


def _sse(cursor: str, kind: str, document: dict[str, Any]) -> bytes:
    """One event. A line is the default type, which a browser's ``onmessage`` gets."""
    number = f"id: {cursor}\n" if cursor else ""
    name = f"event: {kind}\n" if kind != "line" else ""
    return f"{number}{name}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


def _element(count: int, document: dict[str, Any]) -> bytes:
    return (b"," if count else b"") + json.dumps(document, separators=(",", ":")).encode()
