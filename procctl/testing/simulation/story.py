"""One seed: three hosts, a controller, faults of every kind, then calm; and what has to hold all the time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from attrs import frozen

from ...core.messages import Kill, Restart, Start, Stop
from ...core.specs import ProcessSpec, RestartSpec, StopSpec
from ...core.states import Phase
from ...core.terms import Terms
from ..outcome import Outcome
from .host import Agent, Machine
from .kernel import Kernel, Run
from .network import Wire, Wires
from .person import Person
from .top import Paper, Top
from .world import Violation, World

__all__ = ["Faults", "Violation", "simulate"]

SLOTS = ("web", "db")
HOSTS = ("a", "b", "c")


@frozen(kw_only=True)
class Faults:
    """How a story is told.

    Attributes:
        chaos: Seconds of faults.
        freeze: Whether keepers and agents may stop altogether, which breaks what is assumed.
    """

    chaos: float = 240.0
    freeze: bool = False


def simulate(seed: int, faults: Faults | None = None) -> Outcome:
    """Tell one story to its end, or to the first rule that does not hold."""
    story = Story(seed, faults or Faults())
    broken = ""
    try:
        story.tell()
    except Violation as error:
        broken = str(error)
    world = story.world
    return Outcome(
        seed=seed,
        digest=world.digest,
        seconds=world.time,
        counts=dict(world.counts),
        broken=broken,
        lines=tuple(world.lines) if broken else (),
    )


_UNDER_WAY = 5.0
"""Seconds in which a word arrives when all is calm."""


class Story:
    """See `simulate`."""

    def __init__(self, seed: int, faults: Faults) -> None:
        world = self.world = World(seed)
        self._faults = faults
        dice = world.random
        drift = dice.choice((0.002, 0.01, 0.05))
        self._harsh = dice.random() < 0.5
        self.terms = Terms(
            ttl=dice.choice((12.0, 30.0)), drift=drift, wake=1.0, kill=1.0, renew=dice.choice((2.0, 4.0))
        )
        self.kernel = Kernel(world, self.terms, self._born, self._died)
        self.paper = Paper(self._struck)
        self.top = Top(world, self.paper, self.terms, drift)
        self.person = Person(world, self.top, dice.choice((0.0, 0.0, 0.3)))
        self.top.policies = (self.person.policy,)
        world.late = 0.7 if self._harsh else 0.3
        self.kernel.stubborn = 0.8 if self._harsh else 0.3
        slow = dice.choice((0.5, 3.0, 0.7 * self.terms.ttl))
        self.wires = Wires(world, slow, slowly=0.3 if self._harsh else 0.1, doubling=0.05)
        self._last: dict[str, tuple[int, int]] = {}
        self._cuts: dict[str, int] = {}
        self.machines = []
        for name in HOSTS:
            keeps = world.chance(0.5)
            machine = Machine(name, world, self.kernel, self._specs(), keeps, world.chance(0.6), drift)
            machine.wire = self._wire
            machine.lazy = dice.choice((0.05, 0.7 * self.terms.wake))
            self.machines.append(machine)

    def _specs(self) -> tuple[ProcessSpec, ...]:
        dice = self.world.random
        return tuple(
            ProcessSpec(
                name=slot,
                command=(slot,),
                mode=dice.choice(("one", "one", "force")),
                level=dice.choice(("lease", "lease", "strict")),
                standby=dice.random() < 0.5,
                restart=RestartSpec(policy="always", delay=(0.5, 4.0), limit=None),
                stop=StopSpec(steps=(("SIGTERM", dice.choice((0.5, 3.0, 20.0))),)),
            )
            for slot in SLOTS
        )

    def _wire(self, agent: Agent) -> Wire:
        host = agent.machine.name
        return Wire(
            self.wires, host, lambda wire: self.top.greet(agent, wire), lambda: agent.asking.joined(), agent.again
        )

    # the plot -----------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Faults, then calm, and what has to have come of it."""
        world = self.world
        self.top.start()
        self.top.failing = world.random.choice((0.0, 0.0, 0.05, 0.2))
        for machine in self.machines:
            machine.crashes = world.random.choice((0.0, 0.002))
            world.after(world.random.random(), machine.start)
        self._happen()
        world.run(self._faults.chaos, self._check)
        self._calm()
        world.run(self._faults.chaos + 3 * self.terms.ttl + 40, self._check)
        self._decided()

    def _happen(self) -> None:
        """The next fault, or the next command."""
        world, dice = self.world, self.world.random
        if world.time >= self._faults.chaos:
            return
        world.after(dice.expovariate(1 / (6.0 if self._harsh else 2.5)), self._happen)
        kinds: tuple[Callable[[Machine], None], ...] = (
            self._command, self._command, self._command, self._cut, self._cut,
            Machine.crash, self._controller, self._drift, self._reboot, self._person,
        )  # fmt: skip
        if self._harsh:  # fewer things happen, and they last
            kinds = (self._command, self._command, self._cut, self._cut, self._cut, self._drift, self._person)
            if world.chance(0.2):
                kinds = (Machine.crash, self._controller)
        dice.choice(kinds)(dice.choice(self.machines))
        if self._faults.freeze and world.chance(0.2):
            self._freeze(dice.choice(self.machines))

    def _command(self, machine: Machine) -> None:
        agent, dice = machine.agent, self.world.random
        if agent is None:
            return
        name = dice.choice(SLOTS)
        request = dice.choice(
            (
                Start(name=name),
                Start(name=name, standby=True),
                Start(name=name, force=True),
                Stop(name=name),
                Kill(name=name),
                Restart(name=name),
            )
        )
        self.world.note(f"{machine.name} {type(request).__name__} {name}")
        agent.command(request)

    def _cut(self, machine: Machine) -> None:
        self.wires.cut.add(machine.name)
        self.world.counts["partitions"] += 1
        self.world.note(f"{machine.name} cut off")
        length = self.world.random.random() * self.world.random.choice((2, 20, 3 * self.terms.ttl))
        if self._harsh:
            length = self.terms.ttl * (0.8 + 1.5 * self.world.random.random())

        self._cuts[machine.name] = self._cuts.get(machine.name, 0) + 1
        this = self._cuts[machine.name]

        def heal() -> None:
            if self._cuts[machine.name] != this:
                return  # it was cut again meanwhile
            self.wires.cut.discard(machine.name)
            self.world.note(f"{machine.name} reachable")

        self.world.after(length, heal)

    def _controller(self, machine: Machine) -> None:
        self.top.crash()

    def _drift(self, machine: Machine) -> None:
        machine.clock.change()
        self.top.clock.change()

    def _reboot(self, machine: Machine) -> None:
        if self.world.chance(0.3):
            machine.reboot()
            if self.world.chance(0.5):
                self.world.after(2 * self.world.random.random(), lambda: self.person.free(machine))

    def _person(self, machine: Machine) -> None:
        self.person.answer()

    def _freeze(self, machine: Machine) -> None:
        """Both guards of a machine stop: nothing that is assumed holds any more."""
        machine.keeper.frozen = True
        if machine.agent is not None:
            machine.agent.asking.close()

    def _calm(self) -> None:
        self.world.note("calm")
        self.wires.calm = True
        self.wires.cut.clear()
        self.top.failing = 0.0
        for machine in self.machines:
            machine.crashes = 0.0

    # the rules ----------------------------------------------------------------------------------------------------

    def _born(self, run: Run) -> None:
        """I1: never two. I2: numbers grow. I3: on a lease that is put down."""
        others = [other for other in self.kernel.runs if other.slot == run.slot and other is not run]
        if others:
            raise Violation("I1", f"{run.slot} on {run.host} beside the one on {others[0].host}")
        number = (run.epoch, run.token)
        if run.token <= self._last.get(run.slot, (0, 0))[1]:
            raise Violation("I2", f"{run.slot} begins with {number} after {self._last[run.slot]}")
        self._last[run.slot] = number
        lease = self.paper.leases.get(run.token)
        if lease is None or (lease.slot, lease.hostname) != (run.slot, run.host):
            raise Violation("I3", f"{run.slot} on {run.host} runs on lease {run.token}, which is not put down")

    def _died(self, run: Run) -> None:
        self.world.note(f"{run.host} {run.slot} pid {run.pid} all gone")

    def _struck(self, token: int) -> None:
        """I3: what is struck out has nothing running on it."""
        for run in self.kernel.runs:
            if run.token == token:
                raise Violation("I3", f"lease {token} is struck out while {run.slot} runs on it on {run.host}")

    def _check(self) -> None:
        """C2: one lease for a slot."""
        life = self.top.life
        if life is None:
            return
        for slot in SLOTS:
            holders = life.door.gate.holders(slot)
            if len(holders) > 1:
                text = ", ".join(f"{lease.token} on {lease.hostname}" for lease in holders)
                raise Violation("C2", f"{slot} has the leases {text}")

    def _decided(self) -> None:
        """I5: whoever asks has an answer, or waits for somebody who is there; and no lease is left over, but for those
        questions and releases that are under way at this moment."""
        left = self._undecided()
        if left:
            self.world.run(self.world.time + _UNDER_WAY, self._check)
            later = self._undecided()
            left = {key: text for key, text in left.items() if key in later}
        for text in left.values():
            raise Violation("I5", text)

    def _undecided(self) -> dict[int | str, str]:
        """Leases that are out and that no process has, and questions in vain; and what to say of each."""
        life = self.top.life
        held = {lease.token: lease for lease in self.paper.leases.values()}
        vain: dict[int | str, str] = {}
        for machine in self.machines:
            agent = machine.agent
            if agent is None or life is None:
                raise Violation("I5", f"{machine.name} or the controller never came back")
            for process in agent.host.processes.values():
                rid = f"{machine.name}/{process.rid}"
                waits = process.phase is Phase.ASKING and not self.person.is_asked(rid)
                if waits and not life.door.gate.holders(process.name):
                    vain[rid] = f"{process.name} on {machine.name} asks, nobody holds it, and nothing happens"
                with suppress(KeyError):
                    del held[process.token]
        for token, lease in held.items():
            if self.world.time - (lease.at - 1e9) > self.terms.ttl:
                vain[token] = f"lease {token} of {lease.slot} is held by nobody"
        return vain
