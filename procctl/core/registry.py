"""What a controller knows of its hosts: who was heard when, and what they said. Pure.

A host that does not respond keeps its items; they are shown as not responding until it is heard again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field, frozen

from .hearing import Change, Told
from .matching import is_pattern, match_host, select
from .messages import (
    AnyEvent,
    Failure,
    Heartbeat,
    HostInfo,
    Miss,
    Registered,
    Removed,
    StateChanged,
    Target,
)
from .missing import missing
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


@define(kw_only=True)
class HostRecord(Told):
    """One host.

    Attributes:
        order: Hosts are shown by it.
        about: Its link, and which run of its agent was heard last.
        heard: When it was heard last, seconds since the epoch.
        lost: Since when its link is lost, or None.
        silent: Since when its link is there and nothing comes, or None.
    """

    order: int = 0
    about: About = field(factory=About)
    heard: float = 0.0
    lost: float | None = None
    silent: float | None = None


class Registry:
    """All hosts. What policies are given as `fleet`."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostRecord] = {}
        self._orders = 0
        self._by_uuid: dict[str, str] = {}
        self._twins: set[str] = set()  # uuids that several hosts have had
        self._by_name: dict[str, set[str]] = {}
        self._proven: dict[str, str] = {}

    # looking --------------------------------------------------------------------------------------------------

    def processes(self, name: str = "", hostname: str = "") -> tuple[Item, ...]:
        """Items whose name and host match these patterns; empty means all."""
        return tuple(self.select(Target(name=name, hostname=hostname)))

    def select(self, target: Target) -> list[Item]:
        """The items that a target names, in the order of their hosts' joining."""
        items = _items(self._concerned(target))
        return select(target, items, lambda item: (item.hostname, _base(item.name), item.group))

    def owner(self, uuid: str) -> str:
        """The host that has the process of this uuid; empty: nobody has it."""
        return self._by_uuid.get(uuid, "")

    def missing(self, target: Target) -> tuple[Miss, ...]:
        """What to say when nothing matches."""
        return tuple(missing(target, list(self.hosts), self._by_name, self._groups))

    def _groups(self) -> set[str]:
        return {item.group for host in self.hosts.values() for item in host.items.values()} - {""}

    def match(self, pattern: str) -> list[HostRecord]:
        """The hosts that match a pattern; empty means all."""
        if pattern and not is_pattern(pattern) and pattern in self.hosts:
            return [self.hosts[pattern]]
        return [host for host in self.hosts.values() if match_host(pattern, host.name)]

    def known(self, hostname: str = "") -> tuple[HostInfo, ...]:
        """The hosts whose names match, for people and programs."""
        return tuple(_info(host) for host in self.match(hostname))

    @property
    def count(self) -> int:
        """How many processes there are."""
        return len(self._by_uuid)

    @property
    def running(self) -> int:
        """How many of them have a pid."""
        return sum(1 for host in self.hosts.values() for item in host.items.values() if item.pid)

    def _concerned(self, target: Target) -> Iterable[HostRecord]:
        """The hosts that may have what a target names: a command on one process is not to look at a million."""
        if target.uuid in self._by_uuid and target.uuid not in self._twins:
            return (self.hosts[self._by_uuid[target.uuid]],)
        if target.hostname and not is_pattern(target.hostname) and target.hostname in self.hosts:
            return (self.hosts[target.hostname],)
        if target.name and not is_pattern(target.name):
            found = [self.hosts[name] for name in self._by_name.get(target.name, ())]
            return sorted(found, key=lambda host: host.order)
        return self.match(target.hostname)

    # hearing --------------------------------------------------------------------------------------------------

    def refusal(self, name: str, identity: str) -> Failure | None:
        """Why somebody may not join by this name: it was proven by another identity once, and stays theirs."""
        theirs = self._proven.get(name)
        if theirs is None or theirs == identity:
            return None
        text = f"the name {name} belongs to {theirs} here, and this is {identity or 'nobody who is proven'}"
        return Failure(code="forbidden", message=text, hint="take another name, or start the controller anew")

    def joined(self, name: str, about: About, wall: float) -> list[AnyEvent]:
        """A host's link is there. What it said before stays, and counts again, until it can be followed."""
        if about.identity:
            self._proven[name] = about.identity
        host = self.hosts.get(name)
        if host is None:
            self._orders += 1
            host = self.hosts[name] = HostRecord(name=name, order=self._orders)
        before = _shown(host)
        host.begin(about.epoch != "" and about.epoch == host.about.epoch)
        host.about, host.lost = about, None
        host.heard, host.silent = wall, None
        return _differences(before, _shown(host), wall)

    def heard(self, name: str, beat: Heartbeat, wall: float) -> tuple[list[AnyEvent], bool]:
        """A heartbeat: what it changes, and whether a snapshot is wanted."""
        host = self.hosts[name]
        events = self.alive(name, wall)
        changes, wanted = host.take(beat)
        if changes:
            self._index(host, changes)
            for change in changes:
                events += _event(change, wall)
        return events, wanted

    def alive(self, name: str, wall: float) -> list[AnyEvent]:
        """A host was heard; it has said nothing in particular."""
        host = self.hosts[name]
        host.heard = wall
        if host.silent is None:
            return []
        before = _shown(host)
        host.silent = None
        return _differences(before, _shown(host), wall)

    def silence(self, name: str, wall: float) -> list[AnyEvent]:
        """Nothing comes from a host, though its link seems to be there."""
        host = self.hosts[name]
        before = _shown(host)
        host.silent = wall
        return _differences(before, _shown(host), wall)

    def lose(self, name: str, wall: float) -> list[AnyEvent]:
        """A host's link is lost."""
        host = self.hosts[name]
        if host.lost is not None:
            return []
        before = _shown(host)
        host.lost, host.silent = wall, None
        return _differences(before, _shown(host), wall)

    def leave(self, name: str, wall: float) -> list[AnyEvent]:
        """A host said goodbye, or is given up: it is forgotten with all it had."""
        host = self.hosts.pop(name, None)
        if host is None:
            return []
        gone, host.items = tuple(host.items.values()), {}
        self._index(host, [(item, None) for item in gone])
        return [Removed(time=wall, process=item) for item in gone]

    def _index(self, host: HostRecord, changes: Sequence[Change]) -> None:
        """Find it by what is so now."""
        gone: set[str] = set()
        for old, new in changes:
            if old is not None and (new is None or new.name != old.name):
                gone |= _names(old)
                if new is None and self._by_uuid.get(old.uuid) == host.name:
                    del self._by_uuid[old.uuid]
            if new is not None and (old is None or new.name != old.name):
                if self._by_uuid.setdefault(new.uuid, host.name) != host.name:
                    self._twins.add(new.uuid)
                for name in _names(new):
                    self._by_name.setdefault(name, set()).add(host.name)
        for name in gone.difference(*map(_names, host.items.values())) if gone else ():
            hosts = self._by_name.get(name, set())
            hosts.discard(host.name)
            if not hosts:
                self._by_name.pop(name, None)


