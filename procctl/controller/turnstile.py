"""Automatic restarts wait here for their turn, where the fleet has a budget of them; everything else goes through."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve as attrs_evolve
from attrs import frozen

from ..abc import Caller, Pending
from ..core.budget import Budget, RestartBudget
from ..core.events import Now
from ..core.messages import AnyReply, Grant, HeldForPerson, LeaseRenew, LeaseWithdraw, Permit
from ..core.records import Item
from ..core.value import evolve
from ..link.consultant import Entrance
from ..link.doorkeeper import AdmissionRequest

__all__ = ["Turnstile"]


@frozen
class _Asker:
    """Who waits: a question and how to answer it."""

    request: Permit
    caller: Caller
    run: str
    pending: Pending


class Turnstile:
    """Stands in front of the others who decide about permissions.

    Args:
        budget: None: there is no bound.
        entrance: Who is next.
        now: The present instant, with a roll of the dice.
        later: Calls a function in so many seconds.
    """

    def __init__(
        self,
        budget: RestartBudget | None,
        entrance: Entrance,
        now: Callable[[], Now],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._budget = None if budget is None else Budget(budget)
        self._next = entrance
        self._now = now
        self._later = later
        self._waiting: dict[str, _Asker | None] = {}
        self._held: set[str] = set()  # they wait for a person, and need no turn any more
        self._wakes_at: float | None = None

    @property
    def counts(self) -> bool:
        """Whether there is a bound."""
        return self._budget is not None

    def submit(self, request: AdmissionRequest, caller: Caller, run: str = "", hostname: str = "") -> Pending:
        """Take a request; see `procctl.abc.Service.submit`."""
        if self._budget is None:
            return self._next.submit(request, caller, run, hostname)
        match request:
            case Permit(again=True):
                return self._ask(self._budget, request, caller, run)
            case LeaseWithdraw(rid=rid):
                self._waiting.pop(rid, None)
                self._held.discard(rid)
                self._budget.withdraw(rid)
                self._move(self._budget)
            case LeaseRenew(asked=asked, rids=rids):
                for rid in rids:  # what comes of the question is to count from now
                    if (asker := self._waiting.get(rid)) is not None:
                        self._waiting[rid] = attrs_evolve(asker, request=evolve(asker.request, asked=asked))
        return self._next.submit(request, caller, run, hostname)

    def saw(self, item: Item) -> None:
        """How a process is now."""
        if self._budget is not None and self._budget.under_way:
            self._budget.saw(item, self._now())
            self._move(self._budget)

    def _ask(self, budget: Budget, request: Permit, caller: Caller, run: str) -> Pending:
        rid = request.rid
        if rid in self._held:
            return self._let_in(request, caller, run)
        why = budget.ask(rid, request.uuid, self._now())
        if not why:  # patience for its turn is none for a person: it is to be told of that
            return self._let_in(evolve(request, patient=False), caller, run)
        if not request.patient:
            self._waiting.setdefault(rid, None)  # it will ask again, to wait
            self._move(budget)
            return Pending.of(HeldForPerson(why=why, queued=True))
        pending = Pending()
        pending.give_up = lambda: self._gone(budget, rid, pending)
        self._waiting[rid] = _Asker(evolve(request, patient=False), caller, run, pending)
        self._move(budget)
        return pending

    def _let_in(self, request: Permit, caller: Caller, run: str) -> Pending:
        pending = self._next.submit(request, caller, run)
        pending.then(lambda reply: self._answered(request, reply))
        return pending

    def _answered(self, request: Permit, reply: AnyReply) -> None:
        (self._held.add if isinstance(reply, HeldForPerson) else self._held.discard)(request.rid)
        if self._budget is not None and not isinstance(reply, Grant):
            self._budget.withdraw(request.rid)
            self._move(self._budget)

    def _move(self, budget: Budget) -> None:
        """Let in whoever's turn it is, and come back when the next one's may be."""
        for rid in budget.next(self._now(), self._waiting.__contains__):
            asker = self._waiting.pop(rid)
            if asker is None:
                continue  # it was told to wait, and has not asked again yet; it finds its turn when it does
            self._let_in(asker.request, asker.caller, asker.run).then(asker.pending.settle)
        at = budget.wake()
        if at is not None and at != self._wakes_at:
            self._wakes_at = at
            self._later(max(0.0, at - self._now().boot), lambda: self._again(budget, at))

    def _again(self, budget: Budget, at: float) -> None:
        if at == self._wakes_at:
            self._wakes_at = None
            self._move(budget)

    def _gone(self, budget: Budget, rid: str, pending: Pending) -> None:
        """Who waited has lost its link; it will ask again."""
        asker = self._waiting.get(rid)
        if asker is not None and asker.pending is pending:
            del self._waiting[rid]
            budget.withdraw(rid)
