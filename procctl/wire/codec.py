"""Messages as JSON documents and back. Strict about types, unaware of unknown fields.

cattrs is lax unless told: these hooks refuse ``"7"`` for 7, true for 1, a text for an array. Errors name the path.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
from cattrs.errors import AttributeValidationNote, BaseValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from ..core import messages as m
from ..core.matching import did_you_mean
from ..core.records import ExitRecord, Item, Json, Memo, Usage, Wall, Why
from ..core.specs import AnyReady, HooksSpec, ReadyCommand, ReadyLog, ReadyMessage, ReadyTcp
from ..core.value import evolve
from ..errors import BadMessage

__all__ = [
    "ENCODER",
    "batch_in",
    "batch_out",
    "batch_text",
    "happening_text",
    "item_in",
    "item_out",
    "item_text",
    "reply_in",
    "reply_out",
    "request_in",
    "request_out",
    "structure",
    "unstructure",
]

T = TypeVar("T")
ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_remember: Callable[[Memo, str], None] = Memo.__dict__["text"].__set__  # the class is frozen, this is no field
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_TIMES = 8192
"""Times whose texts are remembered: what is asked for again and again is mostly as it was."""
_SHOWN_WHOLE = (
    Why,
    Usage,
    ExitRecord,
    Item,
    m.Approval,
    m.Inbox,
    m.AgentInfo,
    m.HostInfo,
    m.HostList,
    m.Holder,
    m.Freed,
    m.Snapshot,
)
"""Their fields are all on the wire, defaults too: people and programs read them there. Parts before wholes."""


def _primitive(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {_word(value)}")
    return value


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"expected number, got {_word(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _wall_in(value: Any, _: Any) -> float:
    if type(value) is not str:
        raise TypeError(f"expected a time (RFC 3339), got {_word(value)}")
    return _seconds(value)


@lru_cache(maxsize=_TIMES)
def _seconds(value: str) -> float:
    try:
        if not _RFC3339.fullmatch(value):
            raise ValueError
        seconds = datetime.fromisoformat(value.upper()).timestamp()
        _wall_out(seconds)  # what is taken can be said again
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time (RFC 3339), got {value[:40]!r}") from None
    return seconds


@lru_cache(maxsize=_TIMES)
def _wall_out(value: float) -> str:
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _word(value: Any) -> str:
    words = {str: "str", bool: "bool", int: "int", float: "number", list: "array", dict: "object"}
    return words.get(type(value), "null" if value is None else type(value).__name__)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(omit_if_default=True)
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _primitive)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(lambda t: t is Wall, _wall_in)
    converter.register_unstructure_hook_func(lambda t: t is Wall, _wall_out)
    converter.register_structure_hook_func(lambda t: t is Json, lambda value, _: json.dumps(value))
    converter.register_unstructure_hook_func(lambda t: t is Json, json.loads)
    converter.register_structure_hook_factory(attrs.has, _object_hook)
    converter.register_structure_hook_factory(_is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(_is_array, _array_hook)
    converter.register_structure_hook_factory(_is_words, _words_hook)
    converter.register_structure_hook(AnyReady, lambda value, _: _ready_in(value, converter))
    converter.register_structure_hook(AnyReady | None, lambda v, _: None if v is None else _ready_in(v, converter))
    converter.register_structure_hook(HooksSpec | None, lambda value, _: _hooks_in(value, converter))
    for cls in _SHOWN_WHOLE:
        whole = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=False)
        converter.register_unstructure_hook(cls, whole)
    return converter


def _guarded(hook: Callable[[Any, Any], Any], kind: type, word: str) -> Callable[[Any, Any], Any]:
    """Refuse a value of the wrong shape before cattrs looks into it."""

    def guarded(value: Any, target: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {word}, got {_word(value)}")
        return hook(value, target)

    return guarded


def _is_mapping(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is dict


def _is_array(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is tuple


def _object_hook(cls: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    return _guarded(make_dict_structure_fn(cls, converter), dict, "object")


def _mapping_hook(cls: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    return _guarded(mapping_structure_factory(cls, converter), dict, "object")


def _array_hook(cls: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    kinds = get_args(cls)
    if len(kinds) == 2 and kinds[1] is ...:
        return _guarded(homogenous_tuple_structure_factory(cls, converter), list, "array")

    def fixed(value: list[Any], _: Any) -> tuple[Any, ...]:
        if len(value) != len(kinds):
            raise ValueError(f"expected {len(kinds)} elements, got {len(value)}")
        return tuple(_inside(converter, i, part, kind) for i, (part, kind) in enumerate(zip(value, kinds, strict=True)))

    return _guarded(fixed, list, "array")


class _Inside(Exception):
    """What went wrong with one element of an array of a fixed length."""

    def __init__(self, index: int, error: Exception) -> None:
        self.index = index
        self.error = error


def _inside(converter: cattrs.Converter, index: int, value: Any, kind: Any) -> Any:
    try:
        return converter.structure(value, kind)
    except Exception as error:
        raise _Inside(index, error) from None


def _is_words(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is Literal


def _words_hook(cls: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    words = get_args(cls)

    def one_of(value: Any, _: Any) -> Any:
        if type(value) is not str or value not in words:
            raise ValueError(f"expected one of {', '.join(map(repr, words))}, got {str(value)[:40]!r}")
        return value

    return one_of


def _ready_in(value: Any, converter: cattrs.Converter) -> Any:
    """Which check is meant shows in the one field that only it has."""
    if type(value) is not dict:
        raise TypeError(f"expected object, got {_word(value)}")
    kinds = {"port": ReadyTcp, "pattern": ReadyLog, "command": ReadyCommand, "message": ReadyMessage}
    for field, cls in kinds.items():
        if field in value:
            return converter.structure(value, cls)
    raise ValueError(f"expected an object with {', '.join(kinds)}")


def _hooks_in(value: Any, converter: cattrs.Converter) -> HooksSpec | None:
    if type(value) is bool:
        return HooksSpec() if value else None
    return None if value is None else converter.structure(value, HooksSpec)


@lru_cache(maxsize=1)
def _converter() -> cattrs.Converter:
    return _make_converter()


# any value ------------------------------------------------------------------------------------------------------


def structure(document: Any, kind: type[T], at: str = "$") -> T:
    """A value out of a decoded document.

    Raises:
        BadMessage: It does not fit; names the path below `at`.
    """
    try:
        return _converter().structure(document, kind)
    except (BaseValidationError, _Inside, ValueError, TypeError, KeyError) as error:
        raise BadMessage(*_first(error, at)) from None


def unstructure(value: Any) -> Any:
    """A value as a document of plain JSON types."""
    return _converter().unstructure(value)


def _first(error: BaseException, path: str) -> tuple[str, str]:
    """The first thing that is wrong, and where."""
    while True:
        if isinstance(error, _Inside):
            path, error = f"{path}[{error.index}]", error.error
        elif isinstance(error, BaseValidationError):
            inner = error.exceptions[0]
            for note in getattr(inner, "__notes__", ()):
                if isinstance(note, AttributeValidationNote):
                    path = f"{path}.{note.name}"
                elif isinstance(note, IterableValidationNote):
                    path = f"{path}[{note.index!r}]"
            error = inner
        elif isinstance(error, KeyError):
            return f"the field {error.args[0]!r} is missing", path
        else:
            return str(error), path


# messages -------------------------------------------------------------------------------------------------------


def request_out(request: Any) -> dict[str, Any]:
    """A request's fields with its verb."""
    return {"command": request.command, **unstructure(request)}


