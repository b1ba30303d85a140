"""One machine with its agent: the real host, guard and asking, on a made-up kernel and disk."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from ...abc import Call
from ...agent.sweep import Sweep
from ...agent.top import Asking
from ...aio.lane import Lane
from ...core import events as ev
from ...core.guard import Guard, Keep
from ...core.host import Answer, Appeared, Host, HostOut, HostRequest, Perform, Vanished
from ...core.messages import Add, AnyReply, LeaseExited, LeaseRenew, LeaseRevoke, LeaseWithdraw, Permit
from ...core.process import Process
from ...core.records import Stray
from ...core.specs import ProcessSpec
from ...core.states import Phase
from .kernel import Keeper, Kernel, Run
from .network import Wire
from .world import Clock, Crash, Violation, World

__all__ = ["Disk", "Machine"]


class Disk:
    """What survives the agent. Attributes: processes: As recorded. until: Deadlines. floor: Epoch and token."""

    def __init__(self, knows: float) -> None:
        self.processes: dict[str, Process] = {}
        self.until: dict[str, tuple[float, float]] = {}
        self.floor = (0, 0)
        self.knows = knows


class Machine:
    """A host over the runs of its agent.

    Args:
        name: Of the host.
        world, kernel: What it stands on.
        specs: What it is to run.
        keeps: Whether what it runs goes on without its agent; such an agent has a disk.
        remembers: Whether its agent has a disk.
        drift: Of its clock.
    """

    def __init__(
        self,
        name: str,
        world: World,
        kernel: Kernel,
        specs: tuple[ProcessSpec, ...],
        keeps: bool,
        remembers: bool,
        drift: float,
    ) -> None:
        self.name = name
        self.world = world
        self.kernel = kernel
        self.specs = specs
        self.keeps = keeps
        self.clock = Clock(world, drift)
        self.keeper = Keeper(kernel, self.clock, name)
        self.disk = Disk(self.clock.read()) if remembers or keeps else None
        self.boot = f"{name}-0"
        self.agent: Agent | None = None
        self.crashes = 0.0
        """The share of steps at which the agent crashes; of those at which something is put down, ten times as many."""
        self.lazy = 0.05
        """Seconds by which a timer of the agent's may be late."""
        self.off = False
        """Whether it has no power."""
        self._boots = 0
        self.wire: Callable[[Agent], Wire]

    def start(self) -> None:
        """A run of the agent. What was killed with the one before is gone when one that remembers begins."""
        if self.agent is not None or self.off:
            return
        if self.disk is not None and not self.keeps and self.kernel.of(self.name):
            self.world.after(0.2, self.start)
            return
        self.agent = Agent(self)
        self.agent.begin()

    def crash(self) -> None:
        """The agent is killed."""
        agent, self.agent = self.agent, None
        if agent is None:
            return
        self.world.counts["agent crashes"] += 1
        self.world.note(f"{self.name} agent killed")
        agent.die()
        if not self.keeps:
            self.keeper.end_all()
        self.world.after(0.1 + self.world.random.random() * self.world.random.choice((0.5, 2, 20)), self.start)

    def reboot(self) -> None:
        """The machine loses its power, and is booted after a while."""
        if self.agent is not None:
            self.agent.die()
            self.agent = None
        self.world.counts["reboots"] += 1
        self.world.note(f"{self.name} has no power")
        self.off = True
        self.kernel.reboot(self.name)
        self.keeper.reset()
        self.clock.reset()
        self._boots += 1
        self.boot = f"{self.name}-{self._boots}"
        if self.disk is not None:
            self.disk.knows = 0.0
        boots = self._boots

        def on() -> None:
            if boots == self._boots:
                self.off = False
                self.start()

        self.world.after(2 + self.world.random.random() * 20, on)


