"""Kinds of values in a configuration file: how each is read, and its JSON Schema."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from ..core.matching import did_you_mean
from ..errors import BadConfig
from .units import duration, size

__all__ = [
    "BOOL",
    "COMMAND",
    "DURATION",
    "INT",
    "NUMBER",
    "SIZE",
    "TEXT",
    "TEXTS",
    "Key",
    "Kind",
    "Place",
    "either",
    "list_of",
    "map_of",
    "one_of",
    "table",
    "wrong",
]


@frozen
class Place:
    """Where a value stands: its file and the path of keys to it."""

    file: str
    path: str = ""

    def at(self, key: str | int) -> Place:
        """A place below."""
        if isinstance(key, int):
            return Place(self.file, f"{self.path}[{key}]")
        return Place(self.file, f"{self.path}.{key}" if self.path else key)


def wrong(place: Place, message: str, hint: str = "") -> BadConfig:
    """The error for a place."""
    where = f" at {place.path}" if place.path else ""
    return BadConfig(f"{place.file}: {message}{where}", hint)


@frozen
class Kind:
    """How a value is read, and what the schema says of it."""

    read: Callable[[Any, Place], Any]
    schema: dict[str, Any]


@frozen
class Key:
    """One key of a table."""

    kind: Kind
    doc: str


def _of(python: type, word: str) -> Callable[[Any, Place], Any]:
    def read(value: Any, place: Place) -> Any:
        if type(value) is not python:
            raise wrong(place, f"expected {word}, got {_shown(value)}")
        return value

    return read


def _number(value: Any, place: Place) -> float:
    if type(value) not in (int, float):
        raise wrong(place, f"expected a number, got {_shown(value)}")
    return float(value)


def _by(convert: Callable[[Any], Any], word: str) -> Callable[[Any, Place], Any]:
    def read(value: Any, place: Place) -> Any:
        if type(value) not in (int, float, str):
            raise wrong(place, f"expected {word}, got {_shown(value)}")
        try:
            return convert(value)
        except ValueError as error:
            raise wrong(place, str(error)) from None

    return read


def _command(value: Any, place: Place) -> str | tuple[str, ...]:
    if isinstance(value, str):
        try:
            if not shlex.split(value):
                raise wrong(place, "the command is empty")
        except ValueError as error:
            raise wrong(place, f"the command cannot be split: {error}") from None
        return value
    words = TEXTS.read(value, place)
    if not words:
        raise wrong(place, "the command is empty")
    return tuple(words)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


TEXT = Kind(_of(str, "a text"), {"type": "string"})
BOOL = Kind(_of(bool, "true or false"), {"type": "boolean"})
INT = Kind(_of(int, "a whole number"), {"type": "integer"})
NUMBER = Kind(_number, {"type": "number"})
DURATION = Kind(
    _by(duration, "a duration"),
    {"type": ["string", "number"], "description": "a duration: 500ms, 10s, 1m30s; a number is seconds"},
)
SIZE = Kind(
    _by(size, "a size"), {"type": ["string", "integer"], "description": "a size: 10kB, 50MiB; a number is bytes"}
)


def list_of(kind: Kind) -> Kind:
    """An array of these."""

    def read(value: Any, place: Place) -> tuple[Any, ...]:
        if type(value) is not list:
            raise wrong(place, f"expected an array, got {_shown(value)}")
        return tuple(kind.read(part, place.at(i)) for i, part in enumerate(value))

    return Kind(read, {"type": "array", "items": kind.schema})


TEXTS = list_of(TEXT)
COMMAND = Kind(
    _command,
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
)


def map_of(kind: Kind) -> Kind:
    """A table of any keys with these values."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        if type(value) is not dict:
            raise wrong(place, f"expected a table, got {_shown(value)}")
        return {key: kind.read(part, place.at(key)) for key, part in value.items()}

    return Kind(read, {"type": "object", "additionalProperties": kind.schema})


def one_of(*words: str) -> Kind:
    """One of these words."""

    def read(value: Any, place: Place) -> str:
        if value not in words:
            hint = did_you_mean(value, words) if isinstance(value, str) else ""
            raise wrong(place, f"expected one of {', '.join(words)}, got {_shown(value)}", hint)
        return str(value)

    return Kind(read, {"enum": list(words)})


def either(choose: Callable[[Any], Kind | None], kinds: Sequence[Kind], word: str) -> Kind:
    """One of several kinds, by a look at the value."""

    def read(value: Any, place: Place) -> Any:
        kind = choose(value)
        if kind is None:
            raise wrong(place, f"expected {word}, got {_shown(value)}")
        return kind.read(value, place)

    return Kind(read, {"anyOf": [kind.schema for kind in kinds]})


def table(keys: Mapping[str, Key], required: Sequence[str] = ()) -> Kind:
    """A table of these keys and no others."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        if type(value) is not dict:
            raise wrong(place, f"expected a table, got {_shown(value)}")
        out = {}
        for key, part in value.items():
            if key not in keys:
                hint = did_you_mean(key, keys) or "there are " + ", ".join(keys)
                raise wrong(place.at(key), f"unknown key {key!r}", hint)
            out[key] = keys[key].kind.read(part, place.at(key))
        for key in required:
            if key not in out:
                raise wrong(place.at(key), f"the key {key!r} is missing")
        return out

    properties = {name: {"description": key.doc, **key.kind.schema} for name, key in keys.items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return Kind(read, schema)
