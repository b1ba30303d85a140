"""What every request has: the classes that they are made from, and the names that they may not use."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

from attrs import frozen

from .value import Value

__all__ = ["RESERVED", "UNTIL", "Request", "StreamRequest", "Target", "Until"]

R_co = TypeVar("R_co", covariant=True)
I_co = TypeVar("I_co", covariant=True)

Until = Literal["accepted", "settled", "running", "ready", "stopped", "exit"]
"""When a command on processes is answered. ``settled``: running, refused, failed, or held for a person; for a stop:
verified empty."""

UNTIL: tuple[str, ...] = get_args(Until)

RESERVED = frozenset(
    (
        *("id", "re", "to", "seq", "key", "by", "until", "deadline", "trace", "command"),
        *("error", "item", "lost", "first", "next", "end", "credit", "cancel"),
    )
)
"""The envelope's names."""


@frozen(kw_only=True, eq=False, repr=False)
class Request(Value, Generic[R_co]):
    """Base of requests that have one reply."""

    command: ClassVar[str]
    replies: ClassVar[tuple[type[Any], ...]]


@frozen(kw_only=True, eq=False, repr=False)
class StreamRequest(Value, Generic[I_co]):
    """Base of requests that are answered by a stream of items."""

    command: ClassVar[str]


@frozen(kw_only=True, eq=False, repr=False)
class Target(Value):
    """Which processes are meant. Empty fields mean all; see `procctl.core.matching`."""

    hostname: str = ""
    uuid: str = ""
    name: str = ""
    group: str = ""

    @property
    def everything(self) -> bool:
        """Whether nothing in particular is meant."""
        return not (self.hostname or self.uuid or self.name or self.group)