def request_in(command: str, body: dict[str, Any]) -> Any:
    """The request of a verb.

    Raises:
        BadMessage: The verb is unknown, or a field is wrong.
    """
    kind = m.REQUESTS.get(command)
    if kind is None:
        hint = did_you_mean(command, m.REQUESTS)
        raise BadMessage(f"unknown command {command[:40]!r}{'; ' + hint if hint else ''}", "$.command")
    return structure(body, kind)


def batch_out(batch: m.Batch) -> dict[str, Any]:
    """Kontrol's status document: processes by host; what did not succeed beside it."""
    hosts: dict[str, list[Any]] = {}
    for item in batch.items:
        hosts.setdefault(item.hostname, []).append(unstructure(item))
    document: dict[str, Any] = {"status": hosts}
    if batch.misses:
        document["misses"] = unstructure(batch.misses)
    if batch.details:
        document["details"] = unstructure(batch.details)
    if batch.answers:
        document["answers"] = unstructure(batch.answers)
    return document


def item_text(item: Item) -> str:
    """An item as JSON; made once for each."""
    try:
        return item.text
    except AttributeError:
        text = ENCODER.encode(unstructure(item))
        _remember(item, text)
        return text


def batch_text(batch: m.Batch) -> str:
    """What `batch_out` gives, as JSON without the outermost braces."""
    hosts: dict[str, list[str]] = {}
    for item in batch.items:
        hosts.setdefault(item.hostname, []).append(item_text(item))
    parts = ",".join([f"{ENCODER.encode(host)}:[{','.join(texts)}]" for host, texts in hosts.items()])
    rest = batch_out(evolve(batch, items=()))
    del rest["status"]
    more = f",{ENCODER.encode(rest)[1:-1]}" if rest else ""
    return f'"status":{{{parts}}}{more}'


