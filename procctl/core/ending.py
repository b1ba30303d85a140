"""The end of a run: what it has left is looked for and ended; then it is decided what comes next. Pure."""

from __future__ import annotations

from .asking import ask
from .events import Effect, Exited, Look, Looked, Now, ReleaseLease, Settle, Signal, StartTimer
from .life import Process, Step
from .life import why as _why
from .records import ExitRecord, Stray, Why
from .restart import Again, End, GiveUp, after_end
from .specs import SHUTDOWN
from .states import Phase
from .value import evolve

__all__ = ["LOOK_AGAIN", "PAST", "REPORT_AFTER", "back_off", "exited", "looked"]

P = Phase

REPORT_AFTER = 5.0
"""Seconds after SIGKILL at which a stray is reported as escaped, and the process as ended, although it lives."""
PAST = 5
"""Exit records that are kept of each process."""
LOOK_AGAIN = (0.02, 0.5)
"""First and longest pause between two looks, seconds."""


def exited(p: Process, event: Exited, now: Now) -> Step:
    """The program has ended. What it started may go on, so somebody looks."""
    if event.overdue and p.wanted and not p.own:  # as if the agent itself had ended it, and it asks for another lease
        p = evolve(p, unleased=True, cause=event.overdue)
    asked = p.phase in (P.STOPPING, P.PAUSING)
    record = ExitRecord(
        code=event.code,
        signal=event.signal,
        at=now.wall,
        uptime=max(0.0, now.boot - p.started),
        usage=event.usage,
        by=p.stopper if asked and not (p.cause and p.wanted) else "",
        last_lines=event.last_lines,
        oom=event.oom,
        cause=p.cause,
    )
    why = _why("emptying", f"{_how(p, record)}; what it started is being looked for", p, now)
    kill_at = max(p.kill_at, now.boot) if p.phase is P.STOPPING else now.boot + p.spec.stop.grace
    text = f"{p.name} {_how(p, record)}"
    effects: list[Effect] = [Settle(key, "not-running", text) for _, key in p.questions]
    if p.own or (p.phase is P.RESUMING and not p.stops):  # or nobody is there to begin again
        effects += [Settle(key, "not-running", f"{text} before its work had begun") for key in p.starts]
        p = evolve(p, starts=())
    q = evolve(p, phase=P.EMPTYING, pid=0, ready=None, ended=record, timer=p.timer + 1, plan=(), why=why)
    return evolve(q, kill_at=kill_at, looks=0, strays=(), said="", metrics=(), questions=()), [*effects, Look()]


def looked(p: Process, event: Looked, now: Now) -> Step:
    """Somebody has looked: what is left is ended, in the time that it has."""
    if not event.strays or now.boot >= p.kill_at + REPORT_AFTER:
        return _empty(p, event.strays, now)
    known = {stray.pid for stray in p.strays}
    fresh = tuple(stray for stray in event.strays if stray.pid not in known)
    effects: list[Effect] = []
    if now.boot >= p.kill_at:
        effects.append(Signal("SIGKILL", strays=event.strays))
    elif fresh:
        signals = [name for name, _ in p.spec.stop.steps if name != SHUTDOWN]
        effects.append(Signal(signals[0] if signals else "SIGKILL", strays=fresh))
    pause = min(LOOK_AGAIN[1], LOOK_AGAIN[0] * 2.0 ** min(p.looks, 16))
    if now.boot < p.kill_at:
        pause = min(pause, p.kill_at - now.boot)
    timer = p.timer + 1
    names = ", ".join(f"{stray.name} ({stray.pid})" for stray in event.strays)
    q = evolve(p, timer=timer, looks=p.looks + 1, strays=(*p.strays, *fresh))
    q = evolve(q, why=_why("emptying", f"still alive below it: {names}", p, now))
    return q, [*effects, StartTimer("look", timer, pause)]


def _empty(p: Process, alive: tuple[Stray, ...], now: Now) -> Step:
    """Nothing is left, or what is left was reported: the run is over."""
    assert p.ended is not None
    living = {stray.pid for stray in alive}
    known = {stray.pid: stray for stray in (*p.strays, *alive)}
    escaped = tuple(stray for stray in known.values() if stray.escaped or stray.pid in living)
    record = evolve(p.ended, escaped=escaped)
    effects: list[Effect] = [ReleaseLease(p.token)] if p.token else []
    names = ", ".join(f"{stray.name} ({stray.pid})" for stray in alive)
    effects += [Settle(k, *(("escaped", f"still alive: {names}") if alive else ())) for k in p.stops]
    past_runs = (record, *p.past[: PAST - 1])
    q = evolve(
        p,
        token=0,
        unleased=False,
        exit=record,
        exits=p.exits + 1,
        past=past_runs,
        ended=None,
        strays=(),
        stops=(),
        cause="",
    )
    past = f"{_how(p, record)}; still alive: {names}" if alive else _how(p, record)
    if p.starts or (p.unleased and p.wanted and not p.own):
        q, more = ask(evolve(q, restarts=p.restarts + 1), now)
        return q, effects + more
    if not p.wanted:
        text = "; ".join(part for part in (f"stopped by {p.stopper}", p.cause, past) if part)
        return evolve(q, phase=P.EXITED, why=_why("stopped", text, p, now)), effects
    describe = f"{p.cause}; {past}" if p.cause else past
    end = End(failed=record.failed or bool(p.cause), uptime=record.uptime, describe=describe)
    match after_end(p.spec.restart, end, p.tries, p.history, now):
        case Again(after=0.0) as again:
            q = evolve(q, tries=again.tries, history=again.history, restarts=q.restarts + 1)
            q, more = ask(q, now)
            return q, effects + more
        case Again() as again:
            q, more = back_off(q, again, describe, now)
            return q, effects + more
        case GiveUp(why):
            return evolve(q, phase=P.FAILED, wanted=False, why=_why("gave-up", why, q, now)), effects
    if p.cause:
        return evolve(q, phase=P.FAILED, wanted=False, why=_why("not-ready", describe, q, now)), effects
    return evolve(q, phase=P.EXITED, wanted=False, why=_why("exited", describe, q, now)), effects


def _how(p: Process, record: ExitRecord) -> str:
    """A program that is a process of its own has no exit code yet when it is one no more."""
    if p.own and record.code is not None:
        return "left its block" + (f" with {record.code}" if record.code else "")
    return record.describe()


def back_off(p: Process, again: Again, why: str, now: Now) -> Step:
    """The next try comes later."""
    q = evolve(p, tries=again.tries, history=again.history, restarts=p.restarts + 1)
    timer = p.timer + 1
    reason = Why(
        code="backoff",
        text=f"{why}; next try in {again.after:.1f} s",
        by=p.by,
        since=now.wall,
        next=now.wall + again.after,
    )
    q = evolve(q, phase=P.BACKOFF, timer=timer, why=reason)
    return q, [StartTimer("backoff", timer, again.after)]
