"""The envelope: what surrounds a message in a frame, decoded strictly before anything uses it.

| field | in | meaning |
|---|---|---|
| `id` | a request | its number; lives as long as the link. Without one the answer has no `re` |
| `re` | an answer, an item | the number of the request it belongs to |
| `to` | the asker's word about its own request | the same number, seen from the other side |
| `seq` | an item | counts the items of a stream from 1 |
| `key` | a request | the client's; the same key is the same command, over reconnects too |
| `by` | a request | on whose behalf; believed only from a link that may delegate |
| `until`, `deadline` | a request | when it is answered; seconds after which it is in any case |
| `trace` | a request | taken, for tracing to come; nothing is done with it |
| `command` | a request | the verb |
| `error` | an answer | refused; without `re` a complaint about a frame, never answered |
| `item`, `lost`, `first`, `next`, `end` | a stream's answer | one item; a gap with its cursors; the end |
| `credit`, `cancel` | the asker's word | so many more items; no more at all |
"""

from __future__ import annotations

import json
import re
from math import inf
from typing import Any, NamedTuple, NoReturn

from ..core.messages import RESERVED, UNTIL, Until
from ..errors import BadMessage
from .codec import ENCODER

__all__ = ["MAX_DEPTH", "Envelope", "dump", "load", "open_envelope"]

MAX_DEPTH = 32
"""How deep a frame may be nested."""

_MAX_ID = 2**53  # the largest integer that every JSON reader gets right


class Envelope(NamedTuple):
    """One frame, classified. `body` is all that is not the envelope's.

    A tuple, since one is made for each frame: a frozen class of as many fields takes three times as long to make.
    """

    body: dict[str, Any]
    id: int | None = None
    re: int | None = None
    to: int | None = None
    seq: int | None = None
    key: str = ""
    by: str = ""
    until: Until = "settled"
    deadline: float | None = None
    trace: str = ""
    command: str = ""
    error: dict[str, Any] | None = None
    item: dict[str, Any] | None = None
    lost: int | None = None
    is_lost: bool = False
    first: str = ""
    next: str = ""
    end: bool = False
    credit: int = 0
    cancel: bool = False


_TYPES: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "re": (int,),
    "to": (int,),
    "seq": (int,),
    "key": (str,),
    "by": (str,),
    "until": (str,),
    "deadline": (int, float),
    "trace": (str,),
    "command": (str,),
    "error": (dict,),
    "item": (dict,),
    "lost": (int, type(None)),
    "first": (str,),
    "next": (str,),
    "end": (bool,),
    "credit": (int,),
    "cancel": (bool,),
}
assert _TYPES.keys() == RESERVED
_PLACES = {name: (Envelope._fields.index(name), types) for name, types in _TYPES.items()}
_DEFAULTS: list[Any] = [Envelope._field_defaults.get(name) for name in Envelope._fields]
_IS_LOST = Envelope._fields.index("is_lost")
assert Envelope._fields[0] == "body"
_NUMBERS = frozenset({"id", "re", "to", "seq", "credit"})
_JSON = {int: "int", str: "str", dict: "object", bool: "bool", float: "number", type(None): "null", list: "array"}


def dump(document: dict[str, Any]) -> bytes:
    """A document as one frame without a line break."""
    return ENCODER.encode(document).encode()


def load(frame: bytes) -> dict[str, Any]:
    """A frame as a document.

    Raises:
        BadMessage: It is no JSON object, has NaN or infinities, a key twice, or is nested too deep.
    """
    if frame.count(b"{") + frame.count(b"[") > MAX_DEPTH:
        _check_depth(frame)
    try:
        text = frame.decode("utf-8")
        document = _read(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"no JSON: {error}") from None
    if type(document) is not dict:
        raise BadMessage(f"expected object, got {_JSON.get(type(document), 'something else')}")
    return document


def open_envelope(document: dict[str, Any]) -> Envelope:
    """The envelope of a document.

    Raises:
        BadMessage: A field of the envelope has the wrong type or value; names it.
    """
    body: dict[str, Any] = {}
    values = _DEFAULTS.copy()  # by keyword an envelope takes twice as long to make
    values[0] = body
    for name, value in document.items():
        known = _PLACES.get(name)
        if known is None:
            body[name] = value
            continue
        place, expected = known
        kind = type(value)
        if kind not in expected:
            wanted = " or ".join(_JSON[t] for t in expected)
            raise BadMessage(f"expected {wanted}, got {_JSON.get(kind, '?')}", f"$.{name}")
        if kind is int and name in _NUMBERS and not 0 <= value <= _MAX_ID:
            raise BadMessage(f"expected 0 to {_MAX_ID}, got {value}", f"$.{name}")
        values[place] = value
    values[_IS_LOST] = "lost" in document
    made: Envelope = tuple.__new__(Envelope, values)
    if made.until not in UNTIL:
        raise BadMessage(f"expected one of {', '.join(UNTIL)}, got {made.until!r}", "$.until")
    if made.deadline is not None and not 0 <= made.deadline <= 1e9:
        raise BadMessage(f"expected seconds, got {made.deadline}", "$.deadline")
    return made


def _read(text: str) -> Any:
    """What ``decode`` gives, which looks for blanks around it in any case: a quarter of the time of a short frame."""
    if text.startswith("{"):
        document, end = _DECODER.raw_decode(text)
        if end == len(text):
            return document
    return _DECODER.decode(text)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (inf, -inf):
        raise ValueError(f"{text[:40]} is too large")
    return number


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} is there twice")
    return made


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_pairs)
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


def _check_depth(frame: bytes) -> None:
    """Pairs of brackets outside of strings are taken away from the inside out, a level each time: the half a million
    bytes of a large answer are not to be looked at one by one."""
    brackets = _TEXTS.sub(b"", frame).translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    if brackets:
        raise BadMessage(f"nested deeper than {MAX_DEPTH}")
