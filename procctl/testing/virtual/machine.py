"""The machine below one run of an agent on a virtual host: see `procctl.agent.machine.Machine`."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from ...agent.census import Kin
from ...agent.found import Found
from ...agent.journal import Kept
from ...agent.keeping import Thing
from ...agent.machine import Incarnation, Order
from ...agent.output.means import Means, make_means
from ...agent.output.output import Output
from ...agent.ready.log import says
from ...aio.poller import TaskPoller
from ...core.events import Event
from ...core.process import Process
from ...core.records import Ident, Stray
from ...core.specs import ReadyLog, ReadyMessage
from ...core.states import Phase
from .body import VirtualBody
from .disk import Held
from .kernel import HostKernel
from .power import Power

__all__ = ["VirtualMachine"]

_MOMENT = 0.005


class VirtualMachine:
    """Args: kernel: Of the host. power: Of the agent's run. order: What it asks for."""

    straight: Path | None = None

    def __init__(self, kernel: HostKernel, power: Power, order: Order) -> None:
        self.boot = kernel.boot
        self._kernel = kernel
        self._power = power
        self._order = order
        self.means: Means = make_means(order.epoch, TaskPoller(), inotify=False, punch=False)
        power.then(lambda: kernel.crashed(power, order.on_exit == "keep"))

    @property
    def census(self) -> VirtualMachine:
        return self

    @property
    def keeping(self) -> VirtualMachine:
        return self

    @property
    def parts(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return (self.means.chores.run, self.means.tails.run)

    # what is left -----------------------------------------------------------------------------------------------------

    def ask(self, kin: Kin, done: Callable[[tuple[Stray, ...]], None]) -> None:
        def look() -> None:
            if self._power.on:
                done(self._left(kin.uuid))

        self._order.after(_MOMENT * self._kernel.dice.random(), look)

    def _left(self, uuid: str) -> tuple[Stray, ...]:
        ours = set(self._order.ours())
        return tuple(
            Stray(pid, child.name, escaped=False)
            for child in self._kernel.children(uuid)
            for pid in (*((child.pid,) if child.alive else ()), *child.descendants)
            if pid not in ours
        )

    def signal(self, kin: Kin, pid: int, number: int) -> None:
        if not self._power.step():
            return
        name = signal.Signals(number).name
        for child in self._kernel.children(kin.uuid):
            if child.pid == pid:
                child.signal(name)
            child.signal_descendant(pid, name)

    def lease(self, uuid: str, until: float | None) -> None:
        if self._power.step():
            self._kernel.deadline(uuid, until)

    # beginning --------------------------------------------------------------------------------------------------------

    def state(self, folder: Path) -> Held:
        return self._kernel.disk.hold(folder, self._power)

    def take_over(self) -> None:
        """There is nothing to fetch: a host knows its own."""

    def find(self, kept: list[Kept]) -> dict[str, Found]:
        found = {}
        for record in kept:
            p = record.process
            run = p.runs + 1 if p.phase is Phase.STARTING else p.runs
            lives = [c for c in self._kernel.children(p.uuid) if c.place.run == run and c.alive]
            if lives:
                found[p.uuid] = Found(ident=Ident(lives[0].pid, 1, self.boot))
            elif (p.uuid, run) in self._kernel.ended and (p.pid or p.phase is Phase.STARTING):
                pid, end = self._kernel.ended[p.uuid, run]
                found[p.uuid] = Found(ident=Ident(pid, 1, self.boot), end=end)
            elif p.pid:
                found[p.uuid] = Found(ident=Ident(p.pid, 1, record.ident.boot if record.ident else ""), end=None)
        return found

    def begin(self) -> None:
        """Nothing has to be looked after."""

    def begun(self, living: list[Thing]) -> None:
        self._kernel.ended.clear()

    # bodies -----------------------------------------------------------------------------------------------------------

    def body(self, process: Process, output: Output, feed: Callable[[str, Event], None]) -> VirtualBody:
        return VirtualBody(process.uuid, self._kernel, self._power, self._order, output, feed)

    def adopting(
        self, body: Incarnation, process: Process, output: Output, feed: Callable[[str, Event], None]
    ) -> VirtualBody:
        assert isinstance(body, VirtualBody)
        return body

    async def passes(self, process: Process, body: Incarnation, output: Output) -> str:
        assert isinstance(body, VirtualBody)
        match process.spec.ready:
            case ReadyLog() as log:
                await says(log, output, body.begun)
            case ReadyMessage():
                await body.said_ready.wait()
            case _ if body.child is not None:
                await body.child.ready.wait()
        return ""

    # ending -----------------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        self.means.chores.stop()
        while self._power.on and self._kernel.forking(self._power):
            await anyio.sleep(_MOMENT)

    async def leave(self) -> None:
        """The keeper has nothing to do any more, or goes on as it is."""
        if self._power.on:
            self._kernel.left()
