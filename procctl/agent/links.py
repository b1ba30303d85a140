"""An agent's links: those who control it, and the controller that it has joined. Loaded where there are any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from ..abc import Connection, Joinable, Listener, Service
from ..aio.block import Block
from ..core.auth import Auth
from ..core.messages import Failure, Hello, Welcome

if TYPE_CHECKING:
    from ..link.line import Line
    from ..link.reception import Reception
    from ..link.session import Session

__all__ = ["HEARTBEAT", "Above", "Links", "Places"]

HEARTBEAT = 5.0
"""Seconds between signs of life on the link to a controller."""


@frozen
class Above:
    """The controller to join.

    Attributes:
        where: Its URL, or itself.
        token: A bearer's credential, or empty.
        auth: The file of one.
        awaited: Whether it has to be there from the beginning.
    """

    where: str | Joinable
    token: str = field(default="", repr=False)
    auth: Auth | None = None
    awaited: bool = True

    @property
    def name(self) -> str:
        """For people."""
        return self.where if isinstance(self.where, str) else self.where.name


@frozen
class Places:
    """Where an agent listens. Attributes: urls: URLs, or listeners. auth: Credentials that they know."""

    urls: Sequence[str | Listener] = ()
    auth: Auth | None = None


class Links:
    """All links of one agent.

    Args:
        welcome: For peers.
        service: What they talk to.
        hello: Gives our word to a controller, with the heartbeat that we want.
        joined: Told of each new link to it.
        spread, roll: See `procctl.link.line.Line`.
    """

    def __init__(
        self,
        welcome: Welcome,
        service: Service,
        hello: Callable[[float], Hello],
        joined: Callable[[Session], None],
        spread: Callable[[], float],
        roll: Callable[[], float],
    ) -> None:
        self._welcome = welcome
        self._service = service
        self._hello = hello
        self._joined = joined
        self._spread = spread
        self._roll = roll
        self._reception: Reception | None = None
        self._line: Line | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it listens."""
        return () if self._reception is None else self._reception.urls

    def line(self, above: Above) -> Line:
        """The line to a controller; it is up from `open` on."""
        from ..link.line import Line
        from ..link.reception import owner
        from ..link.tokens import bearer, with_token
        from ..service.urls import options_for, transport_for

        where = above.where
        shown = bearer(where, above.token, above.auth) if isinstance(where, str) else lambda: above.token

        async def dial() -> Connection:
            if isinstance(where, str):
                options = options_for(where, above.auth) | with_token(shown())
                return await transport_for(where).connect(where, self._welcome.name, options)
            return await where.dial(self._welcome.name)

        self._line = Line(
            dial,
            lambda: evolve(self._hello(HEARTBEAT), token=shown()),
            self._attach,
            patience=float("inf"),
            joined=lambda session, welcome: self._joined(session),
            admit=owner,
            spread=self._spread,
            roll=self._roll,
            at_once=not above.awaited,
            called=f"the controller {above.name}",
        )
        return self._line

    async def open(self, places: Places, block: Block) -> None:
        """Listen and join."""
        if places.urls:
            from ..link.reception import Reception

            self._reception = Reception(self._service, self._attach, auth=places.auth)
            for place in places.urls:
                self._reception.add(place)
            await block.start(self._reception.run)
        if self._line is not None:
            await block.start(self._line.run)

    async def farewell(self) -> None:
        """Leave the controller on purpose."""
        if self._line is not None:
            await self._line.farewell()

    async def close(self) -> None:
        """Listen no more; links end when their tasks are cancelled."""
        if self._reception is not None:
            await self._reception.close()

    def _attach(self, session: Session, hello: Hello | None) -> tuple[Service, Welcome] | Failure:
        if hello is not None and hello.role == "agent":
            text = f"{self._welcome.name} is an agent, not a controller"
            return Failure(code="bad-request", message=text, hint="join a controller")
        return self._service, self._welcome
