"""The controller as one agent sees it: its hello has bound the link to a host, and what it says is about that host."""

from __future__ import annotations

from typing import Protocol

from attrs import evolve

from ..abc import Call, Caller, Items, Pending
from ..core.leases import Inventory
from ..core.messages import (
    AnyStream,
    Done,
    Goodbye,
    Heard,
    Heartbeat,
    Hello,
    LeaseExited,
    LeaseRenew,
    LeaseWithdraw,
    Permit,
)
from ..core.pace import HEAVY
from ..core.replies import NOTHING_NEW
from ..link.consultant import Entrance
from ..link.session import Session

__all__ = ["Above", "AgentLink"]


_QUIET = Pending.of(NOTHING_NEW)
LATE = 1.5
"""Intervals between heartbeats; after three of them a link is over in any case."""


class Above(Protocol):
    """What a link needs of its controller."""

    entrance: Entrance

    def heard(self, link: AgentLink, beat: Heartbeat) -> Heard: ...
    def left(self, link: AgentLink) -> None: ...
    def submit(self, call: Call) -> Pending: ...
    def stream(self, request: AnyStream, caller: Caller) -> Items: ...


class AgentLink:
    """Args:
        host: The host that this link speaks for.
        epoch: Which run of its agent.
        often: The agent does not want to be heard more often; 0: it has promised nothing.

    Attributes:
        every: Seconds between its heartbeats, as it was told.
        step: The size of the fleet for which that was, see `procctl.core.pace`.
    """

    def __init__(self, above: Above, session: Session, host: str, epoch: str, often: float = 0.0) -> None:
        self.session = session
        self.host = host
        self.epoch = epoch
        self.often = often
        self.every = often
        self.step = -1
        self._above = above

    @property
    def quiet(self) -> bool:
        """Whether nothing has come for longer than from one heartbeat to the next: who was there may be so no more."""
        overdue = self.every > 0 and self.session.silent > LATE * self.every
        return overdue or self.session.gone.is_set()

    @property
    def weight(self) -> int:
        """For how many agents it counts, see `procctl.core.pace`."""
        return 1 if self.session.prompt else HEAVY

    def submit(self, call: Call) -> Pending:
        match call.request:
            case Heartbeat() as beat:
                heard = self._above.heard(self, beat)
                return _QUIET if heard is NOTHING_NEW else Pending.of(heard)
            case Permit() as permit:
                # an agent asks for its own host and no other, and its numbers are its own
                bound = evolve(permit, hostname=self.host, rid=self._number(permit.rid))
                return self._above.entrance.submit(bound, call.caller, self.epoch)
            case LeaseWithdraw(rid=rid):
                return self._above.entrance.submit(LeaseWithdraw(rid=self._number(rid)), call.caller, self.epoch)
            case LeaseExited() as exited:
                return self._above.entrance.submit(exited, call.caller, self.epoch, self.host)
            case LeaseRenew(rids=rids) as renew:
                bound_too = evolve(renew, rids=tuple(map(self._number, rids)))
                return self._above.entrance.submit(bound_too, call.caller, self.epoch, self.host)
            case Goodbye():
                self._above.left(self)
                return Pending.of(Done())
        return self._above.submit(call)

    def inventory(self, hello: Hello) -> Inventory:
        """What its hello says that it holds."""
        return Inventory(
            hostname=self.host,
            run=hello.epoch,
            leases=tuple(evolve(lease, rid=self._number(lease.rid) if lease.rid else "") for lease in hello.leases),
            rids=tuple(map(self._number, hello.rids)),
            asked=hello.asked,
            boot=hello.boot,
            knows=hello.knows,
        )

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        return self._above.stream(request, caller)

    def _number(self, rid: str) -> str:
        return f"{self.host}/{rid}"
