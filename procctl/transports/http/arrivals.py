"""The end that is reached: WebSockets that an ASGI server hands over become connections of a `Listener`.

Whoever owns the server mounts `Arrivals` at the path ``/link`` and says who the peer is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from math import inf
from typing import Any

import anyio

from ...abc import Peer, Traits
from ...errors import BadMessage, Closed, PeerGone

__all__ = ["Arrivals", "ServedConnection"]

SUBPROTOCOL = "procctl.1"
FAREWELL = 1.0
GOING_AWAY, AGAIN_LATER = 1001, 1013  # RFC 6455, 7.4.1; IANA's registry of close codes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ServedConnection:
    """Frames over a WebSocket that was asked of us.

    Args:
        receive: ASGI's.
        send: ASGI's.
        peer: Who asked.
        max_frame: Bytes of the longest frame that is taken.
    """

    suspended = False

    def __init__(self, receive: Receive, send: Send, peer: Peer, max_frame: int) -> None:
        self.peer = peer
        self._receive = receive
        self._send = send
        self._max_frame = max_frame
        self._over = anyio.Event()
        self._waiting = anyio.CancelScope()

    async def send(self, frame: bytes) -> None:
        if self._over.is_set():
            raise PeerGone(f"{self._who} is gone")
        try:
            message: Message = {"type": "websocket.send", "text": frame.decode()}
        except UnicodeDecodeError:
            message = {"type": "websocket.send", "bytes": frame}
        try:
            await self._send(message)
        except OSError as error:
            self._over.set()
            raise PeerGone(f"{self._who} is gone: {error}") from None
        await anyio.lowlevel.checkpoint()  # a server may swallow what is sent to a peer that has left

    async def receive(self) -> bytes:
        if self._over.is_set():
            raise PeerGone("the connection was closed")
        message = await self._next()
        if message["type"] == "websocket.disconnect":
            self._over.set()
            raise PeerGone(f"{self._who} has closed the connection")
        text = message.get("text")
        frame: bytes = message["bytes"] if text is None else text.encode()
        if len(frame) > self._max_frame:
            raise BadMessage(f"a frame of more than {self._max_frame} bytes")
        return frame

    async def aclose(self) -> None:
        await self.end(GOING_AWAY)

    async def end(self, code: int) -> None:
        """Close it, saying why."""
        if self._over.is_set():
            return
        self._over.set()
        self._waiting.cancel()
        with anyio.move_on_after(FAREWELL, shield=True):
            with contextlib.suppress(OSError):  # it has left before us
                await self._send({"type": "websocket.close", "code": code})

    async def over(self) -> None:
        """Wait until it has ended."""
        await self._over.wait()

    async def _next(self) -> Message:
        """The next message, or a disconnect when this end was closed meanwhile."""
        with anyio.CancelScope() as self._waiting:
            try:
                return await self._receive()
            except OSError:
                pass  # as good as a disconnect
        return {"type": "websocket.disconnect"}

    @property
    def _who(self) -> str:
        return self.peer.name or self.peer.identity or self.peer.address


class Arrivals:
    """A `procctl.abc.Listener` of WebSockets.

    Args:
        urls: Where it can be reached.
        traits: Of the transport.
        max_frame: Bytes of the longest frame that is taken.
        close: Called once by `aclose`: take in no more connections.
    """

    def __init__(
        self, urls: tuple[str, ...], traits: Traits, max_frame: int, close: Callable[[], None] = lambda: None
    ) -> None:
        self.urls = urls
        self.traits = traits
        self._max_frame = max_frame
        self._close = close
        self._arriving, self._arrived = anyio.create_memory_object_stream[ServedConnection](inf)

    async def accept(self) -> ServedConnection:
        try:
            return await self._arrived.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise Closed(f"{', '.join(self.urls) or 'the listener'} is closed") from None

    async def aclose(self) -> None:
        self._close()
        self._arriving.close()
        while self._arrived.statistics().current_buffer_used:
            await self._arrived.receive_nowait().end(AGAIN_LATER)
        self._arrived.close()

    async def serve(self, scope: Mapping[str, Any], receive: Receive, send: Send, peer: Peer) -> None:
        """Take in one WebSocket, and return when it has ended. The handler of ``/link``.

        Cancellation: ends the connection.
        """
        await receive()  # websocket.connect
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.close", "code": 1002})
            return
        connection = ServedConnection(receive, send, peer, self._max_frame)
        try:
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
            try:
                self._arriving.send_nowait(connection)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                await connection.end(AGAIN_LATER)
            await connection.over()
        finally:
            await connection.end(GOING_AWAY)
