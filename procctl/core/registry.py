"""What a controller knows of its hosts: who was heard when, and what they said. Pure.

Items carry no clock of their own: an agent numbers its heartbeats, and the registry keeps the newest. A host whose
link is lost keeps its items; they are shown as not responding until it is heard again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

from .matching import match_host, select
from .messages import (
    AnyEvent,
    Failure,
    Heartbeat,
    HostInfo,
    Registered,
    Removed,
    StateChanged,
    Target,
)
from .records import Item, Why
from .states import State
from .value import Value, evolve

__all__ = ["About", "HostRecord", "Registry"]


@frozen(kw_only=True, eq=False, repr=False)
class About(Value):
    """What is known of a host by its link: see `procctl.core.replies.HostInfo`."""

    epoch: str = ""
    version: str = ""
    address: str = ""
    transport: str = ""
    identity: str = ""
    roles: tuple[str, ...] = ()
    features: dict[str, bool] = field(factory=dict, hash=False)


@define
class HostRecord:
    """One host.

    Attributes:
        name: Of the host.
        about: Its link, and which run of its agent was heard last.
        items: Its processes by uuid.
        beat: Number of the last heartbeat.
        heard: When it was heard last, seconds since the epoch.
        lost: Since when its link is lost, or None.
    """

    name: str
    about: About = field(factory=About)
    items: dict[str, Item] = field(factory=dict)
    beat: int = 0
    heard: float = 0.0
    lost: float | None = None


class Registry:
    """All hosts. What policies are given as `fleet`."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostRecord] = {}
        self._proven: dict[str, str] = {}

    def processes(self, name: str = "", hostname: str = "") -> tuple[Item, ...]:
        """Items whose name and host match these patterns; empty means all."""
        return tuple(self.select(Target(name=name, hostname=hostname)))

    def select(self, target: Target) -> list[Item]:
        """The items that a target names, in the order of their hosts' joining."""
        return select(target, self._items(), lambda item: (item.hostname, _base(item.name), item.group))

    def match(self, pattern: str) -> list[HostRecord]:
        """The hosts that match a pattern; empty means all."""
        return [host for host in self.hosts.values() if match_host(pattern, host.name)]

    def known(self, hostname: str = "") -> tuple[HostInfo, ...]:
        """The hosts whose names match, for people and programs."""
        return tuple(_info(host) for host in self.match(hostname))

    def refusal(self, name: str, identity: str) -> Failure | None:
        """Why somebody may not join by this name: it was proven by another identity once, and stays theirs."""
        theirs = self._proven.get(name)
        if theirs is None or theirs == identity:
            return None
        text = f"the name {name} belongs to {theirs} here, and this is {identity or 'nobody who is proven'}"
        return Failure(code="forbidden", message=text, hint="take another name, or start the controller anew")

    def joined(self, name: str, about: About, wall: float) -> list[AnyEvent]:
        """A host's link is there. What it said before stays, and counts again, until its first whole heartbeat."""
        if about.identity:
            self._proven[name] = about.identity
        host = self.hosts.setdefault(name, HostRecord(name))
        lost, host.lost = host.lost, None
        host.about, host.beat, host.heard = about, 0, wall
        if lost is None:
            return []
        gone = int(State.NOTRESPONDING)
        return [StateChanged(time=wall, process=item, old=gone, new=item.status) for item in host.items.values()]

    def heard(self, name: str, beat: Heartbeat, wall: float) -> list[AnyEvent]:
        """A heartbeat; an older one than was heard already is ignored. Returns what it changes."""
        host = self.hosts[name]
        host.heard = wall
        if beat.beat <= host.beat:
            return []
        host.beat = beat.beat
        gone = set(beat.gone)
        if beat.whole:
            gone |= host.items.keys() - {item.uuid for item in beat.items}
        events: list[AnyEvent] = [
            Removed(time=wall, process=host.items.pop(uuid)) for uuid in sorted(gone) if uuid in host.items
        ]
        for item in beat.items:
            events += self._said(host, item, wall)
        return events

    def lose(self, name: str, wall: float) -> list[AnyEvent]:
        """A host's link is lost."""
        host = self.hosts[name]
        if host.lost is not None:
            return []
        before = [shown(item, host) for item in host.items.values()]
        host.lost = wall
        after = [shown(item, host) for item in host.items.values()]
        return [
            StateChanged(time=wall, process=new, old=old.status, new=new.status)
            for old, new in zip(before, after, strict=True)
            if old.status != new.status
        ]

    def leave(self, name: str, wall: float) -> list[AnyEvent]:
        """A host said goodbye: it is forgotten with all it had."""
        host = self.hosts.pop(name, None)
        return [Removed(time=wall, process=item) for item in host.items.values()] if host else []

    def _said(self, host: HostRecord, item: Item, wall: float) -> list[AnyEvent]:
        if item.hostname != host.name:
            item = evolve(item, hostname=host.name)  # a host speaks of itself and of no other
        old = host.items.get(item.uuid)
        host.items[item.uuid] = item
        if old is None:
            return [Registered(time=wall, process=item)]
        if (old.detail, old.ready, old.pid, old.status) == (item.detail, item.ready, item.pid, item.status):
            return []
        return [StateChanged(time=wall, process=item, old=old.status, new=item.status)]

    def _items(self) -> Iterator[Item]:
        for host in self.hosts.values():
            for item in host.items.values():
                yield shown(item, host)


def shown(item: Item, host: HostRecord) -> Item:
    """An item as an observer shows it: not responding where its host is lost."""
    if host.lost is None:
        return item
    text = f"{host.name} was lost; before that it was {item.detail}: {item.why.text}"
    return evolve(
        item,
        status=int(State.NOTRESPONDING),
        state=State.NOTRESPONDING.word,
        detail="agent-lost",
        why=Why(code="agent-lost", text=text, by=item.why.by, since=host.lost),
    )


def _info(host: HostRecord) -> HostInfo:
    about = host.about
    return HostInfo(
        name=host.name,
        state="joined" if host.lost is None else "lost",
        heard=host.heard,
        epoch=about.epoch,
        version=about.version,
        address=about.address,
        transport=about.transport,
        identity=about.identity,
        roles=about.roles,
        processes=len(host.items),
        running=sum(1 for item in host.items.values() if item.pid and host.lost is None),
        features=about.features,
    )


def names(items: Sequence[Item]) -> list[str]:
    """Slot and base names, for hints."""
    return list(dict.fromkeys(name for item in items for name in (_base(item.name), item.name)))


def _base(slot: str) -> str:
    base, dot, number = slot.rpartition(".")
    return base if dot and number.isdecimal() else slot
