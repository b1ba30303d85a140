"""Phases, the five states that they project to, and THE table.

A process is always in one *phase*. What people see is a *state*, a view of the phase with Kontrol's integers;
`notresponding` is no phase at all but what an observer says of a process whose host it has not heard.

The theory, in the order in which a life goes through it. A start may have to wait (WAITING, for what it depends
on), then asks for permission (ASKING; HELD while a person thinks), is spawned (STARTING) and runs (UP). It leaves
UP by its own end or through STOPPING, and both lead to EMPTYING: the process is gone, its descendants are looked
for. Only when nothing is left does it rest again (EXITED; FAILED when no further start is tried), or go on to the
next start, at once or after BACKOFF. REGISTERED and DENIED have never run, or not since they were refused. DETACHED was
let go of: its program goes on and is none of ours.

When an agent has ended, the next one has its processes as they were recorded, each in its phase, and *resumes* them:
what waited goes on waiting, what ran is taken over, and what was about to be spawned is, unless it was.

A process with hooks has its work apart from its life. Spawned, it is asked to begin its work (RESUMING) and is UP when
it says that it has. A stop asks it to pause (PAUSING); then it is IDLE: stopped, with its pid and its lease, and the
next start resumes it. Everything harder leads through STOPPING as for the others.

A cell of the table is the set of phases that an event may lead to; `process.step` decides which, and its choice is
checked against the cell. IGNORE is an event that changes no phase there (though it may have effects, as a late
grant that is given back). A pair that is missing is ILLEGAL: `step` raises and nothing has changed. The diagram in
the documentation is drawn from this table.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from . import events as ev

__all__ = ["IGNORE", "RESTING", "TABLE", "Phase", "State"]


class State(IntEnum):
    """What people see, with the integers of Kontrol's status document."""

    STOPPED = 0
    RUNNING = 1
    PENDING = 2
    NOTSTARTED = 3
    NOTRESPONDING = 4

    @property
    def word(self) -> str:
        """As status documents have it."""
        return self.name.lower()


class Phase(Enum):
    """Where in its life a process is."""

    REGISTERED = "registered"
    DENIED = "denied"
    WAITING = "waiting"
    ASKING = "asking"
    HELD = "held"
    STARTING = "starting"
    RESUMING = "resuming"
    UP = "up"
    PAUSING = "pausing"
    IDLE = "idle"
    STOPPING = "stopping"
    EMPTYING = "emptying"
    BACKOFF = "backoff"
    EXITED = "exited"
    FAILED = "failed"
    DETACHED = "detached"

    state: State

    @property
    def detail(self) -> str:
        """As status documents have it, beside the state."""
        return str(self.value)


P = Phase
for _phase in P:
    _phase.state = State.PENDING
P.REGISTERED.state = P.DENIED.state = State.NOTSTARTED
P.EXITED.state = P.FAILED.state = P.IDLE.state = P.DETACHED.state = State.STOPPED
P.UP.state = State.RUNNING

RESTING = frozenset({P.REGISTERED, P.DENIED, P.EXITED, P.FAILED, P.DETACHED})
"""Nothing is under way and nothing runs; the only phases in which a process can be deleted."""

Cell = frozenset[Phase]
IGNORE: Cell = frozenset()


def to(*phases: Phase) -> Cell:
    return frozenset(phases)


_LATE: dict[type[ev.Event], Cell] = {
    ev.Granted: IGNORE,
    ev.Denied: IGNORE,
    ev.Held: IGNORE,
    ev.Queued: IGNORE,
    ev.Lapsed: IGNORE,
    ev.LeaseEnds: IGNORE,
    ev.TimerFired: IGNORE,
    ev.BecameReady: IGNORE,
    ev.NotReady: IGNORE,
    ev.Unblocked: IGNORE,
    ev.DetachAsked: IGNORE,
    ev.Resumed: IGNORE,
    ev.ChildAnswered: IGNORE,
    ev.ChildReported: IGNORE,
    ev.QuestionAnswered: IGNORE,
}
"""Answers to what has been asked can come late, in every phase. They carry a number and are known by it. Only what runs
can be detached; and in most phases there is no more to resuming than to ask, look or wait once more."""

