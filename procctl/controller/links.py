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
    Heartbeat,
    Hello,
    LeaseExited,
    LeaseRenew,
    LeaseWithdraw,
    Permit,
)
from ..link.doorkeeper import Doorkeeper
from ..link.session import Session

__all__ = ["Above", "AgentLink"]


class Above(Protocol):
    """What a link needs of its controller."""

    door: Doorkeeper

    def heard(self, host: str, beat: Heartbeat) -> None: ...
    def left(self, host: str) -> None: ...
    def submit(self, call: Call) -> Pending: ...
    def stream(self, request: AnyStream, caller: Caller) -> Items: ...


class AgentLink:
    """Args: host: The host that this link speaks for. epoch: Which run of its agent."""

    def __init__(self, above: Above, session: Session, host: str, epoch: str) -> None:
        self.session = session
        self.host = host
        self.epoch = epoch
        self._above = above

    def submit(self, call: Call) -> Pending:
        match call.request:
            case Heartbeat() as beat:
                self._above.heard(self.host, beat)
                return Pending.of(Done())
            case Permit() as permit:
                # an agent asks for its own host and no other, and its numbers are its own
                bound = evolve(permit, hostname=self.host, rid=self._number(permit.rid))
                return self._above.door.submit(bound, call.caller, self.epoch)
            case LeaseWithdraw(rid=rid):
                return self._above.door.submit(LeaseWithdraw(rid=self._number(rid)), call.caller, self.epoch)
            case LeaseExited() as exited:
                return self._above.door.submit(exited, call.caller, self.epoch, self.host)
            case LeaseRenew(rids=rids) as renew:
                bound_too = evolve(renew, rids=tuple(map(self._number, rids)))
                return self._above.door.submit(bound_too, call.caller, self.epoch, self.host)
            case Goodbye():
                self._above.left(self.host)
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