class Agent:
    """One run of an agent."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.world = machine.world
        world = self.world
        self.run = f"{machine.name}/{world.random.getrandbits(32):08x}"
        self.alive = True
        self._answered: set[str] = set()
        self.host = Host(machine.name, Random(world.random.getrandbits(32)))
        self.guard = Guard(machine.name, machine.boot, self.run, machine.kernel.terms)
        self.wire = machine.wire(self)
        self.asking = Asking(machine.name, self.guard, self.wire, machine.clock.now, self.feed, self._keep, self.later)
        self._sweep = Sweep(self, self.later, self.asking.release, self._idle, lambda uuid: False)
        self._lane: Lane[HostOut] = Lane(self._perform)
        self._runs: dict[str, Run] = {}
        self._forking: dict[str, Callable[[], Run]] = {}
        self._keys = 0

    # life ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take over what an earlier run has left, join, and have everything run that should."""
        machine, disk = self.machine, self.machine.disk
        self.world.note(f"{machine.name} agent {self.run} begins")
        if disk is not None:
            self.guard.begin(*disk.floor, disk.knows)
            kept = list(disk.processes.values())
            for process in kept:
                self._lane.decide(lambda p=process: self.host.restore(p))  # type: ignore[misc]
                until, ttl = disk.until.get(process.uuid, (None, 0.0))
                self.asking.restore(process, until, ttl, machine.keeps)
            for process in kept:
                self._resume(process)
        known = {p.name for p in self.host.processes.values()}
        for spec in self.machine.specs:
            if spec.name not in known:
                self.command(Add(spec=spec, start=self.world.chance(0.7)))
        self.wire.connect()

    def _resume(self, process: Process) -> None:
        uuid = process.uuid
        runs = self.machine.kernel.of(self.machine.name, uuid)
        found = [run for run in runs if run.alive or run.known]
        if not process.pid and process.phase is not Phase.STARTING:
            self.feed(uuid, ev.Resumed())
        elif found:
            self._watch(uuid, found[0])
            self.feed(uuid, ev.Resumed(found[0].pid))
            if not found[0].alive:
                self.feed(uuid, ev.Exited(None, None))
        elif process.pid:
            self.feed(uuid, ev.Resumed(process.pid))
            self.feed(uuid, ev.Exited(None, None))
        else:
            self._sweep.clear(uuid, lambda: self.feed(uuid, ev.Resumed()))

    def die(self) -> None:
        """It is no more. A fork that was under way has happened, or never does."""
        self.alive = False
        self.asking.close()
        self.wire.close()
        for fork in list(self._forking.values()):
            if self.world.chance(0.5):
                fork().marked = True

    def command(self, request: HostRequest) -> None:
        """Somebody wants something."""
        self._keys += 1
        key = f"{self.run}-{self._keys}"
        self._lane.decide(lambda: self.host.request(key, request, "ann", "accepted", self.machine.clock.now()))

    def feed(self, uuid: str, event: ev.Event) -> None:
        """Something has happened to a process. I4: a question is answered once, however often its answer is heard."""
        if not self.alive:
            return
        if isinstance(event, ev.Granted | ev.Denied | ev.Lapsed):
            if event.rid in self._answered:
                raise Violation("I4", f"{event.rid} of {self.machine.name} is answered a second time, by {event}")
            self._answered.add(event.rid)
        if isinstance(event, ev.Exited):
            event = self.guard.ended(uuid, event, self.machine.clock.now())
        self._lane.decide(lambda: self.host.feed(uuid, event, self.machine.clock.now()))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """By its own clock, and a little late."""
        late = self.world.within(self.machine.lazy)
        self.world.after(self.machine.clock.real(seconds) + late, lambda: self._guarded(call))

    def _guarded(self, call: Callable[[], None]) -> None:
        if self.alive:
            call()

    def again(self, call: Call, reply: AnyReply) -> None:
        """An answer has come twice."""
        if self.alive and isinstance(call.request, Permit | LeaseWithdraw | LeaseExited | LeaseRenew):
            self.asking.heard(call.request, reply)

    def take(self, call: Call) -> None:
        """A message of the controller's."""
        revoke = call.request
        assert isinstance(revoke, LeaseRevoke)
        uuid, token = revoke.uuid, revoke.token
        process = self.host.processes.get(uuid)
        if process is None or process.token != token:
            self._guarded(lambda: self._sweep.begin(uuid, token))
        elif revoke.over:
            self._guarded(lambda: self.asking.over(uuid, token, revoke.why))
        else:
            self._guarded(lambda: self.feed(uuid, ev.StopAsked("", "gate", None, True)))

    def _idle(self, uuid: str) -> bool:
        return uuid not in self.host.processes or self.host.processes[uuid].idle

    # performing ---------------------------------------------------------------------------------------------------

    def _perform(self, out: HostOut) -> None:
        if not self.alive:
            return
        writes = isinstance(out, Perform) and isinstance(out.effect, ev.Record | ev.Spawn | ev.Changed)
        if self.machine.crashes and self.world.chance(self.machine.crashes * (10 if writes else 1)):
            raise Crash(self.machine.crash)
        match out:
            case Perform(uuid, effect):
                self._effect(uuid, effect)
            case Appeared(uuid):
                self._record(uuid)
            case Vanished(process):
                if self.machine.disk is not None:
                    self.machine.disk.processes.pop(process.uuid, None)
            case Answer():
                pass

    def _effect(self, uuid: str, effect: ev.Effect) -> None:
        process = self.host.processes[uuid]
        match effect:
            case ev.Changed():
                self._record(uuid)
                self.guard.changed(process)
            case ev.Record():
                self._record(uuid)
            case ev.AskPermission():
                self.asking.ask(process, effect)
            case ev.Withdraw(rid):
                self.asking.withdraw(process, rid)
            case ev.ReleaseLease(token):
                self.asking.release(uuid, token)
            case ev.StartTimer(timer, serial, after):
                self.later(after, lambda: self.feed(uuid, ev.TimerFired(timer, serial)))
            case ev.Spawn(token):
                self._spawn(process, token)
            case ev.Signal():
                self._signal(uuid, effect)
            case ev.Look():
                self.later(0.02, lambda: self.feed(uuid, ev.Looked(self._strays(uuid))))

    def _record(self, uuid: str) -> None:
        disk, process = self.machine.disk, self.host.processes[uuid]
        if disk is not None:
            disk.processes[uuid] = process
            disk.floor = (max(disk.floor[0], self.guard.epoch), max(disk.floor[1], process.token))

    def _keep(self, keep: Keep) -> None:
        disk = self.machine.disk
        if disk is not None and keep.until is not None:
            disk.until[keep.uuid] = (keep.until, keep.ttl)
        elif disk is not None:
            disk.until.pop(keep.uuid, None)
        self.machine.keeper.keep(keep.uuid, keep.until)

    # programs -----------------------------------------------------------------------------------------------------

    def _spawn(self, process: Process, token: int) -> None:
        uuid, machine = process.uuid, self.machine

        def fork() -> Run:
            self._forking.pop(uuid, None)
            return machine.kernel.fork(machine.name, process.name, uuid, token, process.epoch)

        def spawned() -> None:
            if uuid in self._forking:
                run = fork()
                run.known = True
                self._watch(uuid, run)
                self.later(0.01, lambda: self._told(uuid, run))

        self._forking[uuid] = fork
        self.later(self.world.within(0.3), spawned)

    def _told(self, uuid: str, run: Run) -> None:
        self.feed(uuid, ev.Spawned(run.pid))
        if not run.alive:
            self.feed(uuid, _end(run))

    def _watch(self, uuid: str, run: Run) -> None:
        self._runs[uuid] = run
        run.ended.append(lambda: self._guarded(lambda: self._over(uuid, run)))

    def _over(self, uuid: str, run: Run) -> None:
        process = self.host.processes.get(uuid)
        if process is not None and process.pid == run.pid:
            self.feed(uuid, _end(run))

    def _signal(self, uuid: str, effect: ev.Signal) -> None:
        for stray in effect.strays if effect.name == "SIGKILL" else ():
            for left in self.machine.kernel.of(self.machine.name, uuid):
                if left.pid == stray.pid:
                    self.machine.kernel.kill_stray(left)
        run = self._runs.get(uuid)
        if run is None or effect.strays:
            return
        if effect.name == "SIGKILL":
            self.machine.kernel.kill(run, whole=run.marked)
        else:
            self.machine.kernel.term(run)

    def _strays(self, uuid: str) -> tuple[Stray, ...]:
        return self.machine.kernel.strays(self.machine.name, uuid)

    # what a sweep asks of a census ----------------------------------------------------------------------------------

    def ask(self, kin: Any, done: Callable[[tuple[Stray, ...]], None]) -> None:
        """What carries the marks of a process."""
        done(self.machine.kernel.strays(self.machine.name, kin.uuid, marked=True))

    def signal(self, kin: Any, pid: int, number: int) -> None:
        """To one of them."""
        for run in self.machine.kernel.of(self.machine.name, kin.uuid):
            if run.pid == pid:
                self.machine.kernel.kill(run)


def _end(run: Run) -> ev.Exited:
    return ev.Exited(None, "SIGKILL") if run.killed else ev.Exited(1, None)
