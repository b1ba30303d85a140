"""All that an agent is made of, from the moment its block is entered to the moment it is left."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
from attrs import frozen

from ..abc import LOCAL, Call, Caller, Pending, Service
from ..aio.block import Block
from ..aio.timers import Timers
from ..core.approval import Policy
from ..core.gate import Gate
from ..core.leases import Inventory, Lease
from ..core.matching import match_host
from ..core.messages import (
    AgentInfo,
    AgentStatus,
    AgentStop,
    Approvals,
    Approve,
    Deny,
    Done,
    Failure,
    Hello,
    HostInfo,
    HostList,
    Hosts,
    LeaseExited,
    LeaseOverride,
    LeaseRevoke,
    LeaseWithdraw,
    Permit,
    Stop,
    Welcome,
)
from ..core.plan import waves
from ..core.states import RESTING
from ..link.consultant import Consultant
from ..link.doorkeeper import Doorkeeper
from ..service.ground import Held
from ..version import __version__
from .agent import OnExit
from .ground import Ground
from .journal import STATE, Journal, Kept
from .links import Above, Links, Places
from .machine import Order
from .restore import restore
from .service import AgentService
from .stats import own_memory

if TYPE_CHECKING:
    from ..link.session import Session

__all__ = ["Engine"]

FAREWELL = 0.02
"""Seconds for the last answers to reach whoever waits for them."""
OWNER = frozenset({"owner"})


@frozen(kw_only=True)
class Setup:
    """What an agent is told to be.

    Attributes:
        name: Of the host.
        listen: Where others may control it, and who.
        join: The controller that it is part of, if any.
        approval: Policies, where it is at the top itself.
        config: The file that declares its processes.
        on_exit: What its end means for what it runs.
        state_dir: Where the next agent finds what it has to know, or None.
    """

    name: str
    listen: Places = Places()
    join: Above | None = None
    approval: Sequence[Policy] = ()
    config: str = ""
    on_exit: OnExit = "stop"
    state_dir: Path | None = None


class Engine:
    """The running parts.

    Args:
        setup: What it is told to be.
        ground: Clocks, dice, features.
        service: What peers talk to: the agent.
    """

    def __init__(self, setup: Setup, ground: Ground, service: Service) -> None:
        self.stopping: list[Pending] = []
        self.asked_to_stop = anyio.Event()
        self.leaving = False
        self._setup = setup
        self._name = setup.name
        self._join = setup.join
        self._ground = ground
        self._started = ground.wall()
        self._epoch = f"{ground.rng.getrandbits(48):012x}"
        self._timers = ground.timers()
        self._state: Held | None = None
        self._machine = ground.machine(self._order(), ground.features)
        welcome = Welcome(name=self._name, role="agent", version=__version__)
        self._links = Links(
            welcome, service, self._hello, self._joined, lambda: self.inner.report.spread, ground.rng.random
        )
        self._own = _OwnGate(self) if self._join is None else None
        top = self._links.line(self._join) if self._join is not None else self._own
        assert top is not None
        self.inner = AgentService(self._name, self._epoch, ground, self._machine, self._timers, top, self._own is None)
        self.block = Block(f"the agent {self._name}", self._leave)

    def _order(self) -> Order:
        return Order(
            name=self._name,
            epoch=self._epoch,
            on_exit=self._setup.on_exit,
            folder=self._setup.state_dir,
            ours=self._pids,
            living=lambda: self.inner.hands.living(),
            after=self._timers.after,
        )

    async def enter(self) -> None:
        """Start all parts; when this returns it has taken over what an earlier one has left, listens, and has joined.
        What goes wrong undoes what was done."""
        await self.block.__aenter__()
        try:
            for part in (self._timers.run, *self._machine.parts):
                self.block.start_soon(part)
            await self.block.start(self.inner.hands.run)
            kept = await self._ground.work(self._recall)
            self._machine.begin()
            token = self._recall_leases()
            if self._own is not None:
                self._own.open(self.inner, self._ground, self._timers, self._setup.approval, token, self.block)
            found = await self._ground.work(self._machine.find, kept)
            restore(self.inner, kept, found, self._setup.on_exit == "keep", self._adopt_leases)
            self._machine.begun(self.inner.hands.living())
            await self._links.open(self._setup.listen, self.block)
        except BaseException as error:
            await self.block.__aexit__(type(error), error, error.__traceback__)
            raise

    def _recall(self) -> list[Kept]:
        """What an earlier agent has left. Blocks; for a thread."""
        folder = self._setup.state_dir
        if folder is None:
            return []
        self._state = self._machine.state(folder)
        url = f"sqlite://{quote(str(folder / STATE))}?boot={self._machine.boot}"
        journal = self.inner.journal = Journal(self._ground.store(url), self._epoch)
        kept = journal.load()
        self._machine.take_over()
        return kept

    def _recall_leases(self) -> int:
        """What earlier runs have put down of leases, and the highest token among it."""
        journal = self.inner.journal
        if journal is None:
            return 0
        epoch, self.inner.deadlines = journal.leases()
        self.inner.guard.begin(epoch, journal.token, journal.begin(self._machine.boot, self._ground.boot()))
        return journal.token

    def _adopt_leases(self) -> None:
        if self._own is not None:
            self._own.adopt(self._name, self._epoch, self._hello(0.0).leases)

    async def stop_all(self, own: bool = False) -> None:
        """Stop everything, dependants before what they depend on, and return when nothing is left. `own`: only what
        this program runs as itself."""
        caller = Caller(name=f"agent {self._name}", roles=OWNER)
        while busy := [p for p in self.inner.host.processes.values() if p.phase not in RESTING and p.own >= own]:
            for wave in waves(busy):
                waiting = [self.inner.submit(Call(request=Stop(uuid=p.uuid, hard=True), caller=caller)) for p in wave]
                for pending in waiting:
                    await pending.wait()

    @property
    def _keeps(self) -> bool:
        """Whether what runs goes on without this agent: nobody has asked it to stop everything."""
        return self._setup.on_exit == "keep" and not self.stopping

    async def _leave(self) -> None:
        """All is stopped. Where our own tasks have failed, by force. Or it is left to the next agent as it is."""
        self.leaving = True
        keeps = self._keeps
        try:
            if not self.block.failed:
                with anyio.CancelScope() as scope:
                    self.block.on_failure(scope.cancel)
                    await self.stop_all(own=keeps)  # no later agent could go on with what this program was itself
                    if not keeps:
                        await self._links.farewell()
        finally:
            self.inner.hands.end_checks()
            if keeps:
                self.inner.close()  # what happens from now on is the next agent's to find out
            await self._machine.finish()
            if not keeps:
                self.inner.hands.kill_now()
            self.inner.hands.close()
            self.inner.close()
            await self._machine.leave()
            self._close_state()
            for pending in self.stopping:
                pending.settle(Done())
            self.asked_to_stop.set()
            if self.urls:
                await anyio.sleep(FAREWELL)
            await self._links.close()

    def _close_state(self) -> None:
        if self.inner.journal is not None:
            self.inner.journal.close()
        if self._state is not None:
            self._state.close()

    def submit(self, call: Call) -> Pending:
        """See `procctl.abc.Service.submit`."""
        match call.request:
            case AgentStatus():
                return Pending.of(self._info())
            case Hosts(hostname=pattern):
                return Pending.of(HostList(hosts=(self._host(),) if match_host(pattern, self._name) else ()))
            case AgentStop():
                pending = Pending()
                self.stopping.append(pending)
                self.asked_to_stop.set()
                return pending
        try:
            return self.inner.submit(call)
        except Exception as error:  # a defect, and not the caller's: it ends the block
            self.block.fail(error)
            return Pending.of(Failure(code="internal-error", message=f"a defect in the agent {self._name}: {error!r}"))

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it listens."""
        return self._links.urls

    def _info(self) -> AgentInfo:
        processes = self.inner.host.processes.values()
        return AgentInfo(
            name=self._name,
            pid=os.getpid(),
            version=__version__,
            started=self._started,
            urls=self.urls,
            joined=self._join.name if self._join else "",
            processes=len(processes),
            running=sum(1 for p in processes if p.pid),
            memory=own_memory(self._ground.features),
            features=self._ground.features.as_dict(),
            config=self._setup.config,
        )

    def _host(self) -> HostInfo:
        processes = self.inner.host.processes.values()
        return HostInfo(
            name=self._name,
            state="here",
            heard=self._ground.wall(),
            epoch=self._epoch,
            version=__version__,
            processes=len(processes),
            running=sum(1 for p in processes if p.pid),
            features=self._ground.features.as_dict(),
        )

    def _pids(self) -> list[int]:
        return [p.pid for p in self.inner.host.processes.values() if p.pid]

    def _spread(self) -> float:
        return self.inner.report.spread

    def _joined(self, session: Session) -> None:
        self.inner.report.begin(session)
        self.inner.asking.joined()

    def _hello(self, heartbeat: float) -> Hello:
        told = self.inner.guard.inventory(self._ground.now())
        return Hello(
            name=self._name,
            role="agent",
            version=__version__,
            heartbeat=heartbeat,
            epoch=self._epoch,
            leases=told.leases,
            rids=told.rids,
            asked=told.asked,
            boot=told.boot,
            knows=told.knows,
            features=self._ground.features.as_dict(),
        )


