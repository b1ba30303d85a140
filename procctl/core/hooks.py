"""A program whose work is apart from its life: asked to begin it, asked to pause it. Also what it says, and is asked.

The moves between RESUMING, UP, PAUSING and IDLE; all others are in `process`. The program keeps its pid and its lease
in all four, so nobody else runs meanwhile, and going on needs no permission. A program may also pause and go on by
itself; it says so with the same words, and is believed: it is its own work.
"""

from __future__ import annotations

from .events import (
    Changed,
    CheckReady,
    ChildReported,
    Effect,
    Now,
    QuestionAnswered,
    QuestionAsked,
    SendToChild,
    Settle,
    StartTimer,
)
from .life import Process, Step, why
from .states import Phase
from .value import evolve
from .watchdog import spoke, watch
from .words import START, STOP, question

__all__ = [
    "MAX_QUESTIONS",
    "answered",
    "ask_again",
    "begin",
    "let_be",
    "pause",
    "question_answered",
    "question_asked",
    "reported",
    "up",
]

P = Phase

MAX_QUESTIONS = 32
"""Questions to one program that may be open at a time; at one more the oldest is given up."""


def up(p: Process, text: str, now: Now) -> Step:
    """It runs. Whoever waits for that is told, and its readiness is looked for."""
    effects: list[Effect] = [Settle(key) for key in p.starts]
    q = evolve(p, phase=P.UP, wanted=True, starts=(), ready=p.spec.ready is None, timer=p.timer + 1)
    q, watching = watch(evolve(q, why=why("running", text, p, now)), now)
    effects += watching
    if p.spec.ready is None:
        return q, effects
    return evolve(q, checks=p.checks + 1), [*effects, CheckReady(p.checks + 1)]


def begin(p: Process, text: str, now: Now) -> Step:
    """Ask it to begin its work; `text` says why."""
    q = evolve(p, phase=P.RESUMING, why=why("resuming", f"{text}; asked to begin its work", p, now))
    return _ask(q, START)


def pause(p: Process, now: Now) -> Step:
    """Ask it to pause its work."""
    text = f"stopped by {p.stopper}; asked to pause its work"
    return _ask(evolve(p, phase=P.PAUSING, why=why("pausing", text, p, now)), STOP)


def _ask(p: Process, word: str) -> Step:
    assert p.spec.hooks is not None
    timer = p.timer + 1
    q = evolve(p, timer=timer, ready=False)
    return q, [SendToChild(word), StartTimer("answer", timer, p.spec.hooks.timeout)]


def ask_again(p: Process) -> Step:
    """Ask it once more what an earlier agent has asked it: whether it has answered nobody knows any more."""
    return _ask(p, START if p.phase is P.RESUMING else STOP)


def answered(p: Process, action: str, now: Now) -> Step:
    """It says that its work has begun (``start``) or is paused (``stop``). An answer to nothing changes nothing."""
    match action, p.phase:
        case "start", P.RESUMING if p.stops:  # a stop came meanwhile
            return pause(p, now)
        case "start", P.RESUMING:
            return up(p, p.why.text.replace("; asked to begin its work", ""), now)
        case "start", P.IDLE:
            return up(p, "its work goes on by itself", now)
        case "stop", P.PAUSING:
            return _paused(p, now)
        case "stop", P.UP if p.spec.hooks is not None:
            return _idle(evolve(p, wanted=False, stopper=""), "its work has paused by itself", now)
    return p, []


def _paused(p: Process, now: Now) -> Step:
    effects: list[Effect] = [Settle(key) for key in p.stops]
    q = evolve(p, stops=(), plan=())
    if not p.starts:
        q, more = _idle(q, f"stopped by {p.stopper}; its work is paused", now)
    else:  # a start came meanwhile
        q, more = begin(q, f"stopped by {p.stopper}, resumed by {p.by}", now)
    return q, effects + more


def _idle(p: Process, text: str, now: Now) -> Step:
    text = f"{text}; the program lives on as pid {p.pid}"
    return evolve(p, phase=P.IDLE, ready=False, timer=p.timer + 1, why=why("idle", text, p, now)), []


def let_be(p: Process, how: str, now: Now) -> Step:
    """It was asked to begin or to pause its work and does not, and is let be: the command has failed."""
    text = f"{p.name} {how}"
    if p.phase is P.PAUSING:
        effects: list[Effect] = [Settle(key, "no-answer", text, f"procctl kill {p.name}") for key in p.stops]
    elif p.stops:  # a stop came meanwhile; it was not told of it yet
        return pause(p, now)
    else:
        effects = [Settle(key, "no-answer", text) for key in p.starts]
        p = evolve(p, starts=())
    q, more = up(evolve(p, stops=(), plan=()), how, now)
    return q, effects + more


# what it says, and what it is asked -----------------------------------------------------------------------------


def reported(p: Process, event: ChildReported, now: Now) -> Step:
    """What it says of itself; only changed words are told to those who listen."""
    if not p.pid:
        return p, []
    p, effects = spoke(p, now)
    said = p.said if event.said is None else event.said
    q = evolve(p, said=said, metrics=p.metrics if event.metrics is None else event.metrics)
    return q, [*effects, *([Changed()] if said != p.said and not effects else [])]


def question_asked(p: Process, event: QuestionAsked, now: Now) -> Step:
    """Pass a question on to the program."""
    if not p.spec.channel:
        text = f"{p.name} has no channel for questions"
        return p, [Settle(event.key, "no-channel", text, "declare it with hooks = true")]
    if not p.pid or p.phase is P.STOPPING:
        return p, [Settle(event.key, "not-running", f"{p.name} is {p.phase.detail}", f"procctl start {p.name}")]
    serial = p.asked_it + 1
    effects: list[Effect] = [SendToChild(question(serial, event.action, event.data))]
    text = f"{p.name} has not answered, and was asked {MAX_QUESTIONS} times since"
    effects += [Settle(key, "no-answer", text) for _, key in p.questions[: 1 - MAX_QUESTIONS]]
    return evolve(p, asked_it=serial, questions=(*p.questions[1 - MAX_QUESTIONS :], (serial, event.key))), effects


def question_answered(p: Process, event: QuestionAnswered, now: Now) -> Step:
    """The answer to one of them; to none of them it changes nothing."""
    key = dict(p.questions).get(event.serial)
    p, effects = spoke(p, now)
    if key is None:
        return p, effects
    q = evolve(p, questions=tuple(pair for pair in p.questions if pair[0] != event.serial))
    if event.refusal:
        return q, [*effects, Settle(key, "child-refused", event.refusal)]
    return q, [*effects, Settle(key, data=event.data)]
