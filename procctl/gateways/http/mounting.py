"""The gateway as an ASGI application for somebody else's server, below a path of theirs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from ...abc import Door, Service, Traits
from ...transports.http.arrivals import Arrivals
from ...transports.unix import MAX_FRAME
from .app import application

__all__ = ["Links", "Mounted", "asgi", "lifespan"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Links(Arrivals):
    """A listener for links that arrive at a mounted application: ``Controller(listen=[links])``, ``asgi(…,
    links=links)``.

    Args:
        url: Where it can be reached, for people: ``https://example.com/procctl``.
        max_frame: Bytes of the longest frame that is taken.
    """

    def __init__(self, url: str = "", max_frame: int = MAX_FRAME) -> None:
        traits = Traits(identity=True, max_frame=max_frame)
        super().__init__((url,) if url else (), traits, max_frame)


class Mounted:
    """The application that `asgi` makes."""

    def __init__(self, app: ASGIApp, close: Callable[[], None]) -> None:
        self._app = app
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        await self._app(scope, receive, send)

    def close(self) -> None:
        """Streams end now; what is asked from now on is answered as ever."""
        self._close()


def asgi(
    service: Service,
    *,
    door: Door,
    hosts: Iterable[str] = (),
    links: Arrivals | None = None,
    max_body: int = MAX_FRAME,
) -> Mounted:
    """An ASGI application with everything that a listener of ``http://`` has, to mount in FastAPI or Starlette.

    Args:
        service: An agent, a controller, or the service behind another link.
        door: Says on whose word requests are answered: see `procctl.link.door.Door`.
        hosts: Names under which it is reached, beside those of loopback.
        links: Where WebSockets at ``/link`` go; None: there are none.
        max_body: Bytes of the longest body that is taken.

    A mounted application's lifespan is not run by anybody: see `lifespan`.
    """
    names = frozenset((*_LOOPBACK, *(host.lower() for host in hosts)))
    app, desk = application(service, door, links, names, max_body)
    return Mounted(app, desk.close)


def lifespan(
    *blocks: AbstractAsyncContextManager[Any] | Mounted,
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """What the outer application takes as its ``lifespan``: it runs agents and controllers, and ends the streams of
    mounted applications before it leaves them.

    Args:
        blocks: Agents and controllers, entered in this order, and mounted applications.
    """

    @asynccontextmanager
    async def whole(app: Any) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for block in blocks:
                if not isinstance(block, Mounted):
                    await stack.enter_async_context(block)
            try:
                yield
            finally:
                for block in blocks:
                    if isinstance(block, Mounted):
                        block.close()

    return whole
