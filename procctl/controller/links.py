"""The controller as one agent sees it: its hello has bound the link to a host, and what it says is about that host."""

from __future__ import annotations

from typing import Protocol

from attrs import evolve

from ..abc import Call, Caller, Items, Pending
from ..core.messages import (
    AnyStream,
    Done,
    Goodbye,
    Heartbeat,
    LeaseExited,
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
            case Goodbye():
                self._above.left(self.host)
                return Pending.of(Done())
        return self._above.submit(call)

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        return self._above.stream(request, caller)

    def _number(self, rid: str) -> str:
        return f"{self.host}/{rid}"
