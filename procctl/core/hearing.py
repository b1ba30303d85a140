"""Following what a host tells of its processes, and knowing whether that is all it has told. Pure.

A heartbeat counts if it is the next one. One that was heard before is ignored; one that is not the next, or after which
the digests differ, leaves the host *out of step*: what is known of it is shown all the same, and known to be doubtful,
until a snapshot is there. So links may lose, repeat and reorder heartbeats. The host's side is `telling`.
"""

from __future__ import annotations

from functools import lru_cache

from attrs import define, field

from .digest import MASK, hash_of, text_of
from .messages import Heartbeat
from .records import Item
from .value import evolve

__all__ = ["Change", "Told"]

Change = tuple[Item | None, Item | None]
"""A process before and after; None: it was not, or is no more, there."""

_NOTHING: dict[str, float] = {}


@define
class Told:
    """What one host has told.

    Attributes:
        name: Of the host.
        items: Its processes by uuid.
        beat: Number of the last heartbeat that was followed.
        seen: The largest number that was heard of.
        digest: Of `items`, kept up to date.
        whole: Whether there was a snapshot of this run of the agent.
        differs: Whether the host's digest was another one.
        current: Whether anything was followed since the host has come (back).
    """

    name: str
    items: dict[str, Item] = field(factory=dict)
    beat: int = 0
    seen: int = 0
    digest: int = 0
    whole: bool = False
    differs: bool = False
    current: bool = False
    _parts: list[Item] | None = field(default=None, init=False)
    _part: int = field(default=0, init=False)
    _text: str = field(default="", init=False)  # of the digest, if it was asked for since it has changed

    @property
    def in_step(self) -> bool:
        """Whether `items` are what the host had when it sent its last heartbeat that was heard of."""
        return self.whole and self.current and not self.differs and self.seen == self.beat

    def begin(self, same: bool) -> None:
        """Its link is there (again); `same`: it is the run of its agent that has told what is known."""
        if not same:
            self.beat, self.whole, self.differs = 0, False, False
        self.seen, self.current, self._parts = self.beat, False, None

    def take(self, beat: Heartbeat) -> tuple[list[Change], bool]:
        """One heartbeat: what it changes, and whether a snapshot is wanted."""
        if beat.whole:
            return self._snapshot(beat)
        if beat.beat <= self.beat and self.current:
            return [], False
        if beat.beat > self.seen:
            self.seen = beat.beat
        if not self.whole or self._parts is not None or beat.beat != self.beat + 1:
            return [], True
        self.beat = beat.beat
        self.current = True
        changes = self._apply(beat) if beat.items or beat.gone else []
        if beat.digest:
            self.differs = beat.digest != self._text and beat.digest != text_of(self.digest)
            self._text = "" if self.differs else beat.digest
        return changes, self.differs or self.seen != self.beat

    def _apply(self, beat: Heartbeat) -> list[Change]:
        changes: list[Change] = []
        for uuid in sorted(beat.gone):
            gone = self.items.pop(uuid, None)
            if gone is not None:
                self.digest -= hash_of(gone)
                changes.append((gone, None))
        for told in beat.items:
            item = _lean(told, self.name)
            old = self.items.get(item.uuid)
            self.items[item.uuid] = item
            self.digest += hash_of(item) - (0 if old is None else hash_of(old))
            changes.append((old, item))
        self.digest &= MASK
        self._text = ""
        return changes

    def _snapshot(self, beat: Heartbeat) -> tuple[list[Change], bool]:
        number = beat.beat
        if number <= self.beat and self.current:
            return [], False
        expected = beat.part == 0 or (
            self._parts is not None and beat.part == self._part + 1 and number == self.seen + 1
        )
        self.seen = max(self.seen, number)
        if not expected:
            self._parts = None
            return [], True
        self._parts = [*([] if beat.part == 0 else self._parts or []), *beat.items]
        self._part = beat.part
        if beat.more:
            return [], False
        items, self._parts = self._parts, None
        return self._replace(items, beat), not self.in_step

    def _replace(self, told: list[Item], beat: Heartbeat) -> list[Change]:
        """From now on these, and no others."""
        before, self.items = self.items, {item.uuid: _lean(item, self.name) for item in told}
        changes: list[Change] = [(before[uuid], None) for uuid in sorted(before.keys() - self.items.keys())]
        changes += [(before.get(uuid), item) for uuid, item in self.items.items()]
        self.digest = sum(map(hash_of, self.items.values())) & MASK
        self._text = ""
        self.beat, self.whole, self.current = beat.beat, True, True
        self.differs = bool(beat.digest) and beat.digest != text_of(self.digest)
        return changes


def _lean(item: Item, hostname: str) -> Item:
    """The same with one copy of what a million of them have in common. A host speaks of itself and of no other."""
    why = item.why
    return evolve(
        item,
        name=_one(item.name),
        hostname=hostname,
        state=_one(item.state),
        detail=_one(item.detail),
        group=_one(item.group),
        why=evolve(why, code=_one(why.code), by=_one(why.by)),
        metrics=item.metrics or _NOTHING,
    )


@lru_cache(maxsize=1 << 16)
def _one(text: str) -> str:
    """Of equal texts always the same one."""
    return text
