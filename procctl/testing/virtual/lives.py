"""The lives of agents and of the controller: they begin, crash, and begin again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import anyio
from attrs import frozen

from ...agent.agent import Agent, OnExit
from ...agent.features import Features
from ...agent.ground import Ground
from ...aio.block import Block
from ...controller.controller import Controller
from ...core.approval import Policy
from ...core.budget import RestartBudget
from ...core.reach import Reach
from ...core.terms import Terms
from ...errors import InternalError, ProcctlError
from ...service import ground as plain
from .clock import HostClock, PacedTimers
from .disk import Disk
from .kernel import HostKernel
from .machine import VirtualMachine
from .network import Joint, Network
from .power import Crashed, Power
from .trace import Trace

__all__ = ["AgentLife", "ControllerLife", "Life", "Shared"]

T = TypeVar("T")
AGAIN = 1.0
"""Seconds after which an agent that could not join tries again."""
FEATURES = Features(**dict.fromkeys(Features().as_dict(), True))


@frozen(kw_only=True)
class Shared:
    """What all lives of a fleet have in common."""

    trace: Trace
    network: Network
    block: Block
    terms: Terms
    controller: str


class Life:
    """One program over its runs.

    Args:
        name: Of its host.
        shared: What is around it.
        clock, disk, dice: Of its host.
    """

    def __init__(self, name: str, shared: Shared, clock: HostClock, disk: Disk, dice: Random) -> None:
        self.name = name
        self.shared = shared
        self.clock = clock
        self.disk = disk
        self.dice = dice
        self.power: Power | None = None
        self.over = anyio.Event()
        self.over.set()
        self.entered = anyio.Event()
        self._leaving = anyio.Event()

    @property
    def runs(self) -> bool:
        """Whether it has power."""
        return self.power is not None and self.power.on

    def begin(self) -> None:
        """A run of it, soon."""
        self.power = Power()
        self.over, self.entered, self._leaving = anyio.Event(), anyio.Event(), anyio.Event()
        self.shared.trace.note(f"{self.name} begins")
        self.shared.block.start_soon(self._live, self.power)

    async def leave(self) -> None:
        """Leave its block in an orderly way, and wait for that."""
        self._leaving.set()
        await self.over.wait()

    async def _live(self, power: Power) -> None:
        over = self.over
        try:
            while power.on and not self._leaving.is_set():
                try:
                    await self._run(power)
                    break
                except ProcctlError as error:  # whoever it joins is not there, or has not missed the last run yet
                    self.shared.trace.note(f"{self.name} tries again: {getattr(error, 'code', type(error).__name__)}")
                    power.begin_anew()
                    with anyio.move_on_after(AGAIN):
                        await self._leaving.wait()
        finally:
            power.on = False
            over.set()

    async def _run(self, power: Power) -> None:
        member, fail = self._make(power)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._bury, power, fail)
                async with member:
                    self.entered.set()
                    await self._leaving.wait()
                group.cancel_scope.cancel()
        except BaseException as error:
            found = _only(error)
            if isinstance(found, InternalError) and isinstance(found.__cause__, Crashed):
                self.shared.trace.note(f"{self.name} is cleared away")
                return
            if isinstance(found, InternalError):
                self.shared.trace.violate("defect", repr(found.__cause__))
            elif isinstance(found, ProcctlError) and not self.entered.is_set():
                raise found from None
            raise

    async def _bury(self, power: Power, fail: Callable[[Exception], bool]) -> None:
        await power.down.wait()
        while not fail(Crashed()):
            await anyio.lowlevel.checkpoint()

    def _make(self, power: Power) -> tuple[AbstractAsyncContextManager[Any], Callable[[Exception], bool]]:
        raise NotImplementedError

    async def _work(self, power: Power, work: Callable[..., T], *args: object) -> T:
        """What blocks takes a moment, in which others go on."""
        await anyio.sleep(0.001 + 0.01 * self.dice.random())
        return work(*args)

    def _ground(self, power: Power) -> plain.Ground:
        async def work(work: Callable[..., T], *args: object) -> T:
            return await self._work(power, work, *args)

        return plain.Ground(
            boot=self.clock.boot,
            wall=self.clock.wall,
            rng=Random(self.dice.getrandbits(64)),
            terms=self.shared.terms,
            timers=lambda: PacedTimers(self.clock),
            work=work,
            folder=lambda path, role: self.disk.hold(path / role, power),
            store=lambda url: self.disk.store(url, power),
        )


def _only(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class AgentLife(Life):
    """Args: kernel: Its host. on_exit, remembers: As `VirtualFleet` has them."""

    def __init__(self, kernel: HostKernel, shared: Shared, on_exit: OnExit, remembers: bool) -> None:
        super().__init__(kernel.name, shared, kernel.clock, kernel.disk, kernel.dice)
        self.kernel = kernel
        self.agent: Agent | None = None
        self._on_exit: OnExit = on_exit
        self._remembers = remembers

    def _make(self, power: Power) -> tuple[AbstractAsyncContextManager[Any], Callable[[Exception], bool]]:
        base = self._ground(power)
        ground = Ground(
            **{
                name: getattr(base, name)
                for name in ("boot", "wall", "rng", "terms", "timers", "work", "folder", "store")
            },
            features=FEATURES,
            machine=lambda order, features: VirtualMachine(self.kernel, power, order),
        )
        power.then(lambda: self.shared.network.end_of(power))
        agent = self.agent = Agent(
            self.name,
            join=Joint(self.shared.network, self.name, power, self.shared.controller),
            on_exit=self._on_exit,
            state_dir=Path("/virtual") / self.name if self._remembers else None,
            _ground=ground,
        )

        def fail(error: Exception) -> bool:
            if agent._engine is None:
                return False
            agent._engine.block.fail(error)
            return True

        return agent, fail

    async def _work(self, power: Power, work: Callable[..., T], *args: object) -> T:
        """An agent whose forerunner has been killed waits for the keeper to end what that one ran."""
        while self._remembers and self._on_exit == "stop" and self.kernel.children() and not self.entered.is_set():
            await anyio.sleep(0.1)
        return await super()._work(power, work, *args)


class ControllerLife(Life):
    """Args: policies, remembers, reach, restarts: As `VirtualFleet` has them."""

    def __init__(
        self,
        shared: Shared,
        clock: HostClock,
        disk: Disk,
        dice: Random,
        policies: Sequence[Policy],
        remembers: bool,
        reach: Reach | None,
        restarts: RestartBudget | None,
    ) -> None:
        super().__init__(shared.controller, shared, clock, disk, dice)
        self.controller: Controller | None = None
        self._policies = policies
        self._remembers = remembers
        self._reach = reach
        self._restarts = restarts

    def _make(self, power: Power) -> tuple[AbstractAsyncContextManager[Any], Callable[[Exception], bool]]:
        controller = self.controller = Controller(
            self.name,
            listen=[self.shared.network.listen(self.name, power)],
            approval=self._policies,
            reach=self._reach,
            restarts=self._restarts,
            state_dir=Path("/virtual") / self.name if self._remembers else None,
            _ground=self._ground(power),
        )

        def fail(error: Exception) -> bool:
            if controller._block is None:
                return False
            controller._block.fail(error)
            return True

        return controller, fail
