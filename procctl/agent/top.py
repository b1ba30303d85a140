"""Whom an agent asks for permission: its own gate, or the controller that it has joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..abc import Call, Caller, Pending
from ..core import events as ev
from ..core.messages import (
    AnyReply,
    AnyRequest,
    Failure,
    Grant,
    HeldForPerson,
    LeaseExited,
    LeaseWithdraw,
    Permit,
    Queued,
    Refusal,
)
from ..core.process import Process
from ..core.value import evolve

__all__ = ["Asking", "Top"]


class Top(Protocol):
    """Answers requests about admission."""

    def submit(self, call: Call) -> Pending:
        """See `procctl.abc.Service.submit`."""
        ...


class Asking:
    """Questions for permission, and leases given back. An answer that is none leaves the question open.

    Args:
        name: Of this host.
        top: Who is asked.
        feed: Takes the answers as events.
    """

    def __init__(self, name: str, top: Top, feed: Callable[[str, ev.Event], None]) -> None:
        self._name = name
        self._top = top
        self._feed = feed

    def ask(self, process: Process, effect: ev.AskPermission) -> None:
        """May it run?"""
        spec = process.spec
        permit = Permit(
            rid=effect.rid,
            slot=process.name,
            uuid=process.uuid,
            hostname=self._name,
            mode="force" if effect.force else spec.mode,
            scope=spec.scope,
            group=spec.group,
            again=effect.again,
        )
        self._put(process, permit)

    def withdraw(self, process: Process, rid: str) -> None:
        """It is not asked any more."""
        self._submit(process.by, LeaseWithdraw(rid=rid), f"withdraw {rid}")

    def release(self, token: int) -> None:
        """What ran on this lease has ended."""
        if token:
            self._submit("", LeaseExited(token=token), f"exited {token}")

    def _put(self, process: Process, permit: Permit) -> None:
        pending = self._submit(process.by, permit, f"{permit.rid}{'!' if permit.patient else ''}")
        pending.then(lambda reply: self._answered(process, permit, reply))

    def _submit(self, by: str, request: AnyRequest, key: str) -> Pending:
        caller = Caller(name=self._name, on_behalf=by, roles=frozenset({"owner"}))
        return self._top.submit(Call(request=request, caller=caller, key=key))

    def _answered(self, process: Process, permit: Permit, reply: AnyReply) -> None:
        uuid, rid = process.uuid, permit.rid
        match reply:
            case Grant(token=token):
                self._feed(uuid, ev.Granted(rid, token))
            case Refusal(why=why):
                self._feed(uuid, ev.Denied(rid, why))
            case HeldForPerson(why=why):
                self._feed(uuid, ev.Held(rid, why))
                self._put(process, evolve(permit, patient=True))
            case Queued(why=why):
                self._feed(uuid, ev.Queued(rid, why))
                self._put(process, evolve(permit, patient=True))
            case Failure(code=code, message=message):
                self._feed(uuid, ev.Denied(rid, f"permission could not be asked for: {message}", code))
            case _:
                self._feed(uuid, ev.Denied(rid, f"the answer to a permit was {reply.kind}", "bad-reply"))
