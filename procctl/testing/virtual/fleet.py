"""The fleet as tests have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Self

import anyio

from ...agent.agent import Agent, OnExit
from ...aio.block import Block
from ...aio.timers import Timers
from ...controller.controller import Controller
from ...core.approval import Policy
from ...core.budget import RestartBudget
from ...core.reach import Reach
from ...core.terms import Terms
from .child import FakeChild, Script
from .clock import HostClock
from .disk import Disk
from .kernel import HostKernel, Programs
from .lives import AgentLife, ControllerLife, Life, Shared
from .network import Network
from .trace import Trace

__all__ = ["VirtualFleet"]

PATIENCE = 60.0
"""Seconds for what has to happen before a method returns."""

LEAVING = 3600.0
"""Seconds for an agent to stop all that it runs at the end."""


class VirtualFleet:
    """Agents and a controller on hosts that are made up, for as long as the block lasts.

    They are real: `Agent` and `Controller` with all that is in them. The programs that they run are `FakeChild`, which
    costs no process; wires, disks and clocks are made up, too, and fail when they are told to. Where the loop's time
    is virtual (`run_virtual`, or the fixture ``procctl_fleet``), hours pass in moments.

    Whenever a program begins, it is checked that it is alone in its slot where it has to be, and that its lease has a
    higher number than the one before. What does not hold is raised as `Violation` by `run` and at the end of the block.

    Args:
        hosts: Names of hosts, or how many (``host1``, …). On each there is an agent, which has joined.
        seed: Of everything that is chance.
        on_exit: What the end of an agent means for what it runs.
        remembers: Whether agents have state folders.
        journal: Whether the controller has one. Without it nothing is promised over its end, and rules that rest on
            that are not checked.
        approval: The controller's policies.
        scripts: What programs do, by the names of their processes; default: `Script()`.
        terms: Of leases.
        reach: What the controller does about hosts that do not respond.
        restarts: Its budget of automatic restarts.
        drift: By this share of time clocks of hosts are wrong.

    Attributes:
        network: The wires; how slow they are can be said there.
        scripts: As above. What is put there counts for programs that begin later.
        trace: What has happened.

    Raises (when left):
        Violation: Something never to happen has happened.
        InternalError: A defect of procctl.

    Cancellation: agents stop what they run, then it leaves.
    """

    def __init__(
        self,
        hosts: int | Sequence[str] = 2,
        *,
        seed: int = 0,
        on_exit: OnExit = "stop",
        remembers: bool = True,
        journal: bool = True,
        approval: Sequence[Policy] = (),
        scripts: Mapping[str, Script] | None = None,
        terms: Terms | None = None,
        reach: Reach | None = None,
        restarts: RestartBudget | None = None,
        drift: float = 0.0,
    ) -> None:
        self.hosts = tuple(f"host{i + 1}" for i in range(hosts)) if isinstance(hosts, int) else tuple(hosts)
        if len(set(self.hosts)) != len(self.hosts) or "controller" in self.hosts:
            raise ValueError(f"names of hosts are different, and none is 'controller': {self.hosts}")
        self.scripts = dict(scripts or {})
        self.dice = Random(seed)
        self._on_exit: OnExit = on_exit
        self._remembers = remembers
        self._journal = journal
        self._policies = tuple(approval)
        self._terms = terms or Terms()
        self._reach = reach
        self._restarts = restarts
        self._drift = drift
        self._block = Block("the virtual fleet", self._leave)

    # the block ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._born = anyio.current_time()
        self.trace = Trace(lambda: anyio.current_time() - self._born)
        self.network = Network(self.trace, self._some_dice())
        self._timers = Timers()
        self._programs = Programs(self.trace, self._timers.after, self.scripts, self._journal)
        self._programs.born = self._born_on_a_lease
        shared = Shared(
            trace=self.trace, network=self.network, block=self._block, terms=self._terms, controller="controller"
        )
        clock, dice = self._clock(), self._some_dice()
        self._top = ControllerLife(
            shared, clock, Disk(dice), dice, self._policies, self._journal, self._reach, self._restarts
        )
        self._agents: dict[str, AgentLife] = {}
        for name in self.hosts:
            kernel = HostKernel(name, self._programs, self._clock(), self._some_dice())
            self._agents[name] = AgentLife(kernel, shared, self._on_exit, self._remembers)
        await self._block.__aenter__()
        try:
            self._block.start_soon(self._timers.run)
            for life in self._lives:
                life.begin()
                await self._entered(life)
        except BaseException as error:
            await self._block.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._block.__aexit__(kind, error, trace)
        if error is None:
            self.trace.check()

    async def _leave(self) -> None:
        self.heal()
        for life in self._lives:
            life.disk.failing = 0.0
            if life.power is not None:
                life.power.fuse = None
        async with anyio.create_task_group() as group:
            for agent in self._agents.values():
                group.start_soon(self._end, agent)
        await self._end(self._top)

    async def _end(self, life: Life) -> None:
        """Have it left; one that cannot be left is killed, and that is told."""
        with anyio.move_on_after(LEAVING) as scope:
            await life.leave()
        if scope.cancelled_caught and life.power is not None:
            self.trace.violate("leaving", f"{life.name} could not be left within {LEAVING:g} s")
            life.power.off()
            await life.over.wait()

    def _born_on_a_lease(self, child: FakeChild) -> None:
        """I3: what has to be alone runs on a lease that was put down."""
        if child.place.exclusive and self._journal and not self._top.disk.knows(f"lease/{child.token}"):
            self.trace.violate("I3", f"{child.name} on {child.host} runs on lease {child.token}, which is not put down")

    def _some_dice(self) -> Random:
        return Random(self.dice.getrandbits(64))

    def _clock(self) -> HostClock:
        return HostClock(self._born, 1000 * self.dice.random(), 1 + self._drift * self.dice.choice((-1, 0, 1)))

    @property
    def _lives(self) -> tuple[Life, ...]:
        return (self._top, *self._agents.values())

    async def _entered(self, life: Life) -> None:
        with anyio.fail_after(PATIENCE):
            await life.entered.wait()

    # who is there -------------------------------------------------------------------------------------------------

    @property
    def controller(self) -> Controller:
        """The controller as it is now, with all that a `Fleet` can do, for all hosts. After a crash it is another."""
        assert self._top.controller is not None
        return self._top.controller

    def agent(self, host: str) -> Agent:
        """The agent of a host as it is now."""
        agent = self._life(host).agent
        assert agent is not None
        return agent

    def runs(self, host: str = "controller") -> bool:
        """Whether the agent of a host, or the controller, runs."""
        return self._any(host).runs

    def children(self, name: str = "", *, host: str = "") -> list[FakeChild]:
        """The fake programs that run now.

        Args:
            name: Only those of this process or slot.
            host: Only those there.
        """
        return [
            child
            for child in self._programs.living
            if child.alive and name in ("", child.name, child.name.rpartition(".")[0]) and host in ("", child.host)
        ]

    def child(self, name: str) -> FakeChild:
        """The one program of this process or slot.

        Raises:
            LookupError: There is none, or more than one.
        """
        found = self.children(name)
        if len(found) != 1:
            raise LookupError(f"{len(found)} programs run as {name!r}: {found}")
        return found[0]

    # time ---------------------------------------------------------------------------------------------------------

    async def run(self, seconds: float) -> None:
        """Let so much time pass.

        Raises:
            Violation: Something never to happen has happened.
        """
        await anyio.sleep(seconds)
        self.trace.check()

    @property
    def time(self) -> float:
        """Seconds since the beginning of the block."""
        return anyio.current_time() - self._born

    # faults -------------------------------------------------------------------------------------------------------

    def partition(self, one: str, other: str = "controller") -> None:
        """These do not reach each other any more. Nothing is told to either."""
        for name in (one, other):
            self._any(name)
        if one == other or "controller" not in (one, other):
            raise ValueError(f"there is no wire between {one} and {other}: agents talk to the controller")
        self.network.partition(one, other)

    def heal(self, *hosts: str) -> None:
        """All reach each other again, or these do."""
        self.network.heal(*hosts)

    def sever(self, host: str) -> None:
        """Break the wire of that host: both ends see it, and come together again."""
        self.network.sever(self._life(host).name, "controller")

    def crash(self, host: str, *, after: int = 0) -> None:
        """Kill the agent of a host, as by SIGKILL.

        Args:
            host: Whose agent.
            after: So many more frames that it sends, records that it writes, signals and forks come first.
        """
        self._crash(self._life(host), after)

    def crash_controller(self, *, after: int = 0) -> None:
        """Kill the controller; `after` as in `crash`."""
        self._crash(self._top, after)

    def _crash(self, life: Life, after: int) -> None:
        if life.power is None or not life.power.on:
            return
        self.trace.counts["crashes"] += 1
        self.trace.note(f"{life.name} is killed" + (f" after {after} steps" if after else ""))
        if after:
            life.power.fuse = after
        else:
            life.power.off()

    async def restart(self, host: str) -> None:
        """Start the agent of a host again, after a crash; it has joined when this returns."""
        await self._restart(self._life(host))

    async def restart_controller(self) -> None:
        """Start the controller again; agents join by themselves."""
        await self._restart(self._top)

    async def _restart(self, life: Life) -> None:
        if life.runs:
            raise ValueError(f"{life.name} runs")
        await life.over.wait()
        life.begin()
        await self._entered(life)

    def begin(self, host: str) -> bool:
        """As `restart` or `restart_controller`, without waiting for anything. False: it is not cleared away yet."""
        life = self._any(host)
        if life.runs or not life.over.is_set():
            return False
        life.begin()
        return True

    def reboot(self, host: str) -> None:
        """Take the power from a host, and give it back: its programs are gone. Its agent has to be started again."""
        life = self._life(host)
        self.trace.counts["reboots"] += 1
        self.trace.note(f"{host} loses its power")
        self.network.vanish(host)
        if life.power is not None:
            life.power.off()
        life.kernel.reboot()

    def fail_disk(self, host: str = "controller", share: float = 1.0) -> None:
        """Of what is written there, this share cannot be."""
        self._any(host).disk.failing = share

    def drift(self, host: str, rate: float) -> None:
        """Its clock runs at that rate from now on; 1 is right."""
        self._any(host).clock.change(rate)

    def _any(self, host: str) -> Life:
        return self._top if host == "controller" else self._life(host)

    def _life(self, host: str) -> AgentLife:
        if host not in self._agents:
            raise LookupError(f"there is no host {host!r}, only {', '.join(self._agents)}")
        return self._agents[host]
