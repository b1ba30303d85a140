"""A gate as a Service: permits wait here for people and for displaced holders. Held by whoever is at the top.

Its outputs are performed in order, in the call that causes them.
"""

from __future__ import annotations

from collections.abc import Callable

from ..abc import Caller, Pending
from ..core.approval import PermitRequest
from ..core.events import Now
from ..core.gate import Decided, Gate, GateOut, Revoke, Wake
from ..core.leases import Lease
from ..core.messages import (
    AnyReply,
    Approval,
    Approvals,
    Approve,
    Deny,
    Done,
    Failure,
    Grant,
    HeldForPerson,
    Inbox,
    LeaseExited,
    LeaseWithdraw,
    Permit,
    Refusal,
)

__all__ = ["AdmissionRequest", "Doorkeeper"]

AdmissionRequest = Permit | LeaseWithdraw | LeaseExited | Approvals | Approve | Deny


class Doorkeeper:
    """Asks the gate and tells those who wait.

    Args:
        gate: Decides.
        now: The present instant.
        later: Calls a function in so many seconds.
        revoke: Has a holder stopped, on somebody's behalf.
    """

    def __init__(
        self,
        gate: Gate,
        now: Callable[[], Now],
        later: Callable[[float, Callable[[], None]], None],
        revoke: Callable[[Lease, str], None],
    ) -> None:
        self.gate = gate
        self._now = now
        self._later = later
        self._revoke = revoke
        self._waiting: dict[str, Pending] = {}
        self._patient: set[str] = set()

    def submit(self, request: AdmissionRequest, caller: Caller, epoch: str = "", hostname: str = "") -> Pending:
        """Take a request; see `procctl.abc.Service.submit`."""
        match request:
            case Permit():
                return self._permit(request, caller, epoch)
            case LeaseWithdraw(rid=rid):
                self._waiting.pop(rid, None)
                self.perform(self.gate.withdraw(rid, self._now()))
            case LeaseExited(token=token):
                self.perform(self.gate.release(token, self._now(), hostname))
            case Approvals():
                return Pending.of(Inbox(approvals=self._inbox()))
            case Approve() | Deny():
                return Pending.of(self._answer(request, caller))
        return Pending.of(Done())

    def perform(self, outs: list[GateOut]) -> None:
        """Do what the gate has decided."""
        for out in outs:
            match out:
                case Decided(rid):
                    self._tell(rid, out)
                case Revoke(lease, by):
                    self._revoke(lease, by)
                case Wake(rid, after):
                    self._later(after, lambda rid=rid: self.perform(self.gate.expire(rid, self._now())))  # type: ignore[misc]

    def _permit(self, request: Permit, caller: Caller, epoch: str) -> Pending:
        pending = self._waiting[request.rid] = Pending()  # a second asker takes over: it is the first, reconnected
        (self._patient.add if request.patient else self._patient.discard)(request.rid)
        question = PermitRequest(
            rid=request.rid,
            slot=request.slot,
            uuid=request.uuid,
            hostname=request.hostname,
            mode=request.mode,
            scope=request.scope,
            group=request.group,
            caller=caller,
        )
        self.perform(self.gate.permit(question, self._now(), epoch))
        return pending

    def _tell(self, rid: str, decided: Decided) -> None:
        if decided.held and rid in self._patient:
            return
        pending = self._waiting.pop(rid, None)
        if pending is not None:
            self._patient.discard(rid)
            pending.settle(_reply(decided))

    def _inbox(self) -> tuple[Approval, ...]:
        now = self._now()
        return tuple(
            Approval(
                approval=rid,
                name=question.request.slot,
                hostname=question.request.hostname,
                uuid=question.request.uuid,
                asker=str(question.request.caller),
                since=question.asked,
                mode=question.request.mode,
                until=None if question.deadline is None else now.wall + question.deadline - now.boot,
            )
            for rid, question in self.gate.open.items()
            if question.for_a_person
        )

    def _answer(self, request: Approve | Deny, caller: Caller) -> AnyReply:
        question = self.gate.open.get(request.approval)
        if question is None or not question.for_a_person:
            text = f"no approval {request.approval!r} is open"
            return Failure(code="no-such-target", message=text, hint="procctl approvals shows them")
        denied = request.reason if isinstance(request, Deny) else None
        self.perform(self.gate.answer(request.approval, str(caller), self._now(), denied))
        return Done()


def _reply(decided: Decided) -> Grant | Refusal | HeldForPerson:
    if decided.lease is not None:
        return Grant(token=decided.lease.token)
    if decided.held:
        return HeldForPerson(why=decided.held)
    holder = decided.holder
    if holder is None:
        return Refusal(why=decided.denied)
    return Refusal(why=decided.denied, holder=holder.uuid, hostname=holder.hostname)
