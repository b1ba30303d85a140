"""Policies that take their time: a question is put to them before it comes to the gate, which decides at once.

All policies are asked in their order, those that answer at once too, until one has an opinion; then the question goes
on, and the gate asks what that opinion was. It is remembered, so a question that is put again is not put to the
policies again. One that is called off is called off there too: the coroutine is cancelled.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import anyio
from attrs import define, field

from ..abc import Caller, Pending
from ..core.approval import Decision, PermitRequest, Policy, View, failed, opinion_of, takes_time
from ..core.messages import AnyReply, LeaseRenew, LeaseWithdraw, Permit
from ..core.value import evolve
from .doorkeeper import AdmissionRequest, question_of

__all__ = ["Consultant", "Entrance"]

REMEMBERED = 4096
"""Opinions by their question."""


class Entrance(Protocol):
    """Takes requests about admission: the doorkeeper, or who stands in front of it."""

    def submit(self, request: AdmissionRequest, caller: Caller, run: str = "", hostname: str = "") -> Pending:
        """See `procctl.abc.Service.submit`."""
        ...


@define
class _Consulted:
    """A question that is with the policies."""

    request: Permit
    caller: Caller
    pending: Pending
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)


class Consultant:
    """Stands in front of a doorkeeper, where there are policies that are coroutine functions.

    Args:
        policies: All of them.
        fleet: What they can look up.
        start: Begins a task.

    Attributes:
        policies: What the gate is given.
    """

    def __init__(self, policies: Sequence[Policy], fleet: View, start: Callable[..., None]) -> None:
        self._asked = tuple(policies)
        self._slow = any(map(takes_time, policies))
        self._fleet = fleet
        self._start = start
        self._next: Entrance
        self._open: dict[tuple[str, str], _Consulted] = {}
        self._opinions: OrderedDict[str, Decision | None] = OrderedDict()
        self.policies: tuple[Policy, ...] = (self._opinion,) if self._slow else self._asked

    def before(self, entrance: Entrance) -> Consultant:
        """Stand in front of this one."""
        self._next = entrance
        return self

    def submit(self, request: AdmissionRequest, caller: Caller, run: str = "", hostname: str = "") -> Pending:
        """Take a request; see `procctl.abc.Service.submit`."""
        if not self._slow:
            return self._next.submit(request, caller, run, hostname)
        match request:
            case LeaseWithdraw(rid=rid):
                consulted = self._open.pop((rid, run), None)
                if consulted is not None:
                    consulted.scope.cancel()
            case LeaseRenew(asked=asked, rids=rids):
                for rid in rids:  # what comes of the question is to count from now
                    if (waiting := self._open.get((rid, run))) is not None:
                        waiting.request = evolve(waiting.request, asked=asked)
            case Permit(rid=rid) if rid not in self._opinions:
                return self._consult(request, caller, run)
        return self._next.submit(request, caller, run, hostname)

    def gone(self, hostname: str, run: str) -> None:
        """A host has come or gone: what other runs of its agent have asked is called off."""
        for key, consulted in list(self._open.items()):
            if consulted.request.hostname == hostname and key[1] != run:
                del self._open[key]
                consulted.scope.cancel()

    def _consult(self, request: Permit, caller: Caller, run: str) -> Pending:
        key = request.rid, run
        known = self._open.get(key)
        pending = Pending()
        if known is not None:  # the asker, reconnected
            known.request, known.pending = request, pending
            return pending
        consulted = self._open[key] = _Consulted(request, caller, pending)
        self._start(self._ask, key, consulted)
        return pending

    async def _ask(self, key: tuple[str, str], consulted: _Consulted) -> None:
        opinion: Decision | None = None
        with consulted.scope:
            opinion = await self._ask_all(question_of(consulted.request, consulted.caller))
        if self._open.get(key) is not consulted:
            return  # it was called off
        del self._open[key]
        self._opinions[consulted.request.rid] = opinion
        if len(self._opinions) > REMEMBERED:
            self._opinions.popitem(last=False)
        waiting = consulted.pending

        def answered(reply: AnyReply) -> None:
            waiting.settle(reply)

        self._next.submit(consulted.request, consulted.caller, key[1]).then(answered)

    async def _ask_all(self, question: PermitRequest) -> Decision | None:
        for policy in self._asked:
            try:
                verdict: Any = policy(question, self._fleet)
                if inspect.isawaitable(verdict):
                    verdict = await verdict
                opinion = opinion_of(policy, verdict)
            except Exception as error:  # somebody else's code: a refusal that says so
                return failed(policy, error)
            if opinion is not None:
                return opinion
        return None

    def _opinion(self, request: PermitRequest, fleet: View) -> Decision | None:
        return self._opinions.get(request.rid)
