"""Where links arrive: every listener of an agent or a controller, and the sessions that they give."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

import anyio
from anyio.abc import TaskGroup

from ..abc import Caller, Connection, Gateway, Listener, Peer, Service
from ..aio.wall import sleep_until
from ..core.auth import Auth
from ..core.rights import OWNER
from ..errors import Closed, Refused
from ..service.urls import options_for, scheme_for, scheme_of
from .door import Door
from .doors import Doors
from .session import Admit, Attach, Session

__all__ = ["Reception", "owner"]

logger = logging.getLogger("procctl.link")


def owner(peer: Peer) -> Caller:
    """Whoever is at the other end of a link within this program, or of one that we have dialled, is trusted whole."""
    return Caller(name=peer.name or peer.address, identity=peer.identity or "", roles=OWNER)


class Reception:
    """Accepts on listeners and serves each connection as a session of its own.

    Args:
        service: What gateways serve.
        attach: What a peer of a session may talk to.
        door: Gives the door of a place: its URL, or a listener that was ready; None: `Doors`.
        auth: Credentials that listeners know.
    """

    def __init__(
        self,
        service: Service,
        attach: Attach,
        door: Callable[[str, Listener | None], Door] | None = None,
        auth: Auth | None = None,
    ) -> None:
        self._service = service
        self._attach = attach
        self._auth = auth
        self._door = door or Doors(auth)
        self._places: list[str | Listener] = []
        self._listeners: list[tuple[Listener, Door]] = []
        self._group: TaskGroup

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it can be reached."""
        return tuple(url for listener, _ in self._listeners for url in listener.urls)

    def add(self, place: str | Listener) -> None:
        """Serve this one too, from `run` on."""
        self._places.append(place)

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Never returns; cancelled to end all links and close all listeners.

        Raises (before it has started):
            BadConfig: A place cannot be used.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            for place in self._places:
                await self._open(place, stack)
            async with anyio.create_task_group() as self._group:
                for listener, door in self._listeners:
                    self._group.start_soon(self._accept, listener, door.admit)
                task_status.started()
                await anyio.sleep_forever()

    async def _open(self, place: str | Listener, stack: AsyncExitStack) -> None:
        if not isinstance(place, str):
            self._listeners.append((place, self._door("", place)))
            return
        scheme, options = scheme_for(place), options_for(place, self._auth)
        door = self._door(place, None)
        if isinstance(scheme, Gateway):
            listener = await stack.enter_async_context(scheme.serve(place, options, self._service, door))
        else:
            listener = await scheme.listen(place, options)
        self._listeners.append((listener, door))

    async def close(self) -> None:
        """Listen no more."""
        for listener, _ in self._listeners:
            await listener.aclose()

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.close()

    def serve(self, connection: Connection) -> None:
        """Serve one that was made within this program."""
        self._serve(connection, owner, "memory")

    def _serve(self, connection: Connection, admit: Admit, transport: str) -> None:
        def admitted(peer: Peer) -> Caller:
            try:
                caller = admit(peer)
            except Refused as error:
                logger.warning("refused %s on %s: %s", peer.name or peer.address or "a peer", transport, error.message)
                raise
            if caller.until is not None:
                self._group.start_soon(_outlived, session, caller.until)
            return caller

        session = Session(connection, self._attach, admitted, transport)
        self._group.start_soon(session.run)

    async def _accept(self, listener: Listener, admit: Admit) -> None:
        transport = scheme_of(listener.urls[0]) if listener.urls else ""
        while True:
            try:
                connection = await listener.accept()
            except Closed:
                return
            except Exception:
                logger.exception("cannot accept on %s any more", ", ".join(listener.urls))
                return
            self._serve(connection, admit, transport)


async def _outlived(session: Session, until: float) -> None:
    """End a link when its credential has expired."""
    async with anyio.create_task_group() as group:
        group.start_soon(_expire, session, until, group.cancel_scope)
        await session.gone.wait()
        group.cancel_scope.cancel()


async def _expire(session: Session, until: float, scope: anyio.CancelScope) -> None:
    await sleep_until(until)
    session.end("its credential has expired")
    scope.cancel()