def batch_in(document: dict[str, Any]) -> m.Batch:
    """The other way round."""
    if "status" not in document:
        raise BadMessage("the field 'status' is missing", "$.status")
    hosts = structure(document["status"], dict[str, tuple[Item, ...]], "$.status")
    misses = structure(document.get("misses", []), tuple[m.Miss, ...], "$.misses")
    details = structure(document.get("details", []), tuple[m.Detail, ...], "$.details")
    answers = structure(document.get("answers", []), tuple[m.ChildAnswer, ...], "$.answers")
    items = tuple(item for items in hosts.values() for item in items)
    return m.Batch(items=items, misses=misses, details=details, answers=answers)


def reply_out(reply: m.AnyReply) -> dict[str, Any]:
    """A reply under the name of its kind."""
    return batch_out(reply) if isinstance(reply, m.Batch) else {reply.kind: unstructure(reply)}


def reply_in(document: dict[str, Any]) -> m.AnyReply:
    """The reply in a document.

    Raises:
        BadMessage: None that is known.
    """
    if "status" in document:
        return batch_in(document)
    for kind, cls in m.REPLIES.items():
        if kind in document:
            return cast(m.AnyReply, structure(document[kind], cls, f"$.{kind}"))
    raise BadMessage("expected a reply")


def item_out(item: m.LogChunk | m.AnyEvent) -> dict[str, Any]:
    """An item of a stream; events carry their type."""
    if isinstance(item, m.LogChunk):
        return cast(dict[str, Any], unstructure(item))
    return {"type": item.type, **unstructure(item)}


def happening_text(item: m.LogChunk | m.AnyEvent) -> str:
    """The same as JSON. That of an event is made once, however many follow; a snapshot and output are one reader's."""
    if not isinstance(item, Memo):
        return ENCODER.encode(item_out(item))
    try:
        return item.text
    except AttributeError:
        text = ENCODER.encode(item_out(item))
        _remember(item, text)
        return text


def item_in(document: dict[str, Any]) -> m.LogChunk | m.AnyEvent:
    """The item in a document.

    Raises:
        BadMessage: None that is known.
    """
    if "type" not in document:
        return structure(document, m.LogChunk, "$.item")
    kind = m.EVENTS.get(document["type"]) if isinstance(document["type"], str) else None
    if kind is None:
        raise BadMessage("expected an event", "$.item.type")
    return cast(m.AnyEvent, structure(document, kind, "$.item"))