def _items(hosts: Iterable[HostRecord]) -> Iterator[Item]:
    for host in hosts:
        if host.lost is None and host.silent is None:
            yield from host.items.values()
        else:
            for item in host.items.values():
                yield shown(item, host)


def _shown(host: HostRecord) -> list[Item]:
    return [shown(item, host) for item in host.items.values()]


def _event(change: Change, wall: float) -> list[AnyEvent]:
    old, new = change
    if new is None:
        assert old is not None
        return [Removed(time=wall, process=old)]
    if old is None:
        return [Registered(time=wall, process=new)]
    if (old.detail, old.ready, old.pid, old.status) == (new.detail, new.ready, new.pid, new.status):
        return []
    return [StateChanged(time=wall, process=new, old=old.status, new=new.status)]


def _differences(before: Sequence[Item], after: Sequence[Item], wall: float) -> list[AnyEvent]:
    """The same items, shown in another way."""
    return [
        StateChanged(time=wall, process=new, old=old.status, new=new.status)
        for old, new in zip(before, after, strict=True)
        if (old.status, old.detail) != (new.status, new.detail)
    ]


def shown(item: Item, host: HostRecord) -> Item:
    """An item as an observer shows it: not responding where its host does not."""
    if host.lost is not None:
        code, since, text = "agent-lost", host.lost, f"{host.name} was lost"
    elif host.silent is not None:
        code, since, text = "heartbeat-lost", host.silent, f"nothing comes from {host.name}, though its link is there"
    else:
        return item
    return evolve(
        item,
        status=int(State.NOTRESPONDING),
        state=State.NOTRESPONDING.word,
        detail=code,
        why=Why(
            code=code, text=f"{text}; before that it was {item.detail}: {item.why.text}", by=item.why.by, since=since
        ),
    )


def _info(host: HostRecord) -> HostInfo:
    about = host.about
    return HostInfo(
        name=host.name,
        state="lost" if host.lost is not None else "joined" if host.silent is None else "silent",
        heard=host.heard,
        in_step=host.in_step,
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


def _names(item: Item) -> set[str]:
    """The names that mean it: its slot's, and its declaration's."""
    return {item.name, _base(item.name)}


def _base(slot: str) -> str:
    base, dot, number = slot.rpartition(".")
    return base if dot and number.isdecimal() else slot
