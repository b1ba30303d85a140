"""Strategies: any message of a class, made from the types of its fields; any JSON; any frame."""

import json
import types
import typing
from typing import Annotated, Any, Literal, Union

import attrs
from hypothesis import strategies as st

from procctl.core.records import Json, Wall

BIG = 2**53
NUMBERS = st.floats(-1e9, 1e9)
WALLS = st.integers(0, 10**10).map(lambda quarters: quarters / 4)
"""Instants that a double and a text of microseconds both have exactly."""

_PLAIN: dict[Any, Any] = {
    str: st.text(max_size=8),
    int: st.integers(-BIG, BIG),
    bool: st.booleans(),
    float: NUMBERS,
    types.NoneType: st.none(),
}


def things(cls, **fixed):
    """Any value of a frozen class."""
    made = attrs.resolve_types(cls, include_extras=True)
    fields = {field.name: of(field.type) for field in attrs.fields(made)}
    return st.builds(cls, **{**fields, **fixed})


def of(kind):
    """Any value of a type."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == Wall:
        return WALLS
    if kind == Json:
        return LEAVES.map(json.dumps)
    if attrs.has(kind):
        return st.deferred(lambda: things(kind))
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return of(args[0])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is dict:
        return st.dictionaries(of(args[0]), of(args[1]), max_size=3)
    if origin is tuple and args[1:] == (...,):
        return st.lists(of(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of, args))
    if origin in (Union, types.UnionType):
        return st.one_of(*map(of, args))
    raise TypeError(f"no strategy for {kind}")


# JSON -------------------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 2, 3, -1, BIG, BIG + 1, 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["status", "stop", "add", "logs", "hello", "settled", "running", "2013-03-19T11:18:46Z"]),
)


def documents(keys):
    """Objects of any shape whose keys are often these."""
    names = st.one_of(st.sampled_from(sorted(keys)), st.text(max_size=3))
    values = st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=8
    )
    return st.dictionaries(names, values, max_size=5)
