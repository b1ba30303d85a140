"""The controller: the real gate, doorkeeper and links, on a made-up disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...abc import Call, Caller, Pending
from ...controller.links import AgentLink
from ...core.approval import Policy
from ...core.gate import Gate, Note, Strike
from ...core.leases import Lease
from ...core.messages import Failure, Heartbeat, Hello, LeaseRevoke
from ...core.registry import Registry
from ...core.terms import Terms
from ...link.doorkeeper import Doorkeeper
from .host import Agent
from .network import Wire
from .world import Clock, World

__all__ = ["Paper", "Top"]


class Paper:
    """What is durable of a gate.

    Args:
        struck: Told of each lease that is no more, when that is durable.
    """

    def __init__(self, struck: Callable[[int], None]) -> None:
        self.leases: dict[int, Lease] = {}
        self.token = 0
        self.epoch = 0
        self._struck = struck

    def commit(self, batch: Sequence[Note | Strike]) -> None:
        """All of it, at once."""
        for out in batch:
            if isinstance(out, Note):
                self.leases[out.lease.token] = out.lease
                self.token = max(self.token, out.lease.token)
            else:
                self.leases.pop(out.token, None)
                self._struck(out.token)


class Top:
    """A controller over its lives.

    Args:
        world: Time.
        paper: What is durable.
        terms: Of leases.
        drift: Of its clock.
    """

    def __init__(self, world: World, paper: Paper, terms: Terms, drift: float) -> None:
        self.world = world
        self.paper = paper
        self.terms = terms
        self.clock = Clock(world, drift)
        self.life: Life | None = None
        self.policies: tuple[Policy, ...] = ()
        self.failing = 0.0
        """The share of commits that fail, and of those at which it crashes."""

    def start(self) -> None:
        """Another life."""
        if self.life is None:
            self.paper.epoch += 1
            self.world.note(f"controller life {self.paper.epoch}")
            self.life = Life(self)

    def crash(self) -> None:
        """It is killed; what is being written is there afterwards, or not."""
        life, self.life = self.life, None
        if life is None:
            return
        self.world.counts["controller crashes"] += 1
        self.world.note("controller killed")
        life.die()
        self.world.after(0.05 + self.world.random.random() * self.world.random.choice((1, 5, 40)), self.start)

    def greet(self, agent: Agent, wire: Wire) -> Any:
        """An agent's hello; what takes its requests, or None where nobody is."""
        return None if self.life is None else self.life.greet(agent, wire)


class Life:
    """One life of a controller. It is what `controller.links.Above` asks for."""

    def __init__(self, top: Top) -> None:
        self.top = top
        self.alive = True
        paper = top.paper
        gate = Gate(top.policies, Registry(), paper.token, terms=top.terms, epoch=paper.epoch, born=1)
        gate.book.load(paper.leases.values(), top.clock.read())
        self.door = self.entrance = Doorkeeper(gate, top.clock.now, self._later, self._revoke, self)
        self._links: dict[str, tuple[Wire, Agent, int]] = {}
        self._sessions: dict[str, _Session] = {}
        self._writing: tuple[Sequence[Note | Strike], Callable[[str], None]] | None = None
        self.door.perform(())

    def die(self) -> None:
        """It is no more."""
        self.alive = False
        if self._writing is not None and self.top.world.chance(0.5):
            self.top.paper.commit(self._writing[0])
        for wire, _, session in self._links.values():
            self.top.world.after(5 * self.top.world.random.random(), lambda w=wire, s=session: w.lose(s))  # type: ignore[misc]

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        def due() -> None:
            if self.alive:
                call()

        self.top.world.after(self.top.clock.real(seconds), due)

    # links --------------------------------------------------------------------------------------------------------

    def greet(self, agent: Agent, wire: Wire) -> Any:
        """A hello."""
        told = agent.guard.inventory(agent.machine.clock.now())
        hello = Hello(
            name=agent.machine.name,
            role="agent",
            epoch=agent.run,
            leases=told.leases,
            rids=told.rids,
            asked=told.asked,
            boot=told.boot,
            knows=told.knows,
        )
        link = AgentLink(self, None, agent.machine.name, agent.run)  # type: ignore[arg-type]
        self._links[agent.machine.name] = (wire, agent, wire.session)
        self.door.adopt(link.inventory(hello))
        session = self._sessions[agent.machine.name] = _Session(self, link)
        return session

    def current(self, session: _Session) -> bool:
        """Whether this is the last session of its host: one that came before it was ended by it."""
        return self.alive and self._sessions.get(session.host) is session

    def _revoke(self, lease: Lease, by: str, why: str) -> None:
        entry = self._links.get(lease.hostname)
        if entry is not None and entry[2] == entry[0].session:
            wire, agent, _ = entry
            wire.down(Call(request=LeaseRevoke(token=lease.token, uuid=lease.uuid, over=not by, why=why)), agent.take)

    def heard(self, host: str, beat: Heartbeat) -> None:
        """Nothing is made of it."""

    def left(self, host: str) -> None:
        """Nobody leaves."""

    def submit(self, call: Call) -> Pending:
        """Nothing else is asked."""
        return Pending.of(Failure(code="unknown-command", message=call.request.command))

    def stream(self, request: Any, caller: Caller) -> Any:
        """Nothing is streamed."""
        raise NotImplementedError

    # the notebook ---------------------------------------------------------------------------------------------------

    def write(self, batch: Sequence[Note | Strike], done: Callable[[str], None]) -> None:
        """See `link.doorkeeper.Notebook`."""
        self._writing = (tuple(batch), done)
        self.top.world.after(self.top.world.within(0.05), self._written)

    def _written(self) -> None:
        if not self.alive or self._writing is None:
            return
        dice = self.top.world.random.random()
        if dice < self.top.failing / 2:
            self.top.crash()
            return
        (batch, done), self._writing = self._writing, None
        if dice < self.top.failing:
            self.top.world.counts["failed commits"] += 1
            self.top.world.note("a commit fails")
            done("disk is full")
            return
        self.top.world.counts["commits"] += 1
        for out in batch:
            what = (
                f"lease {out.lease.token} of {out.lease.slot} for {out.lease.hostname}" if isinstance(out, Note) else ""
            )
            self.top.world.note(what or f"lease {out.token} struck")  # type: ignore[union-attr]
        self.top.paper.commit(batch)
        done("")


class _Session:
    """What takes an agent's requests, for as long as this life lasts."""

    def __init__(self, life: Life, link: AgentLink) -> None:
        self._life = life
        self._link = link
        self.host = link.host

    @property
    def alive(self) -> bool:
        """Whether the controller listens to it."""
        return self._life.current(self)

    def submit(self, call: Call) -> Pending:
        """One request."""
        return self._link.submit(call)
