"""Sessions as the kit has them: a listener that serves a service, and what a client asks."""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup

from ..abc import Connection, Listener, Peer, Service
from ..core.messages import Failure, Hello, Welcome
from ..core.rights import OWNER, Caller
from ..errors import Closed
from ..link.session import Session

__all__ = ["Bounded", "Serving", "admit", "refuse"]


class Bounded:
    """A connection whose end cannot take for ever. Attributes: stuck: Whether it would have."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.stuck = False
        self._connection = connection
        self._seconds = seconds

    @property
    def peer(self) -> Peer:
        return self._connection.peer

    @property
    def suspended(self) -> bool:
        return self._connection.suspended

    async def send(self, frame: bytes) -> None:
        await self._connection.send(frame)

    async def receive(self) -> bytes:
        return await self._connection.receive()

    async def aclose(self) -> None:
        with anyio.move_on_after(self._seconds, shield=True) as scope:
            await self._connection.aclose()
        self.stuck = scope.cancelled_caught


class Serving:
    """Accepts, and serves each peer as a session.

    Attributes:
        sessions: All that there have been.
        failed: What `accept` raised, if it was not `Closed`.
    """

    def __init__(self, listener: Listener, service: Service, group: TaskGroup, seconds: float) -> None:
        self.listener = listener
        self.sessions: list[Session] = []
        self.connections: list[Bounded] = []
        self.failed: Exception | None = None
        self._service = service
        self._group = group
        self._seconds = seconds
        self._links = anyio.CancelScope()
        self._idle: anyio.Event

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until the listener is closed, and all links have ended."""
        self._idle = anyio.Event()
        task_status.started()
        with self._links:
            async with anyio.create_task_group() as links:
                while self.failed is None:
                    try:
                        connection = await self.listener.accept()
                    except Closed:
                        break
                    except Exception as error:
                        self.failed = error
                        break
                    bounded = Bounded(connection, self._seconds)
                    session = Session(bounded, self._attach, admit)
                    self.connections.append(bounded)
                    self.sessions.append(session)
                    await links.start(session.run)
        self._idle.set()

    def _attach(self, session: Session, hello: Hello | None) -> tuple[Service, Welcome]:
        return self._service, Welcome(name="tally", role="agent")

    def cut(self) -> None:
        """End all links from this side."""
        for session in self.sessions:
            session.end("cut")

    async def aclose(self) -> None:
        """Listen no more and end all links; returns when they have."""
        with anyio.move_on_after(self._seconds, shield=True):
            await self.listener.aclose()
        self._links.cancel()
        with anyio.CancelScope(shield=True):
            await self._idle.wait()


def admit(peer: Peer) -> Caller:
    """Whoever comes may do everything: who somebody is is not what is checked here."""
    return Caller(name=peer.name, roles=OWNER)


def refuse(session: Session, hello: Hello | None) -> Failure:
    """A client answers nothing."""
    return Failure(code="unknown-command", message="a client answers no commands")
