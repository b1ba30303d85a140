"""A program that has promised to say something now and then, and does not. Pure.

Whatever it says on its channel counts. One that is silent goes on in its phase and is shown as not responding, until it
speaks; what is done about it is its declaration's matter. After an end that comes of it, the restart policy decides.
"""

from __future__ import annotations

from .events import Changed, Effect, Now, StartTimer
from .life import Process, Step
from .records import Why
from .states import Phase, State
from .value import evolve

__all__ = ["TIMER", "due", "seen", "spoke", "watch"]

TIMER = "watchdog"


def watch(p: Process, now: Now) -> Step:
    """Its work has begun: from now on it is expected to speak."""
    if p.spec.watchdog is None:
        return p, []
    q = evolve(p, watch=p.watch + 1, armed=now.boot, spoke=now.boot, mute=None)
    return q, [StartTimer(TIMER, q.watch, p.spec.watchdog.every)]


def due(p: Process, serial: int, now: Now) -> tuple[Process, list[Effect], str]:
    """Its time may be over; the text says so, and is empty if it is not, or was already."""
    watchdog = p.spec.watchdog
    if serial != p.watch or p.phase is not Phase.UP or watchdog is None or p.mute is not None:
        return p, [], ""
    if p.spoke > p.armed:  # by the timer, which stands still while the machine sleeps, and not by the clock alone
        left = p.spoke + watchdog.every - now.boot
        again = StartTimer(TIMER, p.watch, left if left > 0 else watchdog.every)
        return evolve(p, armed=now.boot), [again], ""
    text = f"has said nothing for {watchdog.every:g} s"
    return evolve(p, mute=now.wall), [Changed()], text


def spoke(p: Process, now: Now) -> Step:
    """It has said something."""
    if p.spec.watchdog is None or not p.pid:
        return p, []
    q = evolve(p, spoke=now.boot)
    if p.mute is None:
        return q, []
    q, effects = watch(q, now)
    return q, [*effects, Changed()]


def seen(p: Process) -> tuple[State, str, Why]:
    """What an observer sees of it: state, detail, reason."""
    if p.mute is None:
        return p.phase.state, p.phase.detail, p.why
    assert p.spec.watchdog is not None
    text = f"has said nothing for {p.spec.watchdog.every:g} s; before that it was {p.phase.detail}: {p.why.text}"
    return State.NOTRESPONDING, "watchdog-lost", Why(code="watchdog-lost", text=text, by=p.why.by, since=p.mute)
