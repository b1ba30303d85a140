"""The machine that there is: children, a keeper, /proc."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from ..core.events import Event
from ..core.process import Process
from ..core.specs import ReadyCommand, ReadyLog, ReadyMessage, ReadyTcp
from ..errors import BadConfig
from ..service.folder import StateFolder
from ..service.ground import Held
from .bodies.adopted import Adopted
from .bodies.child import Child, environment
from .features import Features
from .found import Found
from .identity import boot_id
from .journal import OUTPUT, Kept
from .keeping import Keeping, Thing
from .machine import Incarnation, Order
from .output.output import Output
from .ready.command import agrees
from .ready.log import says
from .ready.tcp import accepts
from .restore import Ended, search
from .talk import Talk
from .tools import make_tools, run_once

__all__ = ["MARK", "Computer"]

MARK = "PROCCTL_AGENT"
"""Environment variable of every child: the runs of the agents that it is below, separated by slashes."""


class Computer:
    """See `procctl.agent.machine.Machine`."""

    def __init__(self, order: Order, features: Features) -> None:
        above = os.environ.get(MARK)
        self.keeping = Keeping(order.epoch, order.on_exit, order.folder, features, order.living)
        self._after = order.after
        self._features = features
        self._tools = make_tools(
            features,
            order.ours,
            {MARK.encode(): os.fsencode(f"{above}/{order.epoch}" if above else order.epoch)},
            order.epoch,
            self.keeping,
            order.after,
            order.folder / OUTPUT if order.folder is not None and order.on_exit == "keep" else None,
        )
        self.boot = boot_id()
        self.census = self._tools.census
        self.means = self._tools.means
        self.straight = self._tools.straight
        self._held: list[Thing] = []
        self._ended: Ended = {}

    @property
    def parts(self) -> Sequence[Callable[[], Awaitable[None]]]:
        tools = self._tools
        return (tools.poller.run, tools.watch.run, tools.census.run, tools.means.chores.run, tools.means.tails.run)

    def state(self, folder: Path) -> Held:
        held = StateFolder(folder, "agent")
        try:
            (folder / OUTPUT).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            held.close()
            raise BadConfig(f"cannot use the state folder {folder}: {error.strerror}") from None
        return held

    def take_over(self) -> None:
        self._held = self.keeping.take_over()
        self._ended = self.keeping.ended()

    def find(self, kept: list[Kept]) -> dict[str, Found]:
        return search(kept, self._held, self._ended, self._features)

    def begin(self) -> None:
        self._tools.attach()

    def begun(self, living: list[Thing]) -> None:
        self.keeping.forget_strange()
        if living:  # their keeper may have been killed, too
            self._tools.keep(living)

    def body(self, process: Process, output: Output, feed: Callable[[str, Event], None]) -> Child:
        talk = None
        if process.spec.channel:
            talk = Talk(process, self._tools.poller, self._after, partial(feed, process.uuid))
        return Child(process.uuid, self._tools, output, feed, talk)

    def adopting(
        self, body: Incarnation, process: Process, output: Output, feed: Callable[[str, Event], None]
    ) -> Adopted:
        assert isinstance(body, Child)
        if not isinstance(body, Adopted):
            body = Adopted(process.uuid, self._tools, output, feed, body.talk)
        if not process.spec.channel:
            body.talk = None
        return body

    async def passes(self, process: Process, body: Incarnation, output: Output) -> str:
        match process.spec.ready:
            case ReadyTcp() as tcp:
                await accepts(tcp)
            case ReadyLog() as log:
                await says(log, output, body.begun)
            case ReadyCommand() as command:
                env = environment(process, process.token, self._tools)
                return await agrees(
                    command, lambda argv, timeout: run_once(self._tools, argv, process.spec.cwd, env, timeout)
                )
            case ReadyMessage():
                assert isinstance(body, Child)
                assert body.talk is not None
                await body.talk.said_ready()
            case None:
                pass
        return ""

    async def finish(self) -> None:
        self._tools.means.chores.stop()
        await self._tools.spawner.finish()

    async def leave(self) -> None:
        self._tools.watch.close()
        await self.keeping.leave()
        self._tools.close()
