"""The base of the many small frozen classes: equality, hash, repr and `evolve`, written once.

attrs would write them anew for each class, as source that is compiled when the class is made; for a hundred classes
that was 40 ms of every program's start, more than half of what importing the core cost. So these say
``@frozen(eq=False, repr=False)`` and have `Value` as their base.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

__all__ = ["Value", "evolve"]

V = TypeVar("V", bound="Value")


class Value:
    """Equal to another of the same class with equal fields."""

    __slots__ = ()
    __attrs_attrs__: Any

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, a.name) == getattr(other, a.name) for a in self.__attrs_attrs__)

    def __hash__(self) -> int:
        hashed = (getattr(self, a.name) for a in self.__attrs_attrs__ if a.hash is not False)
        return hash((self.__class__, *hashed))

    def __repr__(self) -> str:
        shown = ", ".join(f"{a.name}={getattr(self, a.name)!r}" for a in self.__attrs_attrs__)
        return f"{type(self).__qualname__}({shown})"


def evolve(value: V, /, **changes: Any) -> V:
    """The same value with other fields.

    A step of a process makes several, so it is what most of a start's bookkeeping costs: this takes a fifth of the
    time of ``attrs.evolve``, which asks the class and calls its constructor.

    Raises:
        TypeError: It has no such field.
    """
    kind: Any = type(value)
    copy, setters = _copier(kind)
    new = copy(value)
    for name, field in changes.items():
        try:
            setters[name](new, field)
        except KeyError:
            raise TypeError(f"{value.__class__.__qualname__} has no field {name!r}") from None
    made: V = new
    return made


@cache
def _copier(cls: Any) -> tuple[Callable[[Any], Any], dict[str, Callable[[Any, Any], None]]]:
    """A function that copies each slot of a value, unrolled, and what sets a slot although the class is frozen."""
    names = [attribute.name for attribute in cls.__attrs_attrs__]
    setters = {name: getattr(cls, name).__set__ for name in names}
    known: dict[str, Any] = {f"set_{name}": setter for name, setter in setters.items()}
    known |= {"new": object.__new__, "cls": cls}
    body = "".join(f"    set_{name}(made, old.{name})\n" for name in names)
    exec(f"def copy(old):\n    made = new(cls)\n{body}    return made\n", known)
    return known["copy"], setters
