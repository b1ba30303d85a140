"""Admission at the top: who may run. Open questions, leases, a person's answer. Pure.

`approval.decide` answers one question at one moment; but a question may wait for a person, or until a displaced
holder has ended, so somebody has to remember it. Tokens are kept in memory and do not expire here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from attrs import frozen

from .approval import Ask, Deny, Displace, PermitRequest, Policy, View, decide, effective_mode
from .events import Now
from .leases import Lease
from .specs import Mode
from .value import Value, evolve

__all__ = ["Decided", "Gate", "GateOut", "Question", "Revoke", "Wake"]

REMEMBERED = 4096
"""Refusals that are remembered by their question."""


@frozen(eq=False, repr=False)
class Decided(Value):
    """The answer to a question: a lease, or a refusal, or that a person was asked (`held`, not final)."""

    rid: str
    lease: Lease | None = None
    denied: str = ""
    holder: Lease | None = None
    held: str = ""


@frozen(eq=False, repr=False)
class Revoke(Value):
    """Have this holder stopped; its release will come."""

    lease: Lease
    by: str


@frozen(eq=False, repr=False)
class Wake(Value):
    """Call `Gate.expire` with this rid after so many seconds."""

    rid: str
    after: float


GateOut = Decided | Revoke | Wake


@frozen(kw_only=True, eq=False, repr=False)
class Question(Value):
    """An open question.

    Attributes:
        request: What was asked.
        asked: `Now.wall` of the asking.
        epoch: Which run of the agent asks.
        waits_for: Tokens to be released first; empty: it waits for a person.
        deadline: `Now.boot` after which a person's silence is a denial, or None.
    """

    request: PermitRequest
    asked: float
    epoch: str = ""
    waits_for: frozenset[int] = frozenset()
    deadline: float | None = None

    @property
    def for_a_person(self) -> bool:
        """Whether a person has to answer it."""
        return not self.waits_for


class Gate:
    """Leases by token, open questions by rid.

    Args:
        policies: See `approval.decide`.
        fleet: What policies can look up.
        token: The last token that was ever given; tokens only grow.
    """

    def __init__(self, policies: Sequence[Policy], fleet: View, token: int = 0) -> None:
        self._policies = tuple(policies)
        self._fleet = fleet
        self._token = token
        self.leases: dict[int, Lease] = {}
        self.open: dict[str, Question] = {}
        self._by_slot: dict[str, dict[int, Lease]] = {}
        self._by_rid: dict[str, Lease] = {}
        self._numbers: dict[tuple[str, int], int] = {}  # of adopted leases whose own number was taken
        self._refused: OrderedDict[str, Decided] = OrderedDict()

    def permit(self, request: PermitRequest, now: Now, epoch: str = "") -> list[GateOut]:
        """Somebody asks. Asking again with the same rid gives the same answer and changes nothing."""
        given = self._by_rid.get(request.rid)
        if given is not None:
            return [Decided(request.rid, lease=given)]
        refused = self._refused.get(request.rid)
        if refused is not None:
            return [refused]
        known = self.open.get(request.rid)
        if known is not None:
            return [Decided(request.rid, held=_held(known))] if known.for_a_person else []
        return self._decide(Question(request=request, asked=now.wall, epoch=epoch), self._policies, now)

    def withdraw(self, rid: str, now: Now) -> list[GateOut]:
        """The question is not asked any more; if it was answered with a lease, that lease ends."""
        self.open.pop(rid, None)
        given = self._by_rid.get(rid)
        return [] if given is None else self.release(given.token, now)

    def release(self, token: int, now: Now, hostname: str = "") -> list[GateOut]:
        """A holder has ended. Unknown tokens are ignored: a release may come twice."""
        token = self._numbers.get((hostname, token), token)
        lease = self.leases.get(token)
        if lease is None or (hostname and lease.hostname != hostname):
            return []
        self._remove(lease)
        return self._free({token}, now)

    def _remove(self, lease: Lease) -> None:
        token = lease.token
        del self.leases[token]
        for alias in [alias for alias, number in self._numbers.items() if number == token]:
            del self._numbers[alias]
        del self._by_slot[lease.slot][token]
        if not self._by_slot[lease.slot]:
            del self._by_slot[lease.slot]
        self._by_rid.pop(lease.rid, None)

    def _free(self, tokens: set[int], now: Now) -> list[GateOut]:
        """These are out no more: who waited for the last of them is decided."""
        out: list[GateOut] = []
        for rid, question in list(self.open.items()):
            if question.waits_for & tokens:
                left = evolve(question, waits_for=question.waits_for - tokens)
                self.open[rid] = left
                if not left.waits_for:
                    del self.open[rid]
                    out += self._decide(left, (), now)
        return out

    def answer(self, rid: str, by: str, now: Now, deny: str | None = None) -> list[GateOut]:
        """A person answers; with `deny` the reason of a refusal. The modes are looked at again: minutes have passed."""
        question = self.open.get(rid)
        if question is None or not question.for_a_person:
            return []
        del self.open[rid]
        if deny is not None:
            return [self._refuse(Decided(rid, denied=f"{by} denied it" + (f": {deny}" if deny else "")))]
        return self._decide(question, (), now)

    def expire(self, rid: str, now: Now) -> list[GateOut]:
        """A person's time may be over."""
        question = self.open.get(rid)
        if question is None or question.deadline is None or now.boot < question.deadline:
            return []
        del self.open[rid]
        return [self._refuse(Decided(rid, denied="nobody answered in time"))]

    def adopt(self, hostname: str, epoch: str, leases: Sequence[Lease], now: Now) -> list[GateOut]:
        """A host (re)joins and says what it holds: that stays held, whatever else it held is released."""
        told = {self._numbers.get((hostname, lease.token), lease.token) for lease in leases}
        for rid, question in list(self.open.items()):
            if question.request.hostname == hostname and question.epoch != epoch:
                del self.open[rid]
        gone = [lease for lease in self.leases.values() if lease.hostname == hostname and lease.token not in told]
        for lease in gone:
            self._remove(lease)
        for lease in leases:
            known = self.leases.get(self._numbers.get((hostname, lease.token), lease.token))
            if known is not None and known.hostname == hostname:  # this run has taken it over
                self._keep(evolve(known, epoch=epoch))
                continue
            number = lease.token
            if known is not None:  # given by another gate, which had numbers of its own
                self._token += 1
                number = self._numbers[hostname, lease.token] = self._token
            self._keep(evolve(lease, token=number, hostname=hostname, epoch=epoch))
        return self._free({lease.token for lease in gone}, now)

    def revoking(self, hostname: str) -> tuple[tuple[Lease, str], ...]:
        """The leases of a host that somebody waits for to end, and who."""
        return tuple(
            (self.leases[token], str(question.request.caller))
            for question in self.open.values()
            for token in question.waits_for
            if token in self.leases and self.leases[token].hostname == hostname
        )

    def holders(self, slot: str) -> tuple[Lease, ...]:
        """Who holds leases for a slot."""
        return tuple(self._by_slot.get(slot, {}).values())

    def _decide(self, question: Question, policies: Sequence[Policy], now: Now) -> list[GateOut]:
        request = question.request
        match decide(request, self.holders(request.slot), policies, self._fleet):
            case Deny(why, holder):
                return [self._refuse(Decided(request.rid, denied=why, holder=holder))]
            case Ask(within, mode):
                deadline = None if within is None else now.boot + within
                fixed = evolve(request, mode=effective_mode(mode, request.mode))
                question = self.open[request.rid] = evolve(question, request=fixed, deadline=deadline)
                wake: list[GateOut] = [] if within is None else [Wake(request.rid, within)]
                return [*wake, Decided(request.rid, held=_held(question))]
            case Displace(leases):
                waits = frozenset(lease.token for lease in leases)
                fixed = evolve(request, mode="force")
                self.open[request.rid] = evolve(question, request=fixed, waits_for=waits, deadline=None)
                return [Revoke(lease, str(request.caller)) for lease in leases]
            case verdict:
                return [Decided(request.rid, lease=self._grant(question, verdict.mode or request.mode, now))]

    def _refuse(self, decided: Decided) -> Decided:
        """Remembered, so that the same question gets the same answer; the last so many of them."""
        self._refused[decided.rid] = decided
        if len(self._refused) > REMEMBERED:
            self._refused.popitem(last=False)
        return decided

    def _grant(self, question: Question, mode: Mode, now: Now) -> Lease:
        request = question.request
        self._token += 1
        return self._keep(
            Lease(
                token=self._token,
                slot=request.slot,
                hostname=request.hostname,
                uuid=request.uuid,
                mode=mode,
                scope=request.scope,
                rid=request.rid,
                at=now.wall,
                by=str(request.caller),
                epoch=question.epoch,
            )
        )

    def _keep(self, lease: Lease) -> Lease:
        self._token = max(self._token, lease.token)
        self.leases[lease.token] = lease
        self._by_slot.setdefault(lease.slot, {})[lease.token] = lease
        self._by_rid[lease.rid] = lease
        return lease


def _held(question: Question) -> str:
    return f"waits for a person to approve {question.request.slot} on {question.request.hostname}"
