"""JSON Schemas (2020-12) of the attrs classes that travel, and values out of texts of a query. No I/O."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from ...core.matching import did_you_mean
from ...core.records import Json, Wall
from ...errors import BadMessage

__all__ = ["Schemas", "from_text", "kinds_of"]

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


def kinds_of(cls: type[Any]) -> dict[str, Any]:
    """The types of a class's fields, by name. Found out once: nobody may change what is given."""
    known = _KINDS.get(cls)
    if known is None:
        hints = get_type_hints(cls, include_extras=True)
        known = _KINDS[cls] = {field.name: hints[field.name] for field in attrs.fields(cls)}
    return known


_KINDS: dict[type[Any], dict[str, Any]] = {}


class Schemas:
    """Makes schemas. Attributes: components: Those of the classes that were met, by name."""

    def __init__(self, prefix: str = "#/components/schemas/") -> None:
        self.components: dict[str, Any] = {}
        self._prefix = prefix

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type; a class by reference."""
        if kind == Wall:
            return {"type": "string", "format": "date-time"}
        if kind == Json:
            return {}
        origin, args = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self.of(args[0])
        if origin is Literal:
            return {"type": "string", "enum": list(args)}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(arg) for arg in args]}
        if origin is tuple:
            return self._array(args)
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(args[1])}
        if attrs.has(kind):
            return self._reference(kind)
        return dict(_PLAIN[kind])

    def object(self, cls: type[Any], names: tuple[str, ...] | None = None, *, required: bool = True) -> dict[str, Any]:
        """The schema of a class itself, or of some of its fields."""
        kinds = kinds_of(cls)
        chosen = [field for field in attrs.fields(cls) if names is None or field.name in names]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {field.name: self.of(kinds[field.name]) for field in chosen},
        }
        needed = [field.name for field in chosen if field.default is attrs.NOTHING]
        if needed and required:
            schema["required"] = needed
        return schema

    def _array(self, args: tuple[Any, ...]) -> dict[str, Any]:
        if len(args) == 2 and args[1] is ...:
            return {"type": "array", "items": self.of(args[0])}
        parts = [self.of(arg) for arg in args]
        return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(args), "maxItems": len(args)}

    def _reference(self, cls: type[Any]) -> dict[str, Any]:
        if cls.__name__ not in self.components:
            self.components[cls.__name__] = {}  # it may be met again within itself
            schema = self.object(cls)
            schema["title"] = cls.__name__
            self.components[cls.__name__] = schema
        return {"$ref": f"{self._prefix}{cls.__name__}"}


def from_text(kind: Any, text: str, path: str) -> Any:
    """A parameter of a query as the JSON value that it stands for.

    Raises:
        BadMessage: It is none of this type.
    """
    args = [arg for arg in get_args(kind) if arg is not type(None)] if get_origin(kind) is not Literal else []
    kind = args[0] if args else kind
    if kind is bool:
        if text not in ("true", "false"):
            raise BadMessage(f"expected true or false, got {text[:40]!r}", path)
        return text == "true"
    if kind in (int, float):
        try:
            if not text.isascii() or "_" in text or text != text.strip():
                raise ValueError
            return int(text) if kind is int else float(text)
        except ValueError:
            word = "an integer" if kind is int else "a number"
            raise BadMessage(f"expected {word}, got {text[:40]!r}", path) from None
    return text


def known(names: Mapping[str, Any], given: str, where: str) -> None:
    """Raises `BadMessage` for a name that is not among those that are known."""
    if given not in names:
        hint = did_you_mean(given, names) or "there are " + ", ".join(sorted(names))
        raise BadMessage(f"unknown {where} {given[:40]!r}; {hint}", f"?{given[:40]}")
