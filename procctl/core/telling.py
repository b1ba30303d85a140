"""What an agent tells its controller of its processes: everything once, then what changes, a heartbeat at a time. Pure.

Heartbeats are numbered over the life of the agent, and each builds on the one before. So an agent whose link was lost
goes on with the next number, and only if the controller says that it cannot follow is it told everything again. Each
has the digest of all that was told so far, which finds what numbers alone would not.

The controller's side is `hearing`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from .digest import MASK, hash_of, text_of
from .messages import Heartbeat
from .records import Item
from .replies import Heard

__all__ = ["PART", "Teller"]

PART = 200
"""Processes in one heartbeat; more come in the next. (A frame has room for a thousand and more.)"""
GONE = 2000
"""If so many were deleted between two heartbeats, a snapshot says it shorter."""


class Teller:
    """Args: items: Gives the present items of these uuids, without those that are no more; or all."""

    def __init__(self, items: Callable[[Sequence[str] | None], tuple[Item, ...]]) -> None:
        self._items = items
        self._beat = 0
        self._told: dict[str, int] = {}
        self._digest = 0
        self._changed: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._parts: deque[tuple[Item, ...]] = deque()
        self._part = 0
        self._whole_from = 0
        self._wanted = True
        self._news = False

    @property
    def news(self) -> bool:
        """Whether a process has come or gone that was not told of: a command about it would not find its way."""
        return self._news or bool(self._parts)

    @property
    def pending(self) -> bool:
        """Whether there is something to tell, other than that we are alive."""
        return bool(self._wanted or self._parts or self._changed or self._gone)

    def begin(self) -> None:
        """Another link. What it was in the middle of begins again."""
        if self._parts:
            self._parts.clear()
            self._wanted = True

    def changed(self, uuid: str) -> None:
        """This process is not as it was."""
        self._changed[uuid] = None
        self._news = self._news or uuid not in self._told

    def deleted(self, uuid: str) -> None:
        """This process is no more."""
        self._changed.pop(uuid, None)
        self._gone[uuid] = None
        self._news = True
        self._wanted = self._wanted or len(self._gone) > GONE

    def beat(self) -> Heartbeat:
        """The next heartbeat."""
        self._beat += 1
        if self._wanted:
            self._capture()
        return self._next_part() if self._parts else self._next_changes()

    def heard(self, answer: Heard) -> None:
        """What the controller says to one of them. An answer to an older one than the last snapshot is outdated."""
        if answer.want == "whole" and answer.beat >= self._whole_from:
            self._wanted = True

    def _capture(self) -> None:
        """All as it is now. What is told of it later, though it was so already, does no harm."""
        self._wanted = self._news = False
        items = self._items(None)
        self._changed.clear()
        self._gone.clear()
        self._told = {item.uuid: hash_of(item) for item in items}
        self._digest = sum(self._told.values()) & MASK
        self._parts = deque(items[i : i + PART] for i in range(0, max(1, len(items)), PART))
        self._part = 0
        self._whole_from = self._beat

    def _next_part(self) -> Heartbeat:
        part, items = self._part, self._parts.popleft()
        self._part += 1
        more = bool(self._parts)
        digest = "" if more else text_of(self._digest)
        return Heartbeat(beat=self._beat, whole=True, part=part, more=more, items=items, digest=digest)

    def _next_changes(self) -> Heartbeat:
        gone = tuple(self._gone)  # all of them: one that was added again is among the changed
        self._gone.clear()
        for uuid in gone:
            self._digest -= self._told.pop(uuid, 0)
        chosen = tuple(self._changed)[:PART]
        items = self._items(chosen) if chosen else ()
        for uuid in chosen:
            del self._changed[uuid]
        for item in items:
            hashed = hash_of(item)
            self._digest += hashed - self._told.get(item.uuid, 0)
            self._told[item.uuid] = hashed
        self._digest &= MASK
        self._news = self._news and bool(self._changed)
        return Heartbeat(beat=self._beat, items=items, gone=gone, digest=text_of(self._digest))