class _OwnGate:
    """An agent that has joined nobody is at the top itself."""

    absent = ""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._door: Doorkeeper

    def open(
        self,
        inner: AgentService,
        ground: Ground,
        timers: Timers,
        policies: Sequence[Policy],
        token: int,
        block: Block,
    ) -> None:
        """Begin to answer; `token` is the last that was given here."""
        self._now = ground.now
        consultant = Consultant(policies, inner, block.start_soon)
        self._door = Doorkeeper(Gate(consultant.policies, inner, token), ground.now, timers.after, self._revoke)
        self._entrance = consultant.before(self._door)

    def adopt(self, name: str, epoch: str, leases: Sequence[Lease]) -> None:
        """What this agent holds from an earlier one stays held."""
        inventory = Inventory(hostname=name, run=epoch, leases=tuple(leases), asked=math.inf, knows=-math.inf)
        self._door.adopt(inventory)

    def submit(self, call: Call) -> Pending:
        """Requests about admission."""
        match call.request:
            case (
                Permit() | LeaseWithdraw() | LeaseExited() | LeaseOverride() | Approvals() | Approve() | Deny()
            ) as request:
                return self._entrance.submit(request, call.caller)
        raise AssertionError(f"{call.request.command} is no question of admission")

    def _revoke(self, lease: Lease, by: str, why: str) -> None:
        caller = Caller(name=by or LOCAL.name, roles=OWNER)
        request = LeaseRevoke(token=lease.token, uuid=lease.uuid, over=bool(why), why=why)
        self._engine.inner.submit(Call(request=request, caller=caller))
