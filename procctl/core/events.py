"""What can happen to one process (events in) and what must then be done about it (effects out).

Effects are performed in order. Those with results come back as events: AskPermission as Granted, Denied,
Held, Queued or Lapsed; Spawn as Spawned or SpawnFailed; Look as Looked; CheckReady as BecameReady or NotReady;
StartTimer as TimerFired; SendToChild, for what has an answer, as ChildAnswered or QuestionAnswered. What comes after a
Record is done only when the record is there.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from .records import Stray, Usage
from .value import Value

__all__ = [
    "AskPermission",
    "BecameReady",
    "Changed",
    "CheckReady",
    "ChildAnswered",
    "ChildReported",
    "Denied",
    "Detach",
    "DetachAsked",
    "Effect",
    "Event",
    "Exited",
    "Granted",
    "Held",
    "Lapsed",
    "LeaseEnds",
    "Look",
    "Looked",
    "NotReady",
    "Now",
    "QuestionAnswered",
    "QuestionAsked",
    "Queued",
    "Record",
    "ReleaseLease",
    "ReopenLogs",
    "RestartAsked",
    "Resumed",
    "SendToChild",
    "Settle",
    "Signal",
    "SignalAsked",
    "Spawn",
    "SpawnFailed",
    "Spawned",
    "StartAsked",
    "StartTimer",
    "StopAsked",
    "TimerFired",
    "Unblocked",
    "Withdraw",
]


@frozen(eq=False, repr=False)
class Now(Value):
    """One instant.

    Attributes:
        boot: Seconds of a clock that never jumps and goes on in suspend; the only one that decides.
        wall: Seconds since the epoch; only shown.
        roll: A number in [0, 1): this event's dice.
    """

    boot: float
    wall: float = 0.0
    roll: float = 0.5


class Event(Value):
    """Base of events."""

    __slots__ = ()


@frozen(eq=False, repr=False)
class StartAsked(Event):
    """Somebody wants it to run. `blocked` says what it has to wait for, or is empty."""

    key: str
    by: str
    blocked: str = ""
    force: bool = False
    standby: bool = False


@frozen(eq=False, repr=False)
class Unblocked(Event):
    """What it waited for has come; or, with `failed`, never will."""

    failed: str = ""


@frozen(eq=False, repr=False)
class StopAsked(Event):
    """Somebody wants it gone. `steps` replaces the spec's signals and waits; an empty one is SIGKILL at once. `hard`:
    the program too, not only the work of one with hooks."""

    key: str
    by: str
    steps: tuple[tuple[str, float], ...] | None = None
    hard: bool = False


@frozen(eq=False, repr=False)
class RestartAsked(Event):
    key: str
    by: str


@frozen(eq=False, repr=False)
class SignalAsked(Event):
    key: str
    by: str
    signal: str


@frozen(eq=False, repr=False)
class DetachAsked(Event):
    """Somebody wants it to go on without us."""

    key: str
    by: str


@frozen(eq=False, repr=False)
class Resumed(Event):
    """A new agent has it from the records of an earlier one. `pid` 0: no run of it has been found.

    Of a run that has ended meanwhile the pid is told all the same; Exited follows.
    """

    pid: int = 0


@frozen(eq=False, repr=False)
class QuestionAsked(Event):
    """Somebody has a question of their own for the program; `data` is a text of JSON."""

    key: str
    by: str
    action: str
    data: str = "null"


@frozen(eq=False, repr=False)
class Granted(Event):
    """`epoch` is that of the gate."""

    rid: str
    token: int
    epoch: int = 0


@frozen(eq=False, repr=False)
class Denied(Event):
    """`code` is "denied", or says that the question itself could not be put."""

    rid: str
    why: str
    code: str = "denied"


@frozen(eq=False, repr=False)
class Held(Event):
    """A person has to answer."""

    rid: str
    why: str


@frozen(eq=False, repr=False)
class Queued(Event):
    """Somebody else has the slot, and it waits for their end; or it is an automatic restart that waits for its turn."""

    rid: str
    why: str


@frozen(eq=False, repr=False)
class Lapsed(Event):
    """A permission has come that cannot be used any more: it is asked for anew."""

    rid: str


@frozen(eq=False, repr=False)
class LeaseEnds(Event):
    """What runs on this lease has to be gone by then (`Now.boot`)."""

    token: int
    until: float
    why: str


@frozen(eq=False, repr=False)
class Spawned(Event):
    pid: int


@frozen(eq=False, repr=False)
class SpawnFailed(Event):
    """`passing`: the machine was short of something and a later try may do."""

    why: str
    passing: bool = False


@frozen(eq=False, repr=False)
class BecameReady(Event):
    serial: int


@frozen(eq=False, repr=False)
class NotReady(Event):
    serial: int
    why: str


@frozen(eq=False, repr=False)
class ChildAnswered(Event):
    """The program says that its work has begun (``start``) or is paused (``stop``); with a `refusal`, that it will
    not be."""

    action: Literal["start", "stop"]
    refusal: str = ""


@frozen(eq=False, repr=False)
class ChildReported(Event):
    """What the program says of itself; None: nothing new."""

    said: str | None = None
    metrics: tuple[tuple[str, float], ...] | None = None


@frozen(eq=False, repr=False)
class QuestionAnswered(Event):
    """The program's answer to somebody's question, a text of JSON; or with a `refusal` none."""

    serial: int
    data: str = "null"
    refusal: str = ""


@frozen(eq=False, repr=False)
class Exited(Event):
    """The process ended. Both `code` and `signal` None: nobody can tell how. `oom`: for want of memory. `overdue`: why,
    where its lease had run out and a guard has ended it."""

    code: int | None
    signal: str | None
    usage: Usage | None = None
    last_lines: tuple[str, ...] = ()
    oom: bool = False
    overdue: str = ""


@frozen(eq=False, repr=False)
class Looked(Event):
    strays: tuple[Stray, ...] = ()


@frozen(eq=False, repr=False)
class TimerFired(Event):
    timer: str
    serial: int


class Effect(Value):
    """Base of effects."""

    __slots__ = ()


@frozen(eq=False, repr=False)
class AskPermission(Effect):
    """`again`: nobody has asked for this start."""

    rid: str
    force: bool = False
    standby: bool = False
    again: bool = False


@frozen(eq=False, repr=False)
class Withdraw(Effect):
    """The question is not asked any more; if the answer is under way it is given back."""

    rid: str


@frozen(eq=False, repr=False)
class Record(Effect):
    """Put down how it is now, so that the next agent finds what comes next even if this one sees no more of it."""


@frozen(eq=False, repr=False)
class Spawn(Effect):
    """Begin a run; or take over the one that the process is to adopt."""

    token: int


@frozen(eq=False, repr=False)
class Detach(Effect):
    """Let go of its run, which goes on."""


@frozen(eq=False, repr=False)
class Signal(Effect):
    """Send a signal: to the process alone, to its whole tree, or to these strays."""

    name: str
    tree: bool = True
    strays: tuple[Stray, ...] = ()


@frozen(eq=False, repr=False)
class SendToChild(Effect):
    """Say this, a text of JSON, on the channel to the program."""

    text: str


@frozen(eq=False, repr=False)
class CheckReady(Effect):
    """Begin to find out whether it is ready, instead of what was begun before. Ends by itself when the process does."""

    serial: int


@frozen(eq=False, repr=False)
class Look(Effect):
    """Is anything left of it?"""


@frozen(eq=False, repr=False)
class ReleaseLease(Effect):
    token: int


@frozen(eq=False, repr=False)
class StartTimer(Effect):
    """`serial` makes an outdated timer known by its number: timers are outdated, never cancelled."""

    timer: str
    serial: int
    after: float


@frozen(eq=False, repr=False)
class Settle(Effect):
    """The one final answer to a command on this process; `code` is empty when it was done. `data`, a text of JSON, is
    what the program has answered, if it was asked."""

    key: str
    code: str = ""
    text: str = ""
    hint: str = ""
    data: str = ""


@frozen(eq=False, repr=False)
class Changed(Effect):
    """Phase, readiness, or what the program says of itself has changed; whoever listens is told."""


@frozen(eq=False, repr=False)
class ReopenLogs(Effect):
    """Go on in the files that are at their paths now."""
