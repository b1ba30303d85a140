"""A gate as a Service: permits wait here for people and for displaced holders. Held by whoever is at the top.

Its outputs are performed in order. What comes after a note is done when that is durable; meanwhile more may be decided,
and is put down together with the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ..abc import Caller, Pending
from ..core.approval import PermitRequest, in_the_way
from ..core.events import Now
from ..core.gate import Decided, Gate, GateOut, Note, Revoke, Strike, Wake
from ..core.leases import Inventory, Lease
from ..core.messages import (
    AnyReply,
    Approval,
    Approvals,
    Approve,
    Deny,
    Done,
    Failure,
    Freed,
    Grant,
    HeldForPerson,
    Inbox,
    LeaseExited,
    LeaseOverride,
    LeaseRenew,
    LeaseWithdraw,
    Permit,
    Refusal,
)

__all__ = ["AdmissionRequest", "Doorkeeper", "Notebook", "question_of"]

logger = logging.getLogger("procctl.gate")

AdmissionRequest = Permit | LeaseWithdraw | LeaseExited | LeaseRenew | LeaseOverride | Approvals | Approve | Deny
_TICK = 1.0
"""Seconds between two looks at what has run out, at most."""


class Notebook(Protocol):
    """Where leases are put down."""

    def write(self, batch: Sequence[Note | Strike], done: Callable[[str], None]) -> None:
        """Put all of this down, or nothing; then call `done` with an empty text when it is durable, else with why not.

        Called again only after that.
        """
        ...


class Doorkeeper:
    """Asks the gate and tells those who wait.

    Args:
        gate: Decides.
        now: The present instant.
        later: Calls a function in so many seconds.
        revoke: Has a holder stopped, on somebody's behalf; on nobody's, empty, where its lease is over, and why that
            is.
        notebook: Where leases are put down; None: nowhere.
    """

    def __init__(
        self,
        gate: Gate,
        now: Callable[[], Now],
        later: Callable[[float, Callable[[], None]], None],
        revoke: Callable[[Lease, str, str], None],
        notebook: Notebook | None = None,
    ) -> None:
        self.gate = gate
        self._now = now
        self._later = later
        self._revoke = revoke
        self._notebook = notebook
        self._waiting: dict[str, list[tuple[Pending, bool]]] = {}  # by question: who, and whether with patience
        self._told: dict[str, str] = {}  # why each question waits, as it was told last
        self._todo: list[GateOut | Callable[[], None]] = []
        self._writing = False
        self._unstruck: list[Strike] = []
        self._ticking = False

    def submit(self, request: AdmissionRequest, caller: Caller, run: str = "", hostname: str = "") -> Pending:
        """Take a request; see `procctl.abc.Service.submit`."""
        match request:
            case Permit():
                return self._permit(request, caller, run)
            case LeaseWithdraw(rid=rid):
                self._tell(rid, Decided(rid, denied="it was withdrawn"))
                return self._done(self.gate.withdraw(rid, self._now()))
            case LeaseExited(token=token, slot=slot):
                return self._done(self.gate.release(token, self._now(), hostname, slot))
            case LeaseRenew(asked=asked, tokens=tokens, rids=rids):
                return Pending.of(self.gate.renew(hostname, asked, tokens, rids, self._now()))
            case LeaseOverride():
                return self._override(request, caller)
            case Approvals():
                return Pending.of(Inbox(approvals=self._inbox()))
            case Approve() | Deny():
                return Pending.of(self._answer(request, caller))

    def adopt(self, inventory: Inventory) -> None:
        """A host has (re)joined."""
        self.perform(self.gate.adopt(inventory, self._now()))
        self._told = {rid: why for rid, why in self._told.items() if rid in self.gate.open}
        for lease, by in self.gate.revoking(inventory.hostname):
            self._revoke(lease, by, "")

    def explain(self, hostname: str) -> None:
        """A host has been lost, or is back."""
        self.perform(self.gate.explain(hostname))

    @property
    def busy(self) -> bool:
        """Whether something is being put down."""
        return self._writing

    # performing -------------------------------------------------------------------------------------------------

    def perform(self, outs: Sequence[GateOut | Callable[[], None]]) -> None:
        """Do what the gate has decided."""
        self._todo += outs
        if not self._writing:
            self._go_on()
        if self.gate.book.until and not self._ticking:
            self._ticking = True
            self._later(self._pause, self._tick)

    def _go_on(self) -> None:
        while self._todo and not self._writing:
            todo, self._todo = self._todo, []
            batch = [out for out in todo if isinstance(out, Note | Strike)]
            rest = [out for out in todo if not isinstance(out, Note | Strike)]
            if not batch or self._notebook is None:
                self._do(rest)
                continue
            self._writing = True
            self._notebook.write((*self._unstruck, *batch), partial(self._written, batch, rest))

    def _written(self, batch: Sequence[Note | Strike], rest: Sequence[GateOut | Callable[[], None]], why: str) -> None:
        """It is put down; or it is not, and whoever would have got something does not."""
        self._writing = False
        if not why:
            self._unstruck.clear()
            self._do(rest)
            self._go_on()
            return
        logger.error("leases cannot be put down, and none is given: %s", why)
        self._unstruck += [out for out in batch if isinstance(out, Strike)]
        notes = [out for out in batch if isinstance(out, Note)]
        given = {note.lease.token for note in notes if note.given}
        marked = {note.lease.token for note in notes if note.lease.revoked}
        outs = self.gate.unwritten(notes, why, self._now())
        self._todo = [out for out in self._todo if not _rests_on(out, given, set())]
        self._do([out for out in rest if not _rests_on(out, given, marked)])
        self.perform(outs)
        self._later(_TICK, self._strike_again)

    def _strike_again(self) -> None:
        """What has ended is put down, if nothing else has taken it along."""
        if self._unstruck and not self._writing:
            again, self._unstruck = self._unstruck, []
            self.perform(again)

    def _do(self, outs: Sequence[GateOut | Callable[[], None]]) -> None:
        for out in outs:
            match out:
                case Decided(rid):
                    self._tell(rid, out)
                case Revoke(lease, by, why):
                    if why:
                        logger.warning("%s on %s has to end: %s", lease.slot, lease.hostname, why)
                    self._revoke(lease, by, why)
                case Wake(rid, after):
                    self._later(after, partial(self._expire, rid))
                case Note() | Strike():
                    pass
                case _:
                    out()

    def _expire(self, rid: str) -> None:
        self.perform(self.gate.expire(rid, self._now()))

    @property
    def _pause(self) -> float:
        return _TICK if self.gate.terms is None else min(_TICK, self.gate.terms.ttl / 30)

    def _tick(self) -> None:
        self._ticking = False
        self.perform(self.gate.tick(self._now()))

    def _done(self, outs: list[GateOut]) -> Pending:
        """Answered when it is done."""
        pending = Pending()
        self.perform([*outs, lambda: pending.settle(Done())])
        return pending

    # questions ----------------------------------------------------------------------------------------------------

    def _permit(self, request: Permit, caller: Caller, run: str) -> Pending:
        pending = Pending()
        self._waiting.setdefault(request.rid, []).append((pending, request.patient))
        self.perform(self.gate.permit(question_of(request, caller), self._now(), run))
        return pending

    def _tell(self, rid: str, decided: Decided) -> None:
        """Who is patient is told that it still waits only where the reason is another one than it has heard."""
        waiting = self._waiting.pop(rid, [])
        known = self._told.pop(rid, "")
        patient = [entry for entry in waiting if entry[1]] if decided.held and decided.held == known else []
        if patient:
            self._waiting[rid] = patient
        if decided.held:
            self._told[rid] = decided.held
        reply = self._reply(decided)
        for entry in waiting:
            if entry not in patient:
                entry[0].settle(reply)

    def _reply(self, decided: Decided) -> Grant | Refusal | HeldForPerson:
        lease, holder, epoch = decided.lease, decided.holder, self.gate.epoch
        if lease is not None:
            return Grant(token=lease.token, epoch=epoch, asked=lease.asked, ttl=lease.ttl)
        if decided.held:
            return HeldForPerson(why=decided.held, queued=decided.queued)
        if holder is None:
            return Refusal(why=decided.denied, epoch=epoch)
        return Refusal(
            why=decided.denied,
            holder=holder.uuid,
            hostname=holder.hostname,
            pid=decided.pid,
            since=holder.at,
            epoch=epoch,
        )

    # people -------------------------------------------------------------------------------------------------------

    def _override(self, request: LeaseOverride, caller: Caller) -> Pending:
        held = self.gate.holders_on(request.slot, request.hostname)
        if not held:
            text, hint = self.gate.nobody(request.slot, request.hostname)
            return Pending.of(Failure(code="no-such-target", message=text, hint=hint))
        holders = tuple(map(self.gate.holder, held))
        there = [one for one in holders if one.responds]
        if request.dry:
            return Pending.of(Freed(holders=holders))
        if there and not request.force:
            host = there[0].hostname
            text = f"{in_the_way(held[holders.index(there[0])], self.gate.fleet)}, and {host} responds"
            hint = f"procctl stop {host}/{request.slot} ends it and frees the slot"
            return Pending.of(Failure(code="still-running", message=text, hint=hint))
        freed, outs = self.gate.override(request.slot, request.hostname, str(caller), self._now())
        for lease in freed:
            logger.warning(
                "%s says that %s on %s has ended: lease %d is free", caller, lease.slot, lease.hostname, lease.token
            )
        pending = Pending()
        self.perform([*outs, lambda: pending.settle(Freed(holders=holders))])
        return pending

    def _inbox(self) -> tuple[Approval, ...]:
        now = self._now()
        return tuple(
            Approval(
                approval=rid,
                name=question.request.slot,
                hostname=question.request.hostname,
                uuid=question.request.uuid,
                asker=str(question.request.caller),
                since=question.since,
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


def _rests_on(out: GateOut | Callable[[], None], given: set[int], marked: set[int]) -> bool:
    """Whether this was to be done on the strength of a note that is not there: of a lease that was to be given, or of
    the intent to have it ended."""
    match out:
        case Decided(lease=lease):
            return lease is not None and lease.token in given
        case Note(lease=lease):
            return lease.token in given
        case Revoke(lease=lease):
            return lease.token in given or lease.token in marked
    return False


def question_of(request: Permit, caller: Caller) -> PermitRequest:
    """The question that policies see."""
    return PermitRequest(
        rid=request.rid,
        slot=request.slot,
        uuid=request.uuid,
        hostname=request.hostname,
        mode=request.mode,
        scope=request.scope,
        level=request.level,
        group=request.group,
        caller=caller,
        standby=request.standby,
        asked=request.asked,
        boot=request.boot,
    )
