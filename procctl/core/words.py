"""What a program and its agent say to each other on the channel: JSON values, one a line. Pure.

The words are Kontrol's (``"startRequest"`` and ``"stopRequest"``, answered by ``"workerStarted"`` and
``"workerStopped"``, or ``"startDone"`` and ``"stopDone"``) and pm2's (``"ready"``, ``"shutdown"``). What they have no
word for is said in objects with the field ``procctl``. Messages whose ``cmd`` begins with ``NODE_`` are Node's own.
"""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from attrs import frozen

from .events import ChildAnswered, ChildReported, QuestionAnswered
from .value import Value

__all__ = [
    "MAX_ACTION",
    "MAX_METRICS",
    "MAX_SAID",
    "SHUT_DOWN",
    "START",
    "STOP",
    "Heard",
    "Nonsense",
    "ReadySaid",
    "question",
    "understood",
]

START, STOP, SHUT_DOWN = '"startRequest"', '"stopRequest"', '"shutdown"'
"""As they are sent."""
MAX_SAID = 1000
"""Characters of a status text that are kept."""
MAX_METRICS = 64
"""Metrics of one program."""
MAX_ACTION = 128
"""Characters of the name of a metric, or of what is asked for."""

_ANSWERS: dict[str, Literal["start", "stop"]] = {
    "workerStarted": "start",
    "startDone": "start",
    "workerStopped": "stop",
    "stopDone": "stop",
}


@frozen(eq=False, repr=False)
class ReadySaid(Value):
    """The program says a text that may mean that it is ready."""

    text: str


@frozen(eq=False, repr=False)
class Nonsense(Value):
    """It addresses procctl and is not understood."""

    why: str


Heard = ChildAnswered | ChildReported | QuestionAnswered | ReadySaid | Nonsense


def question(serial: int, action: str, data: str) -> str:
    """A question as it is sent; `data` is a text of JSON."""
    return f'{{"procctl":"request","id":{serial},"action":{json.dumps(action)},"data":{data}}}'


def understood(message: Any) -> Heard | None:
    """What a message means; None: it is not for procctl, and that is no fault.

    Args:
        message: A decoded JSON value.
    """
    if isinstance(message, str):
        action = _ANSWERS.get(message)
        return ReadySaid(message) if action is None else ChildAnswered(action)
    if not isinstance(message, dict) or "procctl" not in message:
        return None
    match message["procctl"]:
        case "ready":
            return ReadySaid("ready")
        case "alive":
            return ChildReported()
        case "refused":
            return _refused(message)
        case "status":
            return _status(message)
        case "metrics":
            return _metrics(message)
        case "answer":
            return _answer(message)
    return Nonsense(f"there is no message {json.dumps(message['procctl'])[:60]}")


def _refused(message: dict[str, Any]) -> Heard:
    action, why = message.get("action"), message.get("why", "")
    if action not in ("start", "stop") or not isinstance(why, str):
        return Nonsense("a refusal has an action, start or stop, and a text why")
    return ChildAnswered(action, _plain(why) or "no reason given")


def _status(message: dict[str, Any]) -> Heard:
    text = message.get("text")
    return ChildReported(said=_plain(text)) if isinstance(text, str) else Nonsense("a status has a text")


def _metrics(message: dict[str, Any]) -> Heard:
    values = message.get("values")
    if not isinstance(values, dict) or len(values) > MAX_METRICS:
        return Nonsense(f"metrics have values, an object of at most {MAX_METRICS} numbers")
    for name, value in values.items():
        if not 0 < len(name) <= MAX_ACTION or not name.isprintable():
            return Nonsense(f"a metric has a name of 1 to {MAX_ACTION} characters that can be shown")
        if type(value) not in (int, float) or not math.isfinite(_number(value)):
            return Nonsense(f"the metric {name!r} is no finite number")
    return ChildReported(metrics=tuple((name, _number(value)) for name, value in values.items()))


def _answer(message: dict[str, Any]) -> Heard:
    serial, refusal = message.get("id"), message.get("refused", "")
    if type(serial) is not int or not isinstance(refusal, str):
        return Nonsense("an answer has the id of its question, and data, or a text why it is refused")
    if "refused" in message:
        return QuestionAnswered(serial, refusal=_plain(refusal) or "no reason given")
    return QuestionAnswered(serial, json.dumps(message.get("data")))


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _plain(text: str) -> str:
    """Without what a terminal or a wire would choke on: control characters, halves of characters."""
    cleaned = "".join(c if c.isprintable() else " " for c in text[: 2 * MAX_SAID])
    return " ".join(cleaned.split())[:MAX_SAID]
