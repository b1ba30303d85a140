"""Items of streams: pieces of output, and what happens to processes. Events are told apart by `type`."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from .records import Item, Memo, Wall
from .value import Value

__all__ = ["AnyEvent", "LogChunk", "Lost", "Registered", "Removed", "Snapshot", "StateChanged"]


@frozen(kw_only=True, eq=False, repr=False)
class LogChunk(Value):
    """A piece of one process's output; lines may begin and end in different chunks.

    Attributes:
        uuid: The process.
        name: Its slot.
        hostname: Its host.
        stream: stdout or stderr.
        time: When it was read, seconds since the epoch.
        text: What it wrote; bytes that are not UTF-8 are replaced.
        cursor: The place behind it, for ``since``.
        approximate: Whether the time is: no agent watched when it was written.
    """

    uuid: str
    name: str
    hostname: str
    stream: str
    time: Wall
    text: str
    cursor: str
    approximate: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Lost(Value):
    """A gap: items, or for logs bytes, that are not to be had any more.

    Attributes:
        count: How many; None: unknown, because the cursor is of another run of the agent.
        first: The cursor at which the gap begins.
        next: The cursor at which it ends.
    """

    count: int | None
    first: str = ""
    next: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class Snapshot(Value):
    """All that there is at the beginning of a stream of events."""

    type: ClassVar[str] = "snapshot"
    time: Wall
    cursor: str = ""
    processes: tuple[Item, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class Registered(Memo, Value):
    """A process was added."""

    type: ClassVar[str] = "registered"
    time: Wall
    cursor: str = ""
    process: Item


@frozen(kw_only=True, eq=False, repr=False)
class Removed(Memo, Value):
    """A process was deleted; `process` is how it was last."""

    type: ClassVar[str] = "removed"
    time: Wall
    cursor: str = ""
    process: Item


@frozen(kw_only=True, eq=False, repr=False)
class StateChanged(Memo, Value):
    """The state, the phase within it, or the readiness of a process changed.

    `new` and `old` compare with `procctl.State`; they are equal where only phase or readiness changed.
    """

    type: ClassVar[str] = "changed"
    time: Wall
    cursor: str = ""
    process: Item
    old: int
    new: int


AnyEvent = Snapshot | Registered | Removed | StateChanged
