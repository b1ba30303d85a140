"""What the schemes ``http``, ``https`` and ``http+unix`` stand for: the gateway where one listens, the WebSocket
transport where one connects. The server's libraries are loaded when something listens."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from attrs import field, frozen

from ...abc import Connection, Door, Listener, Service, Traits
from ...errors import BadConfig, Unsupported
from ...transports.http.place import LISTEN, Place, checked, place_of
from ...transports.unix import MAX_FRAME, frame_size, listening

if TYPE_CHECKING:
    from .server import Server

__all__ = ["HttpGateway", "http", "http_unix", "https"]

logger = logging.getLogger("procctl.gateways.http")

EXTRA = "pip install 'procctl[http]'"
MOST_CONNECTIONS = 1_000_000


class HttpGateway:
    """See `procctl.abc.Gateway` and `procctl.abc.Transport`.

    Args:
        schemes: Of its URLs.
        traits: What may be expected of them.
    """

    def __init__(self, schemes: tuple[str, ...], traits: Traits) -> None:
        self.schemes = schemes
        self.traits = traits

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> Connection:
        """Reach a listener by a WebSocket. Options: ``ca``, ``cert`` and ``key``, and a caller's ``token``.

        Raises:
            PeerGone: Nobody is there.
            Denied: It wants a credential, or another.
            BadConfig: The URL cannot be used.
        """
        try:
            from ...transports.http.client import connect
        except ImportError as error:
            raise Unsupported(f"to connect by HTTP needs {error.name or error}", EXTRA) from error
        return await connect(url, name, options)

    def serve(
        self, url: str, options: Mapping[str, str], service: Service, door: Door
    ) -> AbstractAsyncContextManager[Listener]:
        """Listen. Options: ``host`` (more names, separated by commas), ``cert`` and ``key``, ``ca`` for mutual TLS,
        ``max_frame``, ``connections``.

        Raises (on entry):
            BadConfig: The place cannot be used.
            Unsupported: A library is missing.
        """
        return self._serve(url, options, service, door)

    @asynccontextmanager
    async def _serve(
        self, url: str, options: Mapping[str, str], service: Service, door: Door
    ) -> AsyncGenerator[Listener]:
        try:
            from ...transports.http.arrivals import Arrivals
            from ...transports.http.tls import server_context
            from .app import application
            from .guard import names_of
            from .server import MOST, serving
        except ImportError as error:
            raise Unsupported(f"to listen by HTTP needs {error.name or error}", EXTRA) from error
        options = checked(url, options, LISTEN)
        place = _place(url, options)
        tls = server_context(url, options) if place.secure else None
        max_frame = frame_size(options.get("max_frame"), url)
        most = _most(options.get("connections", str(MOST)), url)
        held = await _held(place)
        server: Server | None = None

        def close() -> None:
            if server is not None:
                server.stop()
            held.release()

        try:
            arrivals = Arrivals((place.url(held.port),), self.traits, max_frame, close)
            app, desk = application(service, door, arrivals, names_of(place, options), max_frame)
            async with serving(app, held.sockets, tls=tls, max_frame=max_frame, most=most) as server:
                try:
                    yield arrivals
                finally:
                    desk.close()
                    with anyio.CancelScope(shield=True):
                        await arrivals.aclose()
        finally:
            close()


def _place(url: str, options: Mapping[str, str]) -> Place:
    place = place_of(url)
    if not place.secure and "cert" in options:
        raise BadConfig(f"{url!r} has a certificate and no TLS", "begin it with https://")
    if place.prefix:
        raise BadConfig(f"{url!r} has a path", "a listener is at the root; a proxy may put it below a path")
    return place


def _most(text: str, url: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CONNECTIONS:
        raise BadConfig(f"connections={text} in {url!r}", f"expected a number, 1 to {MOST_CONNECTIONS}")
    return int(text)


@frozen
class _Held:
    """Sockets that listen, and what they hold of the file system."""

    sockets: list[socket.socket]
    undo: list[Callable[[], None]] = field(factory=list)

    @property
    def port(self) -> int | None:
        """The port as it has become; None: there is none."""
        return None if self.undo else int(self.sockets[0].getsockname()[1])

    def release(self) -> None:
        """Close them, and free the path; twice is fine."""
        for sock in self.sockets:
            sock.close()
        while self.undo:
            self.undo.pop()()


async def _held(place: Place) -> _Held:
    from .server import bound

    if not place.unix:
        return _Held(await bound(place))
    sock, lock = listening(place.unix)
    return _Held([sock], [lambda: os.close(lock), lambda: Path(place.unix).unlink(missing_ok=True)])


http = HttpGateway(("http",), Traits(max_frame=MAX_FRAME))
"""Over TCP: whoever comes needs a credential."""
https = HttpGateway(("https",), Traits(identity=True, max_frame=MAX_FRAME))
"""Over TLS: a certificate may be the credential."""
http_unix = HttpGateway(("http+unix",), Traits(owner=True, identity=True, max_frame=MAX_FRAME))
"""Over a unix socket that only its owner can use, and that no browser can reach."""