_REST = to(P.REGISTERED, P.EXITED)
_BEGIN = to(P.WAITING, P.ASKING, P.STARTING)
_AGAIN = to(P.ASKING, P.STARTING)

_RESTS: dict[type[ev.Event], Cell] = {
    **_LATE,
    ev.StartAsked: _BEGIN,
    ev.RestartAsked: _AGAIN,
    ev.StopAsked: IGNORE,
    ev.SignalAsked: IGNORE,
    ev.QuestionAsked: IGNORE,
}
_END = to(P.STOPPING)

TABLE: dict[Phase, dict[type[ev.Event], Cell]] = {
    **dict.fromkeys(RESTING, _RESTS),
    P.WAITING: {
        **_LATE,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: IGNORE,
        ev.StopAsked: _REST,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.Unblocked: to(P.ASKING, P.STARTING, P.FAILED),
    },
    P.ASKING: {
        **_LATE,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: IGNORE,
        ev.StopAsked: _REST,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.Granted: to(P.STARTING),
        ev.Denied: to(P.DENIED),
        ev.Held: to(P.HELD),
    },
    P.HELD: {
        **_LATE,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: IGNORE,
        ev.StopAsked: _REST,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.Granted: to(P.STARTING),
        ev.Denied: to(P.DENIED),
        ev.Lapsed: to(P.ASKING),
        ev.Queued: to(P.ASKING),
        ev.Resumed: to(P.ASKING),
    },
    P.STARTING: {
        **_LATE,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: IGNORE,
        ev.StopAsked: IGNORE,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.Spawned: to(P.UP, P.STOPPING, P.RESUMING),
        ev.SpawnFailed: to(P.FAILED, P.BACKOFF, P.EXITED, P.REGISTERED),
        ev.Resumed: to(P.UP, P.RESUMING, P.STOPPING, P.ASKING, P.EXITED, P.REGISTERED),
    },
    P.RESUMING: {
        **_LATE,
        ev.LeaseEnds: _END,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: _END,
        ev.StopAsked: _END,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.ChildAnswered: to(P.UP, P.PAUSING, P.STOPPING),
        ev.TimerFired: to(P.UP, P.PAUSING, P.STOPPING),
        ev.Exited: to(P.EMPTYING),
    },
    P.UP: {
        **_LATE,
        ev.LeaseEnds: _END,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: _END,
        ev.StopAsked: to(P.STOPPING, P.PAUSING),
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.DetachAsked: to(P.DETACHED),
        ev.NotReady: _END,
        ev.TimerFired: _END,
        ev.ChildAnswered: to(P.IDLE),
        ev.Exited: to(P.EMPTYING),
    },
    P.PAUSING: {
        **_LATE,
        ev.LeaseEnds: _END,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: _END,
        ev.StopAsked: _END,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.ChildAnswered: to(P.IDLE, P.RESUMING, P.UP, P.STOPPING),
        ev.TimerFired: to(P.UP, P.STOPPING),
        ev.Exited: to(P.EMPTYING),
    },
    P.IDLE: {
        **_LATE,
        ev.LeaseEnds: _END,
        ev.StartAsked: to(P.RESUMING),
        ev.RestartAsked: _END,
        ev.StopAsked: _END,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.ChildAnswered: to(P.UP),
        ev.Exited: to(P.EMPTYING),
        ev.DetachAsked: to(P.DETACHED),
    },
    P.STOPPING: {
        **_LATE,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: IGNORE,
        ev.StopAsked: IGNORE,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.Exited: to(P.EMPTYING),
    },
    P.EMPTYING: {
        **_LATE,
        ev.StartAsked: IGNORE,
        ev.RestartAsked: IGNORE,
        ev.StopAsked: IGNORE,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.Looked: to(P.ASKING, P.STARTING, P.BACKOFF, P.EXITED, P.FAILED),
    },
    P.BACKOFF: {
        **_LATE,
        ev.StartAsked: _BEGIN,
        ev.RestartAsked: _AGAIN,
        ev.StopAsked: _REST,
        ev.SignalAsked: IGNORE,
        ev.QuestionAsked: IGNORE,
        ev.TimerFired: _AGAIN,
    },
}
