"""What the tests of the core are made of: instants, specs, and a process in each phase of its life."""

from procctl.core import events as ev
from procctl.core.events import Now
from procctl.core.process import Process, step
from procctl.core.records import Stray
from procctl.core.specs import ProcessSpec, RestartSpec
from procctl.core.states import Phase

P = Phase

ALWAYS = RestartSpec(policy="always", delay=(1.0, 60.0), jitter=0.0)
"""Restarts for ever enough, with delays that need no dice."""
TOKEN = 7
PID = 41
STRAY = Stray(77, "helper")

START = ev.StartAsked("k-start", "ann")
STOP = ev.StopAsked("k-stop", "bob")
KILL = ev.StopAsked("k-kill", "cid", ())
GRANTED = ev.Granted("u#1", TOKEN)
SPAWNED = ev.Spawned(PID)
CLEAN = ev.Exited(0, None)
CRASH = ev.Exited(1, None)
EMPTY = ev.Looked()
BEGUN = ev.ChildAnswered("start")
PAUSED = ev.ChildAnswered("stop")
HOOKED = {P.RESUMING, P.PAUSING, P.IDLE}
"""Phases that only a process with hooks comes into."""


def at(seconds=0.0, roll=0.5):
    """An instant so many seconds after the beginning of a test."""
    return Now(100.0 + seconds, 1000.0 + seconds, roll)


def spec(name="web", **declared):
    return ProcessSpec(name=name, command=(name,), **declared)


def process(**declared):
    """A process that has never run."""
    return Process(uuid="u", name="web", spec=spec(**declared))


def told(p, *events, now=None):
    """The process after these events, all at one instant, and all that was to be done."""
    effects = []
    for event in events:
        p, more = step(p, event, now or at())
        effects += more
    return p, effects


def after(p, *events, now=None):
    """The process after these events."""
    return told(p, *events, now=now)[0]


LIVES = {
    P.REGISTERED: (),
    P.DENIED: (START, ev.Denied("u#1", "no")),
    P.WAITING: (ev.StartAsked("k-start", "ann", blocked="waits for db to be ready"),),
    P.ASKING: (START,),
    P.HELD: (START, ev.Held("u#1", "a person was asked")),
    P.STARTING: (START, GRANTED),
    P.UP: (START, GRANTED, SPAWNED),
    P.RESUMING: (START, GRANTED, SPAWNED),
    P.PAUSING: (START, GRANTED, SPAWNED, BEGUN, STOP),
    P.IDLE: (START, GRANTED, SPAWNED, BEGUN, STOP, PAUSED),
    P.STOPPING: (START, GRANTED, SPAWNED, STOP),
    P.EMPTYING: (START, GRANTED, SPAWNED, CRASH),
    P.BACKOFF: (START, GRANTED, SPAWNED, CRASH, EMPTY),
    P.EXITED: (START, GRANTED, SPAWNED, STOP, CLEAN, EMPTY),
    P.FAILED: (START, GRANTED, ev.SpawnFailed("no such file")),
    P.DETACHED: (START, GRANTED, SPAWNED, ev.DetachAsked("k-detach", "ann")),
}
"""How a process that is restarted always comes into each phase."""


def alive(phase, **declared):
    """A process in that phase; restarted always, unless declared otherwise."""
    p = after(process(**{"restart": ALWAYS, "hooks": phase in HOOKED, **declared}), *LIVES[phase])
    assert phase is p.phase
    return p


def up(**declared):
    """A process that runs and is never restarted, unless declared otherwise."""
    return after(process(**declared), START, GRANTED, SPAWNED)
