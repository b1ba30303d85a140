"""What the decisions of the core do in the world: bodies, outputs, readiness checks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from ..abc import Body
from ..core import events as ev
from ..core.process import Process
from ..core.records import Ident
from .bodies.child import slot_of
from .bodies.itself import Itself
from .keeping import Thing
from .machine import Adopter, Incarnation, Machine
from .output.output import Output

__all__ = ["Hands"]

logger = logging.getLogger("procctl.agent")

Feed = Callable[[str, ev.Event], None]


class Hands:
    """All bodies of one agent.

    Args:
        machine: Makes them.
        processes: Gives the present state of one by its uuid.
        feed: Takes what happens.
        troubled: Told of trouble with a process's files, and when it is over (empty).
    """

    def __init__(
        self,
        machine: Machine,
        processes: Callable[[str], Process],
        feed: Feed,
        troubled: Callable[[str, str], None],
    ) -> None:
        self._machine = machine
        self._processes = processes
        self._feed = feed
        self._troubled = troubled
        self._bodies: dict[str, Incarnation] = {}
        self.itself: dict[str, Itself] = {}
        """Bodies of this program itself, for processes that are about to appear."""
        self.outputs: dict[str, Output] = {}
        self._checks: dict[str, anyio.CancelScope] = {}
        self._group: TaskGroup

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Readiness checks live here. Never returns; cancelled to end them."""
        async with anyio.create_task_group() as self._group:
            task_status.started()
            await anyio.sleep_forever()

    def appeared(self, process: Process) -> None:
        """A process was registered."""
        if process.own:
            own = self.itself.pop(process.uuid)
            self._bodies[process.uuid] = own
            own.redirect(self.outputs.setdefault(process.uuid, self._output(process, None)))
            return
        output = self.outputs[process.uuid] = self._best_output(process)
        self._bodies[process.uuid] = self._machine.body(process, output, self._feed)

    def _best_output(self, process: Process) -> Output:
        """One that outlives this agent, where that is wanted and can be."""
        if self._machine.straight is None:
            return self._output(process, None)
        try:
            return self._output(process, self._machine.straight / process.uuid)
        except OSError as error:
            text = f"its output cannot go to files of its own ({error.strerror}): it ends with this agent"
            logger.error("%s: %s", process.name, text)
            self._troubled(process.uuid, text)
            return self._output(process, None)

    def _straighten(self, process: Process) -> None:
        """What could not have files of its own may have them now. What it wrote before was in memory alone."""
        old = self.outputs[process.uuid]
        if self._machine.straight is None or old.is_straight or process.own:
            return
        old.close()
        output = self.outputs[process.uuid] = self._best_output(process)
        self._bodies[process.uuid].redirect(output)
        if output.is_straight:
            self._troubled(process.uuid, "")

    def _output(self, process: Process, straight: Path | None) -> Output:
        return Output(
            process.name,
            process.spec.logs,
            process.spec.cwd,
            self._machine.means,
            straight=straight,
            instance=slot_of(process),
            troubled=partial(self._troubled, process.uuid),
        )

    def vanished(self, uuid: str) -> None:
        """It was deleted."""
        self._bodies.pop(uuid).close()
        del self.outputs[uuid]

    def body(self, uuid: str) -> Body:
        """The body of one process."""
        return self._bodies[uuid]

    def perform(self, uuid: str, effect: ev.Effect) -> None:
        """Do one thing to one process."""
        match effect:
            case ev.Spawn(token):
                self._straighten(self._processes(uuid))
                self._body_for(uuid).start(self._processes(uuid), token)
            case ev.Detach():
                self._end_check(uuid)
                self._bodies[uuid].detach(self._processes(uuid))
            case ev.Signal():
                self._bodies[uuid].signal(effect)
            case ev.Look():
                self._end_check(uuid)
                self._bodies[uuid].look()
            case ev.SendToChild(text):
                self._bodies[uuid].say(text)
            case ev.ReopenLogs():
                self.outputs[uuid].reopen()
            case ev.CheckReady(serial):
                self._end_check(uuid)
                self._group.start_soon(self._check, uuid, serial, name=f"ready {uuid}")
            case _:
                raise AssertionError(f"nothing is done for {effect}")

    def _body_for(self, uuid: str) -> Incarnation:
        """The body of the next run: one that can adopt, where it is to."""
        if self._processes(uuid).adopts is not None:
            return self.adopting(uuid)
        return self._bodies[uuid]

    def adopting(self, uuid: str) -> Adopter:
        """A body for a run that is there already, from now on that of this process."""
        process, output = self._processes(uuid), self.outputs[uuid]
        body = self._machine.adopting(self._bodies[uuid], process, output, self._feed)
        self._bodies[uuid] = body
        return body

    def ident(self, uuid: str) -> Ident | None:
        """Which program the run of a process is; None: it has none."""
        body = self._bodies[uuid]
        return body.ident if body.pid else None

    def living(self) -> list[Thing]:
        """All that the keeper should hold."""
        return [thing for body in self._bodies.values() for thing in body.things()]

    def kill_now(self) -> None:
        """The last resort: see `procctl.abc.Body.kill_now`."""
        for body in self._bodies.values():
            body.kill_now()

    def close(self) -> None:
        """Nothing runs any more."""
        for body in self._bodies.values():
            body.close()

    async def _check(self, uuid: str, serial: int) -> None:
        process = self._processes(uuid)
        spec = process.spec.ready
        assert spec is not None
        with anyio.CancelScope() as scope:
            self._checks[uuid] = scope
            text = ""
            with anyio.move_on_after(spec.timeout) as timer:
                text = await self._machine.passes(process, self._bodies[uuid], self.outputs[uuid])
            if scope.cancel_called:
                return
            if timer.cancelled_caught:
                text = f"not ready within {spec.timeout:g} s"
            self._feed(uuid, ev.NotReady(serial, text) if text else ev.BecameReady(serial))
        if self._checks.get(uuid) is scope:
            del self._checks[uuid]

    def end_checks(self) -> None:
        """Nothing is waited for to be ready any more."""
        for uuid in list(self._checks):
            self._end_check(uuid)

    def _end_check(self, uuid: str) -> None:
        scope = self._checks.pop(uuid, None)
        if scope is not None:
            scope.cancel()
