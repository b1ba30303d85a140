"""The HTTP server: sockets that are bound here, a `Wire` for each connection, an orderly end. No signal handlers."""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketStream, UNIXSocketStream
from anyio.streams.tls import TLSAttribute, TLSStream
from hypercorn.config import Config

from ...aio.block import Block
from ...errors import BadConfig
from ...transports.http.place import Place
from ...transports.http.tls import identity_of
from ...transports.unix import peer_uid
from .wire import Application, Context, Wire

__all__ = ["GRACE", "Server", "bound", "serving"]

logger = logging.getLogger("procctl.gateways.http")

GRACE = 3.0
"""Seconds for requests under way when the server ends."""
HANDSHAKE = 10.0
MOST = 1000
"""Connections at a time, unless said."""
_BACKLOG = 128
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED)


async def bound(place: Place) -> list[socket.socket]:
    """Sockets that listen at a TCP place, one for each address of its host.

    Raises:
        BadConfig: The place cannot be used.
    """
    sockets: list[socket.socket] = []
    port = place.port
    try:
        found = await anyio.getaddrinfo(
            place.host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        for family, kind, proto, _, address in dict.fromkeys(found):
            # the protocol is named: asyncio sets TCP_NODELAY only where it is
            sock = socket.socket(family, kind, proto)
            sockets.append(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
            port = sock.getsockname()[1]
            sock.listen(_BACKLOG)
    except OSError as error:
        for sock in sockets:
            sock.close()
        text = f"cannot listen on {place.url()}: {error.strerror or error}"
        raise BadConfig(text, "port 0 takes any that is free") from None
    return sockets


class Server:
    """Accepts connections and serves each. Made by `serving`.

    Args:
        app: What answers.
        sockets: That listen, of TCP or a unix socket.
        tls: For each connection, or None.
        max_frame: Bytes of the longest message of a WebSocket.
        most: Connections at a time.
    """

    def __init__(
        self, app: Application, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None, max_frame: int, most: int
    ) -> None:
        self._most = most
        self._app = app
        self._sockets = list(sockets)
        self._tls = tls
        self._limit = 4 * max_frame  # what is longer than a frame may be is read and refused; this ends the link
        self._config = Config()
        self._config.errorlog = None
        self._config.include_server_header = False
        self._config.websocket_max_message_size = self._limit
        self._context = Context()
        self._wires: set[Wire] = set()
        self._quiet: anyio.Event | None = None
        self.block = Block("an HTTP server", self._leave)

    def start(self) -> None:
        """Begin to accept."""
        for sock in self._sockets:
            self.block.start_soon(self._accept, sock)

    def stop(self) -> None:
        """Accept no more. Connections live on."""
        for sock in self._sockets:
            if sock.fileno() >= 0:
                anyio.notify_closing(sock)
                sock.close()

    async def _leave(self) -> None:
        self.stop()
        await self._context.terminated.set()
        for wire in list(self._wires):
            wire.hurry()
        if self._wires:
            self._quiet = anyio.Event()
            with anyio.move_on_after(GRACE):
                await self._quiet.wait()

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except BlockingIOError:
                try:
                    await anyio.wait_readable(listening)
                except (anyio.ClosedResourceError, ValueError, OSError):
                    return
                continue
            except OSError as error:
                if listening.fileno() < 0:
                    return
                if error.errno not in _SCARCE:
                    logger.exception("cannot accept any more")
                    return
                logger.warning("cannot accept: %s; trying again", error.strerror)
                await anyio.sleep(0.1)
                continue
            if len(self._wires) >= self._most or self._context.terminated.is_set():
                logger.warning("refused a connection: %d are open; ?connections= allows more", len(self._wires))
                sock.close()
                continue
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:  # only asyncio does that by itself
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.block.start_soon(self._serve, sock)

    async def _serve(self, sock: socket.socket) -> None:
        stream: ByteStream | None = None
        try:
            is_unix = sock.family == socket.AF_UNIX
            identity = _uid(sock) if is_unix else None
            client, ours = (None, None) if is_unix else (_address(sock.getpeername()), _address(sock.getsockname()))
            stream = await (UNIXSocketStream if is_unix else SocketStream).from_socket(sock)
            if self._tls is not None:
                stream, identity = await self._secured(stream, self._tls)
            wire = Wire(stream, self._app, self._config, self._context, self._limit)
            self._wires.add(wire)
            try:
                await wire.run(self._tls is not None, identity, client, ours)
            finally:
                self._wires.discard(wire)
                if not self._wires and self._quiet is not None:
                    self._quiet.set()
        except (OSError, ssl.SSLError, TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            logger.debug("a connection ended: %r", error)
        except Exception:
            logger.exception("a connection ended by a defect")
        finally:
            sock.close()
            if stream is not None:
                await anyio.aclose_forcefully(stream)

    async def _secured(self, stream: ByteStream, tls: ssl.SSLContext) -> tuple[ByteStream, str | None]:
        with anyio.fail_after(HANDSHAKE):
            secured = await TLSStream.wrap(stream, server_side=True, ssl_context=tls, standard_compatible=False)
        certificate: Any = secured.extra(TLSAttribute.peer_certificate, None)
        return secured, identity_of(certificate)


def _address(name: tuple[Any, ...]) -> tuple[str, int]:
    return str(name[0]), int(name[1])


def _uid(sock: socket.socket) -> str | None:
    """Who is at the other end of a unix socket. Raises `PermissionError` for another user than ours and root."""
    uid = peer_uid(sock)
    if uid is not None and uid not in (0, os.geteuid()):
        logger.warning("refused uid %d", uid)
        raise PermissionError(errno.EPERM, "another user")
    return None if uid is None else f"uid:{uid}"


@asynccontextmanager
async def serving(
    app: Application,
    sockets: Sequence[socket.socket],
    *,
    tls: ssl.SSLContext | None = None,
    max_frame: int = 1 << 20,
    most: int = MOST,
) -> AsyncGenerator[Server]:
    """Serve an ASGI application for as long as the block lasts; its lifespan is not run.

    Args:
        app: The application.
        sockets: That listen already; closed at the end.
        tls: The context, where TLS is spoken.
        max_frame: Bytes of the longest message of a WebSocket.
        most: Connections at a time.

    Cancellation: requests under way get `GRACE` seconds, as at the end of the block.
    """
    server = Server(app, sockets, tls, max_frame, most)
    async with server.block:
        server.start()
        yield server
