"""One process: ``step(process, event, now) -> (process, effects)``. Pure; the theory and the table are in `states`.

A timer or a readiness check is never cancelled: it carries a serial, and an outdated one is known by it. A question
for permission carries a rid likewise, so a grant that comes too late is given back and never acted on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import IllegalEvent
from .asking import HELD_HINT, ask, denied, granted, held, lapsed, question, queued, rest, rested
from .ending import back_off, exited, looked
from .events import (
    BecameReady,
    Changed,
    CheckReady,
    ChildAnswered,
    ChildReported,
    Denied,
    Detach,
    DetachAsked,
    Effect,
    Event,
    Exited,
    Granted,
    Held,
    Lapsed,
    LeaseEnds,
    Look,
    Looked,
    NotReady,
    Now,
    QuestionAnswered,
    QuestionAsked,
    Queued,
    ReleaseLease,
    RestartAsked,
    Resumed,
    SendToChild,
    Settle,
    Signal,
    SignalAsked,
    Spawned,
    SpawnFailed,
    StartAsked,
    StartTimer,
    StopAsked,
    TimerFired,
    Unblocked,
    Withdraw,
)
from .hooks import answered, ask_again, begin, let_be, pause, question_answered, question_asked, reported, up
from .life import Process, Step
from .life import why as _why
from .records import ExitRecord
from .restart import Again, End, after_end
from .specs import SHUTDOWN
from .states import RESTING, TABLE, Phase
from .value import evolve
from .watchdog import TIMER, due, watch
from .words import SHUT_DOWN

__all__ = ["Process", "Step", "step"]

P = Phase

RESEND_KILL = 2.0
"""Seconds after which SIGKILL is sent again to a tree that is still there (a fork may have raced the first)."""
_ALIVE = frozenset({P.UP, P.RESUMING, P.PAUSING, P.IDLE})
_SOONER = 0.01
"""Seconds by which an end has to be nearer to be worth a new plan."""


def step(p: Process, event: Event, now: Now) -> Step:
    """Take one event.

    Args:
        p: The process as it is.
        event: What happened.
        now: When.

    Returns:
        The process as it is now, and what is to be done, in order.

    Raises:
        IllegalEvent: The table has no cell for it, or the decision is not in the cell: a defect. Nothing changed.
    """
    cell = TABLE[p.phase].get(type(event))
    if cell is None:
        raise IllegalEvent(f"{p.name}: a process that is {p.phase.detail} cannot have {event}")
    q, effects = _DECIDE[type(event)](p, event, now)
    if q.phase is not p.phase:
        if q.phase not in cell:
            raise IllegalEvent(f"{p.name}: {event} leads from {p.phase.detail} to {q.phase.detail}, which is no cell")
        q = evolve(q, since=now.wall, mute=None)
        effects.append(Changed())
    return q, effects


# commands -------------------------------------------------------------------------------------------------------


def _start_asked(p: Process, event: StartAsked, now: Now) -> Step:
    if p.phase is P.UP:
        return p, [Settle(event.key)]
    if p.phase is P.HELD:
        return p, [Settle(event.key, "approval-pending", p.why.text, HELD_HINT)]
    # too late to ask otherwise for this start, or no question at all
    asked = p.phase in (P.ASKING, P.IDLE) or (p.phase is P.STARTING and not p.stops)
    force = p.force or (event.force and not asked)
    standby = p.standby or (event.standby and not asked)
    p = evolve(p, wanted=True, by=event.by, force=force, standby=standby, starts=(*p.starts, event.key))
    if p.phase is P.ASKING and p.again and p.why.code == "queued":  # what somebody asks for needs no turn
        q, effects = question(p, now)
        return q, [Withdraw(p.rid), *effects]
    if p.phase not in RESTING and p.phase not in (P.BACKOFF, P.IDLE):
        return p, []
    p = evolve(p, tries=0, history=(), timer=p.timer + 1)
    if p.phase is P.IDLE:
        return begin(p, f"resumed by {p.by}", now)
    if event.blocked:
        return evolve(p, phase=P.WAITING, why=_why("waiting", event.blocked, p, now)), []
    return ask(p, now)


def _restart_asked(p: Process, event: RestartAsked, now: Now) -> Step:
    if p.own:
        return p, [_not_from_here(p, event.key, "begin anew")]
    if p.phase not in _ALIVE:
        return _start_asked(p, StartAsked(event.key, event.by), now)
    p = evolve(p, wanted=True, by=event.by, stopper=event.by, starts=(*p.starts, event.key), tries=0, history=())
    return _stop(p, p.spec.stop.steps, f"restarted by {event.by}", now)


def _unblocked(p: Process, event: Unblocked, now: Now) -> Step:
    if p.phase is not P.WAITING:
        return p, []
    if event.failed:
        return rest(p, P.FAILED, "dependency-failed", event.failed, now)
    return ask(p, now)


def _stop_asked(p: Process, event: StopAsked, now: Now) -> Step:
    soft = p.spec.hooks is not None and not event.hard
    steps = p.spec.stop.steps if event.steps is None else event.steps
    effects: list[Effect] = [Settle(key, "superseded", f"stopped by {event.by}") for key in p.starts]
    q = evolve(p, wanted=False, by=event.by, stopper=event.by, force=False, standby=False, starts=(), cause="")
    match p.phase:
        case P.WAITING | P.ASKING | P.HELD | P.BACKOFF:
            if p.rid:
                effects.append(Withdraw(p.rid))
            q = evolve(q, phase=rested(p), rid="", timer=p.timer + 1)
            q = evolve(q, why=_why("stopped", f"stopped by {event.by} before it ran", q, now))
            return q, [*effects, Settle(event.key)]
        case P.STARTING:
            plan = min(p.plan, steps, key=_length) if p.stops else steps  # the harsher of the two
            return evolve(q, plan=plan, stops=(*p.stops, event.key)), effects
        case P.UP if soft:
            q, more = pause(evolve(q, stops=(event.key,), plan=steps), now)
            return q, effects + more
        case P.RESUMING | P.PAUSING if soft:
            plan = min(p.plan, steps, key=_length) if p.stops else steps
            return evolve(q, plan=plan, stops=(*p.stops, event.key)), effects
        case P.UP | P.RESUMING | P.PAUSING:
            q, more = _stop(evolve(q, stops=(*p.stops, event.key)), steps, f"stopped by {event.by}", now)
            return q, effects + more
        case P.IDLE if not soft:
            return _stop(evolve(q, stops=(event.key,)), steps, f"ended by {event.by}", now)
        case P.STOPPING:
            q = evolve(q, stops=(*p.stops, event.key))
            if event.steps is not None and now.boot + _length(steps) < p.kill_at:
                q, more = _stop(q, steps, f"stopped by {event.by}", now)
                return q, effects + more
            return q, effects
        case P.EMPTYING:
            kill_at = p.kill_at if event.steps is None else min(p.kill_at, now.boot + _length(steps))
            return evolve(q, stops=(*p.stops, event.key), kill_at=kill_at), effects
    return p, [Settle(event.key)]


def _detach_asked(p: Process, event: DetachAsked, now: Now) -> Step:
    if p.own:
        return p, [_not_from_here(p, event.key, "let go of its permission")]
    if p.phase not in (P.UP, P.IDLE):
        hint = f"procctl why {p.name}"
        return p, [
            Settle(event.key, "not-running", f"{p.name} is {p.phase.detail}: only what runs can be detached", hint)
        ]
    text = f"detached by {event.by}; pid {p.pid} goes on without procctl"
    effects: list[Effect] = [Settle(key, "not-running", f"{p.name} was {text}") for _, key in p.questions]
    effects += [Detach(), *([ReleaseLease(p.token)] if p.token else []), Settle(event.key)]
    q = evolve(p, phase=P.DETACHED, wanted=False, by=event.by, pid=0, ready=None, token=0, timer=p.timer + 1, cause="")
    return evolve(q, said="", metrics=(), questions=(), why=_why("detached", text, q, now)), effects


def _signal_asked(p: Process, event: SignalAsked, now: Now) -> Step:
    if p.own:
        return p, [_not_from_here(p, event.key, "signal itself")]
    if p.phase in _ALIVE or p.phase is P.STOPPING:
        return p, [Signal(event.signal, tree=False), Settle(event.key)]
    return p, [Settle(event.key, "not-running", f"{p.name} is {p.phase.detail}", "procctl start " + p.name)]


def _not_from_here(p: Process, key: str, what: str) -> Settle:
    text = f"{p.name} is the program of its own agent: only it can {what}"
    return Settle(key, "own-program", text, f"procctl stop {p.name}")


# permission -----------------------------------------------------------------------------------------------------


def _lease_ends(p: Process, event: LeaseEnds, now: Now) -> Step:
    """Ended within what is left of its lease; if it is still wanted then, it asks for another one."""
    if not p.token or event.token != p.token:
        return p, []
    left = max(0.0, event.until - now.boot)
    q = evolve(p, unleased=p.wanted or p.own, cause=event.why)
    match p.phase:
        case P.UP | P.RESUMING | P.PAUSING | P.IDLE:
            return _stop(q, _within(p.spec.stop.steps, left), event.why, now)
        case P.STOPPING if event.until < p.kill_at - _SOONER:
            return _stop(evolve(q, cause=p.cause), _within(p.plan, left), event.why, now)
        case P.EMPTYING if event.until < p.kill_at:
            return evolve(p, kill_at=event.until), []
    return p, []


# a run ----------------------------------------------------------------------------------------------------------


def _spawned(p: Process, event: Spawned, now: Now) -> Step:
    q = evolve(
        p,
        pid=event.pid,
        stopper=p.stopper if p.stops else "",
        started=now.boot,
        runs=p.runs + 1,
        adopts=None,
        ready=False,
    )
    if p.stops:  # a stop came while it was spawned; a start may have come after that, and is for the next run
        return _stop(q, p.plan, f"stopped by {p.stopper}", now)
    again = f"; before that it {_past(p.exit)}" if p.exit is not None else ""
    text = f"started by {p.by}{again}"
    return up(q, text, now) if p.spec.hooks is None else begin(q, text, now)


def _spawn_failed(p: Process, event: SpawnFailed, now: Now) -> Step:
    released: list[Effect] = [ReleaseLease(p.token)] if p.token else []
    p = evolve(p, token=0, plan=(), adopts=None)
    if not p.wanted:
        q, effects = rest(p, rested(p), "stopped", f"stopped by {p.stopper} before it ran", now)
        return q, released + effects
    if event.passing:
        end = End(failed=True, uptime=0.0, describe=event.why)
        again = after_end(evolve(p.spec.restart, min_uptime=0.0), end, p.tries, p.history, now)
        if isinstance(again, Again):
            settled: list[Effect] = [Settle(key, "spawn-failed", event.why) for key in p.starts]
            settled += [Settle(key) for key in p.stops]
            q, effects = back_off(evolve(p, starts=(), stops=()), again, event.why, now)
            return q, released + settled + effects
    q, effects = rest(p, P.FAILED, "spawn-failed", event.why, now)
    return q, released + effects


def _became_ready(p: Process, event: BecameReady, now: Now) -> Step:
    if p.phase is not P.UP or event.serial != p.checks or p.ready:
        return p, []
    return evolve(p, ready=True), [Changed()]


def _not_ready(p: Process, event: NotReady, now: Now) -> Step:
    if p.phase is not P.UP or event.serial != p.checks or p.ready:
        return p, []
    return _stop(evolve(p, cause=event.why), p.spec.stop.steps, event.why, now)


def _stop(p: Process, steps: tuple[tuple[str, float], ...], why: str, now: Now) -> Step:
    kill_at = now.boot + _length(steps)
    text = f"{why}; SIGKILL in {kill_at - now.boot:g} s" if steps else f"{why}; SIGKILL sent"
    if p.own:
        text = f"{why}; it has to leave its block within {kill_at - now.boot:.3g} s"
    q = evolve(p, phase=P.STOPPING, plan=steps, kill_at=kill_at, why=_why("stopping", text, p, now))
    return _next_signal(q, now)


def _next_signal(p: Process, now: Now) -> Step:
    timer = p.timer + 1
    if not p.plan:
        return evolve(p, timer=timer), [Signal("SIGKILL"), StartTimer("stop", timer, RESEND_KILL)]
    (name, wait), *rest = p.plan
    ask: Effect = SendToChild(SHUT_DOWN) if name == SHUTDOWN else Signal(name)
    return evolve(p, plan=tuple(rest), timer=timer), [ask, StartTimer("stop", timer, wait)]


def _timer_fired(p: Process, event: TimerFired, now: Now) -> Step:
    if event.timer == TIMER:
        return _watched(p, event.serial, now)
    if event.serial != p.timer:
        return p, []
    match event.timer, p.phase:
        case "stop", P.STOPPING:
            return _next_signal(p, now)
        case "look", P.EMPTYING:
            return p, [Look()]
        case "backoff", P.BACKOFF:
            return ask(p, now)
        case "answer", P.RESUMING | P.PAUSING:
            assert p.spec.hooks is not None
            word = "startRequest" if p.phase is P.RESUMING else "stopRequest"
            return _unwilling(p, f"did not answer {word} within {p.spec.hooks.timeout:g} s", now)
    return p, []


def _watched(p: Process, serial: int, now: Now) -> Step:
    q, effects, silent = due(p, serial, now)
    assert not silent or p.spec.watchdog is not None
    if not silent or p.spec.watchdog is None or p.spec.watchdog.on_silence == "show":
        return q, effects
    steps = () if p.spec.watchdog.on_silence == "kill" else p.spec.stop.steps
    return _stop(evolve(p, cause=silent), steps, silent, now)


# another agent ------------------------------------------------------------------------------------------------


def _resumed(p: Process, event: Resumed, now: Now) -> Step:
    """What an earlier agent has left, from its records (`left_by_another`)."""
    match p.phase:
        case P.STARTING if event.pid:
            return _spawned(p, Spawned(event.pid), now)
        case P.STARTING:
            return _never_spawned(p, now)
        case P.UP:
            q, effects = watch(p, now)
            if p.spec.ready is None or p.ready:
                return q, effects
            return evolve(q, checks=p.checks + 1), [*effects, CheckReady(p.checks + 1)]
        case P.RESUMING | P.PAUSING:
            return ask_again(p)
        case P.STOPPING:
            return _next_signal(p, now)
        case P.EMPTYING:  # nobody was there to send SIGKILL when it was due
            return evolve(p, kill_at=max(p.kill_at, now.boot)), [Look()]
        case P.ASKING | P.HELD:
            return question(p, now)
        case P.BACKOFF:
            timer = p.timer + 1
            wait = max(0.0, (p.why.next or now.wall) - now.wall)
            return evolve(p, timer=timer), [StartTimer("backoff", timer, min(wait, p.spec.restart.delay[1]))]
    return p, []


def _never_spawned(p: Process, now: Now) -> Step:
    released: list[Effect] = [ReleaseLease(p.token)] if p.token else []
    p = evolve(p, token=0)
    q, effects = (
        ask(evolve(p, stops=(), plan=()), now)
        if p.wanted
        else rest(p, rested(p), "stopped", f"stopped by {p.stopper} before it ran", now)
    )
    return q, released + effects


def _child_answered(p: Process, event: ChildAnswered, now: Now) -> Step:
    expected = {P.RESUMING: "start", P.PAUSING: "stop"}.get(p.phase)
    if event.refusal and event.action == expected:
        return _unwilling(p, f"refused to {event.action}: {event.refusal}", now)
    return (p, []) if event.refusal else answered(p, event.action, now)


def _unwilling(p: Process, how: str, now: Now) -> Step:
    """It was asked to begin or to pause its work, and does not."""
    hooks = p.spec.hooks
    assert hooks is not None
    if hooks.on_timeout == "fail":
        return let_be(p, how, now)
    effects: list[Effect] = []
    if p.phase is P.RESUMING and not p.stops:  # otherwise the starts are for the time after the stop
        effects += [Settle(key, "no-answer", f"{p.name} {how}") for key in p.starts]
        p = evolve(p, starts=())
    steps = () if hooks.on_timeout == "kill" else p.plan or p.spec.stop.steps
    q, more = _stop(evolve(p, cause=how), steps, how, now)
    return q, effects + more


# small things ---------------------------------------------------------------------------------------------------


def _length(steps: tuple[tuple[str, float], ...]) -> float:
    return sum(wait for _, wait in steps)


def _within(steps: tuple[tuple[str, float], ...], seconds: float) -> tuple[tuple[str, float], ...]:
    """The same signals, sooner if need be; where there is no time at all, none."""
    whole = _length(steps)
    if whole <= seconds:
        return steps
    return tuple((name, wait * seconds / whole) for name, wait in steps) if seconds > 0 else ()


def _past(record: ExitRecord) -> str:
    how = ("was " if record.signal else "") + record.describe()
    return f"{how}: {record.cause}" if record.cause else how


_DECIDE: dict[type[Event], Callable[[Process, Any, Now], Step]] = {
    StartAsked: _start_asked,
    RestartAsked: _restart_asked,
    Unblocked: _unblocked,
    StopAsked: _stop_asked,
    SignalAsked: _signal_asked,
    DetachAsked: _detach_asked,
    Resumed: _resumed,
    Granted: granted,
    Denied: denied,
    Held: held,
    Queued: queued,
    Lapsed: lapsed,
    LeaseEnds: _lease_ends,
    Spawned: _spawned,
    SpawnFailed: _spawn_failed,
    BecameReady: _became_ready,
    NotReady: _not_ready,
    TimerFired: _timer_fired,
    ChildAnswered: _child_answered,
    ChildReported: reported,
    QuestionAsked: question_asked,
    QuestionAnswered: question_answered,
    Exited: exited,
    Looked: looked,
}
