"""A process that may run, or not: it asks for permission, is answered, begins, or gives up. Pure; see `process`."""

from __future__ import annotations

from .events import (
    AskPermission,
    Changed,
    Denied,
    Effect,
    Granted,
    Held,
    Lapsed,
    Now,
    Queued,
    Record,
    ReleaseLease,
    Settle,
    Spawn,
)
from .life import Process, Step
from .life import why as _why
from .states import Phase
from .value import evolve

__all__ = ["HELD_HINT", "ask", "denied", "granted", "held", "lapsed", "question", "queued", "rest", "rested", "spawn"]

P = Phase

HELD_HINT = "procctl approvals"


def ask(p: Process, now: Now) -> Step:
    """It is to run: with permission, where it needs one."""
    if p.spec.admission is False:
        return spawn(p, 0, now)
    return question(p, now)


def question(p: Process, now: Now) -> Step:
    """Put a question of its own; an earlier one is not asked any more."""
    rid = f"{p.uuid}#{p.asked + 1}"
    why = _why("asking", "waits for permission to run", p, now)
    q = evolve(p, phase=P.ASKING, rid=rid, asked=p.asked + 1, timer=p.timer + 1, why=why)
    return evolve(q, again=not p.starts), [AskPermission(rid, p.force, p.standby or p.spec.standby, not p.starts)]


def granted(p: Process, event: Granted, now: Now) -> Step:
    """It may. A permission that nobody waits for is given back."""
    if p.phase not in (P.ASKING, P.HELD) or event.rid != p.rid:
        return p, [ReleaseLease(event.token)]
    return spawn(evolve(p, epoch=event.epoch), event.token, now)


def denied(p: Process, event: Denied, now: Now) -> Step:
    """It may not."""
    if p.phase not in (P.ASKING, P.HELD) or event.rid != p.rid:
        return p, []
    return rest(p, P.DENIED, event.code, event.why, now)


def held(p: Process, event: Held, now: Now) -> Step:
    """A person decides: whoever has asked for the start is told so now."""
    if p.phase is not P.ASKING or event.rid != p.rid:
        return p, []
    if p.own:  # it waits by itself
        return evolve(p, phase=P.HELD, why=_why("held", event.why, p, now)), []
    effects: list[Effect] = [Settle(key, "approval-pending", event.why, HELD_HINT) for key in p.starts]
    return evolve(p, phase=P.HELD, starts=(), why=_why("held", event.why, p, now)), effects


def queued(p: Process, event: Queued, now: Now) -> Step:
    """It waits for its turn, or for the end of who has the slot; maybe after a person has said yes."""
    if p.phase not in (P.ASKING, P.HELD) or event.rid != p.rid:
        return p, []
    return evolve(p, phase=P.ASKING, why=_why("queued", event.why, p, now)), [] if p.phase is P.HELD else [Changed()]


def lapsed(p: Process, event: Lapsed, now: Now) -> Step:
    """The permission came too late to be used."""
    return question(p, now) if p.phase in (P.ASKING, P.HELD) and event.rid == p.rid else (p, [])


def spawn(p: Process, token: int, now: Now) -> Step:
    """Begin, on this lease."""
    why = _why("starting", "is being spawned", p, now)
    q = evolve(p, phase=P.STARTING, token=token, rid="", force=False, standby=False, timer=p.timer + 1, why=why)
    return q, [Record(), Spawn(token)]


def rested(p: Process) -> Phase:
    """Where it rests: it has run before, or never."""
    return P.REGISTERED if p.exit is None else P.EXITED


def rest(p: Process, phase: Phase, code: str, text: str, now: Now) -> Step:
    """Give up on a start: who waited for it is told."""
    effects: list[Effect] = [Settle(key, code, text) for key in p.starts]
    effects += [Settle(key) for key in p.stops]
    q = evolve(p, phase=phase, wanted=False, rid="", force=False, starts=(), stops=(), timer=p.timer + 1)
    return evolve(q, standby=False, why=_why(code, text, q, now)), effects
