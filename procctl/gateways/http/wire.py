"""One connection of the HTTP server: hypercorn knows the protocol, this moves its bytes.

hypercorn's own servers, one for asyncio and one for trio, do not tell an application whose certificate the peer has
shown, and wait without a limit for some peers. Its protocols are written against three small interfaces (a group of
tasks, a context, a function that sends), which are given here over anyio, once for both loops.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import h11
from anyio.abc import ByteStream, TaskGroup
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.typing import ConnectionState
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

__all__ = ["Application", "Context", "Wire"]

logger = logging.getLogger("procctl.gateways.http")

Application = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
"""An ASGI application."""

IDLE = 15.0
"""Seconds for a request to come, its headers included."""
STALLED = 60.0
"""Seconds in which a peer has to take a piece of what is sent to it."""
LINGER = 1.0
"""Seconds in which a peer that was answered may go on sending before it is cut."""
_READ = 1 << 14  # what is compressed grows at most a thousandfold: 16 MiB at a time
_PIECE = 1 << 16
FAULTS = (h11.LocalProtocolError, h11.RemoteProtocolError, LocalProtocolError, RemoteProtocolError)
"""What the protocols raise where a peer does not keep to them."""
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class _Event:
    """An event as hypercorn has it."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    async def clear(self) -> None:
        self._event = anyio.Event()

    async def wait(self) -> None:
        await self._event.wait()

    async def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()


class Context:
    """What all connections of a server share. Attributes: terminated: Set when it ends."""

    event_class = _Event
    single_task_class = object  # for QUIC only

    def __init__(self) -> None:
        self.terminate = _Event()
        self.terminated = _Event()

    async def mark_request(self) -> None:
        """Count a request; nobody wants to know."""

    @staticmethod
    async def sleep(wait: float) -> None:
        """See `anyio.sleep`."""
        await anyio.sleep(wait)

    @staticmethod
    def time() -> float:
        """The loop's clock."""
        return anyio.current_time()


class _Tasks:
    """The tasks of one connection, each request's application among them."""

    def __init__(self, group: TaskGroup, identity: str | None, taken: Callable[[bool], None]) -> None:
        self._group = group
        self._identity = identity
        self._taken = taken

    async def spawn_app(
        self, app: Application, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        """Start the application for a request; gives what puts messages for it."""
        sending, receiving = anyio.create_memory_object_stream[Any](config.max_app_queue_size)
        scope["extensions"]["procctl.peer"] = {"identity": self._identity}
        websocket = scope["type"] == "websocket"

        async def put(message: Any) -> None:
            self._taken(websocket)
            # one that has answered does not want the rest
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await sending.send(message)

        async def run() -> None:
            with sending, receiving:
                try:
                    await app(scope, receiving.receive, send)
                except FAULTS as error:
                    logger.debug("a request to %s ended: %r", scope["path"], error)
                except Exception:
                    logger.exception("a request to %s ended by a defect", scope["path"])
                finally:
                    with anyio.CancelScope(shield=True):
                        await send(None)

        self._group.start_soon(run)
        return put

    def spawn(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> None:
        """Start another task."""
        self._group.start_soon(function, *args)


class Wire:
    """One connection, from its acceptance to its end.

    Args:
        stream: To the peer.
        app: What answers.
        config: hypercorn's.
        context: The server's.
        limit: Bytes that a peer may send of one message of a WebSocket.
    """

    def __init__(self, stream: ByteStream, app: Application, config: Config, context: Context, limit: int) -> None:
        self._stream = stream
        self._app = app
        self._config = config
        self._context = context
        self._limit = limit
        self._unread = 0
        self._websocket = False
        self._sending = anyio.Lock()
        self._reading = anyio.CancelScope()
        self._deadline = float("inf")
        self._over = False
        self._answered = False
        self._busy = False
        self._protocol: Any = None

    async def run(self, secure: bool, identity: str | None, client: Any, server: Any) -> None:
        """Serve it. Raises nothing but cancellation, and defects.

        Args:
            secure: Whether TLS is spoken.
            identity: Whom the peer has proven to be, or None.
            client: The peer's host and port, or None.
            server: Ours.
        """
        try:
            async with anyio.create_task_group() as group:
                tasks: Any = _Tasks(group, identity, self._taken)
                app: Any = self._app
                context: Any = self._context
                state = ConnectionState({})
                self._protocol = ProtocolWrapper(
                    app, self._config, context, tasks, state, secure, client, server, self._send, "http/1.1"
                )
                await self._protocol.initiate()
                await self._read()
                await self._protocol.handle(Closed())
                if self._answered:
                    await self._linger()
                await self._close()  # whoever still sends learns it
        finally:
            await self._close()

    def hurry(self) -> None:
        """The server ends: do not wait for another request."""
        if not self._busy:
            self._end()

    async def _read(self) -> None:
        self._wait(IDLE)
        while not self._over:
            data = b""
            # waiting alone is given up: what a protocol has begun to tell an application it must tell
            with anyio.CancelScope(deadline=self._deadline) as self._reading:
                try:
                    data = await self._stream.receive(_READ)
                except (anyio.EndOfStream, *_GONE):
                    return
            self._unread += len(data)
            if not data or (self._websocket and self._unread > self._limit):
                return
            try:
                await self._protocol.handle(RawData(data))
            except FAULTS as error:
                logger.debug("a peer does not speak the protocol: %r", error)
                return

    def _wait(self, seconds: float) -> None:
        self._busy = seconds == float("inf")
        self._deadline = self._reading.deadline = anyio.current_time() + seconds
        if not self._busy and self._context.terminated.is_set():
            self._end()

    def _end(self) -> None:
        self._over = True
        self._reading.cancel()

    def _taken(self, websocket: bool) -> None:
        self._unread = 0
        self._websocket = websocket

    async def _send(self, event: Event) -> None:
        match event:
            case RawData(data=data):
                await self._write(data)
            case Closed():
                self._answered = True
                self._end()
            case Updated(idle=idle):
                self._wait(IDLE if idle else float("inf"))

    async def _write(self, data: bytes) -> None:
        async with self._sending:
            try:
                for start in range(0, len(data), _PIECE):
                    with anyio.fail_after(STALLED):
                        await self._stream.send(data[start : start + _PIECE])
            except (TimeoutError, *_GONE):
                self._end()

    async def _linger(self) -> None:
        """Read what a refused peer still sends: to close on it would take away the answer (RFC 9112, 9.6)."""
        with anyio.move_on_after(LINGER):
            try:
                with contextlib.suppress(NotImplementedError):  # TLS has no half of a connection
                    await self._stream.send_eof()
                while True:
                    await self._stream.receive(_READ)
            except (anyio.EndOfStream, *_GONE):
                return

    async def _close(self) -> None:
        with anyio.move_on_after(LINGER, shield=True):
            try:
                await self._stream.aclose()
            except _GONE:
                return
