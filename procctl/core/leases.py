"""Permission to run, as given, and the book of all that are out. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from .specs import Level, Mode, Scope
from .value import Value

__all__ = ["Book", "Inventory", "Lease"]


@frozen(kw_only=True, eq=False, repr=False)
class Lease(Value):
    """Permission to run, as given.

    Attributes:
        token: Grows with every grant; a process shows it to what it writes to (fencing).
        slot: The name that it is for.
        hostname: The host that holds it.
        uuid: The process that holds it.
        mode: The mode that it was given in.
        scope: Where it stands in the way of others.
        level: What becomes of it when its host is lost.
        rid: The question that it answered.
        at: When, seconds since the epoch.
        by: Who had asked for the start.
        run: Which run of the agent holds it.
        boot: Which boot of the host's machine, or empty.
        asked: The agent's clock when it last asked for it.
        epoch: Which life of the gate gave it.
        ttl: For so many seconds after it was given or renewed; 0: until its end is known.
        revoked: On whose behalf it has to end, or empty.
    """

    token: int
    slot: str
    hostname: str
    uuid: str
    mode: Mode = "many"
    scope: Scope = "fleet"
    level: Level = "lease"
    rid: str = ""
    at: float = 0.0
    by: str = ""
    run: str = ""
    boot: str = ""
    asked: float = 0.0
    epoch: int = 0
    ttl: float = 0.0
    revoked: str = ""


class Book:
    """Leases that are out, found by token, slot and question.

    Attributes:
        leases: By token.
        until: Of those that run out: when, by the gate's own clock.
        token: The highest that was ever in here.
    """

    def __init__(self, token: int = 0) -> None:
        self.token = token
        self.leases: dict[int, Lease] = {}
        self.until: dict[int, float] = {}
        self._by_slot: dict[str, tuple[Lease, ...]] = {}  # mostly of one; in the order in which they came
        self._by_rid: dict[str, Lease] = {}
        self._numbers: dict[tuple[str, int], int] = {}  # of leases from elsewhere whose own number was taken

    def number(self, hostname: str, token: int) -> int:
        """Under which token a host's lease is in here: its own, unless that was taken."""
        return self._numbers.get((hostname, token), token)

    def renumber(self, hostname: str, token: int) -> int:
        """A number of its own for a lease from elsewhere whose number is taken."""
        self.token += 1
        self._numbers[hostname, token] = self.token
        return self.token

    def get(self, token: int, hostname: str = "") -> Lease | None:
        """One that is out, and with `hostname` held by that host."""
        lease = self.leases.get(self.number(hostname, token))
        return None if lease is None or (hostname and lease.hostname != hostname) else lease

    def of_question(self, rid: str) -> Lease | None:
        """The one that answered a question."""
        return self._by_rid.get(rid)

    def holders(self, slot: str) -> tuple[Lease, ...]:
        """Who holds leases for a slot."""
        return self._by_slot.get(slot, ())

    @property
    def slots(self) -> list[str]:
        """All that are held."""
        return list(self._by_slot)

    def of_host(self, hostname: str) -> list[Lease]:
        """All that a host holds."""
        return [lease for lease in self.leases.values() if lease.hostname == hostname]

    def keep(self, lease: Lease, now: float) -> Lease:
        """Put it in, or in the place of what it was before. If it runs out, it does so a whole `ttl` from now."""
        self.token = max(self.token, lease.token)
        self.leases[lease.token] = lease
        self._file(lease)
        if lease.ttl:
            self.until[lease.token] = now + lease.ttl
        return lease

    def change(self, lease: Lease) -> Lease:
        """The same lease with other words; when it runs out stays as it is."""
        self.leases[lease.token] = lease
        self._file(lease)
        return lease

    def _file(self, lease: Lease) -> None:
        held = self._by_slot.get(lease.slot, ())
        if any(other.token == lease.token for other in held):
            held = tuple(lease if other.token == lease.token else other for other in held)
        else:
            held = (*held, lease)
        self._by_slot[lease.slot] = held
        self._by_rid[lease.rid] = lease

    def drop(self, lease: Lease) -> None:
        """It is out no more."""
        token = lease.token
        del self.leases[token]
        self.until.pop(token, None)
        for alias in [alias for alias, number in self._numbers.items() if number == token]:
            del self._numbers[alias]
        held = tuple(other for other in self._by_slot[lease.slot] if other.token != token)
        if held:
            self._by_slot[lease.slot] = held
        else:
            del self._by_slot[lease.slot]
        if self._by_rid.get(lease.rid) is lease:
            del self._by_rid[lease.rid]

    def overdue(self, now: float) -> list[Lease]:
        """Those that have run out."""
        return [self.leases[token] for token, until in self.until.items() if now >= until]

    def load(self, leases: Iterable[Lease], now: float) -> None:
        """What was out when the gate ended: for a whole `ttl` again, since nobody knows when it was renewed last."""
        for lease in leases:
            self.keep(lease, now)


@frozen(kw_only=True, eq=False, repr=False)
class Inventory(Value):
    """What an agent says of itself when it joins.

    Attributes:
        hostname: Its host.
        run: Which run of the agent.
        leases: What it holds.
        rids: Its questions that are open.
        asked: Its clock then.
        boot: Which boot of its machine, or empty.
        knows: By that clock: what earlier runs of the agent have asked for since then, it knows. None: nothing of it.
    """

    hostname: str
    run: str
    leases: tuple[Lease, ...] = ()
    rids: tuple[str, ...] = ()
    asked: float = 0.0
    boot: str = ""
    knows: float | None = None

    def forgets(self, rid: str, asked: float, run: str) -> bool:
        """Whether it says for certain that it does not ask this any more."""
        return run != self.run or (asked < self.asked and rid not in self.rids)

    def booted(self, lease: Lease) -> bool:
        """Whether the machine was booted since, so that nothing is left, whoever still believes otherwise."""
        return bool(lease.boot and self.boot) and lease.boot != self.boot

    def denies(self, lease: Lease) -> bool:
        """Whether it says for certain that nothing runs on a lease which is not among its own, nor ever will.

        It says so of what it had asked for before, if it does not ask for it any more. Of an earlier run's it says so
        only if it knows them, or if the machine was booted since.
        """
        if self.booted(lease):
            return True
        if lease.run == self.run:
            return lease.asked < self.asked and lease.rid not in self.rids
        return lease.mode == "many" or (self.knows is not None and self.knows <= lease.asked < self.asked)
