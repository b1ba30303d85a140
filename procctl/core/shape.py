"""Whether a value has the types that its class declares. Pure.

What comes over a wire is looked at by its codec. What a program passes by hand is looked at here, before anything acts
on it: a number in the place of a name is the mistake of one call, and not to be found by the core in the middle of its
work. A list is taken where a tuple is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["misfit"]

Found = tuple[str, str] | None
"""Where below the value, and what is wrong there."""
Check = Callable[[Any], Found]

_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"),
    bool: ((bool,), "True or False"),
    int: ((int,), "a whole number"),
    float: ((float, int), "a number"),
    NoneType: ((NoneType,), "None"),
}


def misfit(value: object, kind: Any) -> str:
    """What is wrong, and where: ``expected a text at $.spec.env.A, got 5``; empty: nothing.

    Args:
        value: Of any class.
        kind: The class, or a type of the kinds that messages have: texts, numbers, tuples, dicts, literals, unions.

    Raises:
        TypeError: There is a type of another kind in it.
    """
    found = _check(kind)(value)
    if found is None:
        return ""
    where, what = found
    return what.replace("@", f"at ${where}", 1)


@cache
def _check(kind: Any) -> Check:
    if kind is Any or kind is object:
        return lambda value: None
    if kind in _PLAIN:
        return _plain(*_PLAIN[kind])
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        words = " or ".join(map(repr, args))
        return lambda value: None if isinstance(value, str) and value in args else _wrong(words, value)
    if origin in (Union, UnionType):
        return _union(args)
    if origin is tuple:
        return _many(args[0], tuple) if args[1:] == (...,) else _row(args)
    if origin is frozenset:
        return _many(args[0], frozenset)
    if origin in (dict, Mapping):
        return _mapping(*args)
    if hasattr(kind, "__attrs_attrs__"):
        return _fields(kind)
    raise TypeError(f"{kind!r} is no type of a message")


def _plain(types: tuple[type, ...], name: str) -> Check:
    strict = bool not in types
    return lambda value: (
        None if isinstance(value, types) and not (strict and isinstance(value, bool)) else _wrong(name, value)
    )


def _union(args: tuple[Any, ...]) -> Check:
    checks = [_check(arg) for arg in args]
    names = " or ".join(_name(arg) for arg in args)

    def check(value: Any) -> Found:
        found = [inner(value) for inner in checks]
        if None in found:
            return None
        deeper = [one for one in found if one is not None and one[0]]  # it is of one of the classes, and wrong inside
        return deeper[0] if deeper else _wrong(names, value)

    return check


def _many(kind: Any, whole: type[tuple[Any, ...] | frozenset[Any]]) -> Check:
    check, name = _check(kind), f"a {whole.__name__} of {_name(kind)}"

    def each(value: Any) -> Found:
        if not isinstance(value, whole) and not (isinstance(value, list) and whole is tuple):
            return _wrong(name, value)
        for i, item in enumerate(value):
            if (found := check(item)) is not None:
                return f"[{i}]{found[0]}", found[1]
        return None

    return each


def _row(args: tuple[Any, ...]) -> Check:
    checks, name = [_check(arg) for arg in args], f"a tuple of {len(args)}"

    def row(value: Any) -> Found:
        if not isinstance(value, tuple | list) or len(value) != len(checks):
            return _wrong(name, value)
        for i, (check, item) in enumerate(zip(checks, value, strict=True)):
            if (found := check(item)) is not None:
                return f"[{i}]{found[0]}", found[1]
        return None

    return row


def _mapping(key: Any, item: Any) -> Check:
    keys, items = _check(key), _check(item)

    def mapping(value: Any) -> Found:
        if not isinstance(value, Mapping):
            return _wrong("a dict", value)
        for name, inner in value.items():
            if (found := keys(name) or items(inner)) is not None:
                return f".{name}{found[0]}", found[1]
        return None

    return mapping


def _fields(kind: Any) -> Check:
    hints = get_type_hints(kind)
    checks = [(a.name, _check(hints[a.name]), a.default) for a in kind.__attrs_attrs__ if a.init]
    name = _name(kind)

    def fields(value: Any) -> Found:
        if not isinstance(value, kind):
            return _wrong(name, value)
        for field, check, default in checks:
            given = getattr(value, field)
            if given is not default and (found := check(given)) is not None:
                return f".{field}{found[0]}", found[1]
        return None

    return fields


def _name(kind: Any) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind][1]
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if not isinstance(kind, type) or get_origin(kind) is not None:
        return str(kind)
    return f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}"


def _wrong(expected: str, value: Any) -> Found:
    shown = repr(value)
    return "", f"expected {expected} @, got {shown if len(shown) <= 60 else shown[:57] + '...'}"
