"""A body on a virtual host: see `procctl.agent.machine.Incarnation`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio

from ...agent.exits import End
from ...agent.found import Found
from ...agent.keeping import Thing
from ...agent.machine import Order
from ...agent.output.output import Output
from ...core.events import ChildReported, Event, Exited, Looked, Signal, Spawned, SpawnFailed
from ...core.process import Process
from ...core.records import Ident, Stray
from ...core.specs import ReadyMessage
from ...core.words import Nonsense, ReadySaid, understood
from .child import FakeChild, Place
from .kernel import HostKernel
from .power import Power

__all__ = ["VirtualBody"]

LAST_LINES = 10


class VirtualBody:
    """One process over its runs.

    Args:
        uuid: Which.
        kernel: Where.
        power: Of the agent's run.
        order: Has the agent's timers.
        output: Takes what it writes.
        feed: Takes what happens to it.
    """

    def __init__(
        self,
        uuid: str,
        kernel: HostKernel,
        power: Power,
        order: Order,
        output: Output,
        feed: Callable[[str, Event], None],
    ) -> None:
        self.uuid = uuid
        self.pid = 0
        self.ident: Ident | None = None
        self.begun = 0
        self.child: FakeChild | None = None
        self.said_ready = anyio.Event()
        self._kernel = kernel
        self._power = power
        self._order = order
        self._output = output
        self._feed = feed
        self._word = ""
        self._watched = False

    def redirect(self, output: Output) -> None:
        self._output = output

    def start(self, process: Process, token: int) -> None:
        if not self._power.step():
            return
        fails = self._kernel.programs.script(process.name).fails
        if process.adopts is not None:
            fails = f"cannot adopt pid {process.adopts.pid}: there are no strangers on a virtual host"
        if fails:
            self._soon(lambda: self._feed(self.uuid, SpawnFailed(fails)))
            return
        self.begun = self._output.ring.end
        spec = process.spec
        place = Place(
            host=self._kernel.name,
            name=process.name,
            uuid=self.uuid,
            run=process.runs + 1,
            token=token,
            epoch=process.epoch,
            exclusive=spec.scope if spec.mode in ("one", "force") else "",
        )
        self.said_ready = anyio.Event()
        self._word = spec.ready.message if isinstance(spec.ready, ReadyMessage) else ""
        self._watched = spec.watchdog is not None
        self._kernel.fork_soon(self._power, place, self._little(), self._born)

    def _born(self, child: FakeChild) -> None:
        self._hold(child)
        self._feed(self.uuid, Spawned(child.pid))

    def _hold(self, child: FakeChild) -> None:
        self.child = child
        self.pid = child.pid
        self.ident = Ident(child.pid, 1, self._kernel.boot)
        child.tell(partial(self._ended, child), self._wrote, self._said)

    def take(self, run: int, found: Found) -> None:
        child = next((child for child in self._kernel.children(self.uuid) if child.pid == found.ident.pid), None)
        self.begun = self._output.ring.end
        self.pid, self.ident = found.ident.pid, found.ident
        if child is not None and child.alive:
            self._hold(child)
        else:
            self._soon(lambda: self._over(found.end or End(None, None)))

    def detach(self, process: Process) -> None:
        if self.child is not None and self._power.step():
            self.child.let_go = True
            self.child.tell(None)
        self.child, self.pid = None, 0

    def signal(self, effect: Signal) -> None:
        if not self._power.step():
            return
        for stray in effect.strays:
            for child in self._kernel.children(self.uuid):
                child.signal_descendant(stray.pid, effect.name)
        if self.child is not None and not effect.strays:
            self.child.signal(effect.name, effect.tree)

    def look(self) -> None:
        self._soon(self._look)

    def _look(self) -> None:
        strays = self.strays()
        if not strays:
            self._output.run_ended()
        self._feed(self.uuid, Looked(strays))

    def strays(self) -> tuple[Stray, ...]:
        """What is left of runs that have ended."""
        return tuple(
            Stray(pid, child.name, escaped=False)
            for child in self._kernel.children(self.uuid)
            for pid in ((child.pid,) if child.alive and child is not self.child else ()) + tuple(child.descendants)
        )

    def say(self, text: str) -> None:
        if self.child is not None and self._power.step():
            self.child.hear(text)

    def things(self) -> list[Thing]:
        return []  # whatever runs here is known to its host

    def close(self) -> None:
        self._output.close()

    def kill_now(self) -> None:
        if self.child is not None and self.child.alive and self._power.step():
            self.child.tell(None)
            self.child.signal("SIGKILL", tree=True)
        self.child, self.pid = None, 0

    # what comes of it -------------------------------------------------------------------------------------------------

    def _little(self) -> float:
        return 0.001 + 0.01 * self._kernel.dice.random()

    def _soon(self, call: Callable[[], None]) -> None:
        self._order.after(self._little(), lambda: call() if self._power.on else None)

    def _wrote(self, stream: int, data: bytes) -> None:
        if self._power.on:
            self._output.write(stream, data, self._kernel.clock.wall())

    def _said(self, message: Any) -> None:
        if not self._power.on:
            return
        heard = understood(json.loads(json.dumps(message)))
        if self._watched and (heard is None or isinstance(heard, ReadySaid)):
            self._feed(self.uuid, ChildReported())
        match heard:
            case ReadySaid(text):
                if text == self._word or (text == "ready" and not isinstance(message, str)):
                    self.said_ready.set()
            case Nonsense() | None:
                pass
            case event:
                self._feed(self.uuid, event)

    def _ended(self, child: FakeChild, end: End) -> None:
        if child is self.child:
            self._soon(lambda: self._over(end))

    def _over(self, end: End) -> None:
        self.child, self.pid = None, 0
        last_lines = self._output.ring.last_lines(LAST_LINES, self.begun)
        self._feed(self.uuid, Exited(end.code, end.signal, end.usage, last_lines))
