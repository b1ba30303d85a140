"""Whom an agent asks for permission: its own gate, or the controller that it has joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..abc import Call, Caller, Pending
from ..core import events as ev
from ..core.guard import Feed, Guard, GuardOut, Keep, Said, Say
from ..core.messages import AnyReply, LeaseExited, LeaseWithdraw, Permit
from ..core.process import Process

__all__ = ["Asking", "Top"]


class Top(Protocol):
    """Answers requests about admission."""

    @property
    def absent(self) -> str:
        """Why no answer can come at present, or empty."""
        ...

    def submit(self, call: Call) -> Pending:
        """See `procctl.abc.Service.submit`."""
        ...


class Asking:
    """Carries out what the guard of the leases has decided: what is said, told to processes, and handed to the keeper.

    Args:
        name: Of this host.
        guard: Decides.
        top: Who is asked.
        now: The present instant.
        feed: Takes what happens to processes.
        keep: Hands a deadline to whoever enforces it when this agent cannot.
        later: Calls a function in so many seconds; None: the gate is in this program, and nothing can be lost.
    """

    def __init__(
        self,
        name: str,
        guard: Guard,
        top: Top,
        now: Callable[[], ev.Now],
        feed: Callable[[str, ev.Event], None],
        keep: Callable[[Keep], None],
        later: Callable[[float, Callable[[], None]], None] | None,
    ) -> None:
        self.guard = guard
        self._name = name
        self._top = top
        self._now = now
        self._feed = feed
        self._keep = keep
        self._later = later
        self._telling: set[str] = set()
        self._ticking = False
        self._ended = False

    def ask(self, process: Process, effect: ev.AskPermission) -> None:
        """May it run?"""
        absent = self._top.absent
        self._do(self.guard.ask(process, effect, self._now()))
        if absent:  # it goes out by itself when that has changed, and is answered then
            self._feed(process.uuid, ev.Queued(effect.rid, f"waits for permission to run; {absent}"))

    def withdraw(self, process: Process, rid: str) -> None:
        """It is not asked any more."""
        self._do(self.guard.withdraw(rid, process.by))

    def release(self, uuid: str, token: int) -> None:
        """Nothing of what ran on this lease is left."""
        self._do(self.guard.release(uuid, token, self._now()))

    def over(self, uuid: str, token: int, why: str = "") -> None:
        """The gate says that this lease is over."""
        self._do(self.guard.over(uuid, token, self._now(), why))

    def restore(self, process: Process, until: float | None, ttl: float, kept: bool) -> None:
        """An earlier run of the agent has left this."""
        self._do(self.guard.restore(process, until, ttl, kept))

    def joined(self) -> None:
        """There is a link to the gate."""
        self._do(self.guard.joined(self._now()))

    def close(self) -> None:
        """The agent ends: deadlines are the keeper's alone from now on."""
        self._ended = True

    def _do(self, outs: Sequence[GuardOut]) -> None:
        for out in outs:
            match out:
                case Say():
                    self._say(out)
                case Feed(uuid, event):
                    self._feed(uuid, event)
                case Keep():
                    self._keep(out)
        if self._later is not None and self.guard.busy and not self._ticking:
            self._ticking = True
            self._later(self.guard.terms.beat, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        if not self._ended:
            self._do(self.guard.tick(self._now()))

    def _say(self, say: Say) -> None:
        message = say.message
        key = _key(message)
        if isinstance(message, LeaseExited):
            if key in self._telling:
                return  # it is on its way, and goes out again by itself when the link does
            self._telling.add(key)
        caller = Caller(name=self._name, on_behalf=say.by, roles=frozenset({"owner"}))
        pending = self._top.submit(Call(request=message, caller=caller, key=key))
        pending.then(lambda reply: self._answered(say, key, reply))

    def _answered(self, say: Say, key: str, reply: AnyReply) -> None:
        self._telling.discard(key)
        self.heard(say.message, reply)

    def heard(self, message: Said, reply: AnyReply) -> None:
        """The gate's answer to something that was said."""
        self._do(self.guard.answered(message, reply, self._now()))


def _key(message: object) -> str:
    """By which a message goes out again on the next link; a renewal does not: the next one counts."""
    match message:
        case Permit(rid=rid, patient=patient):
            return f"{rid}{'!' if patient else ''}"
        case LeaseWithdraw(rid=rid):
            return f"withdraw {rid}"
        case LeaseExited(token=token):
            return f"exited {token}"
    return ""
