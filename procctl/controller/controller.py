"""The controller: many agents as one fleet, as a block in somebody's program."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import anyio
from attrs import evolve

from ..abc import (
    Call,
    Caller,
    Connection,
    Items,
    Listener,
    Pending,
    Service,
    StreamItem,
)
from ..aio.block import Block
from ..aio.lane import Lane
from ..core.approval import Policy
from ..core.auth import Auth
from ..core.budget import RestartBudget
from ..core.fleet import FleetOut, Forward, Merged, Router
from ..core.gate import Gate
from ..core.host import HostRequest
from ..core.leases import Inventory, Lease
from ..core.messages import (
    Add,
    Adopt,
    AgentInfo,
    AgentStatus,
    AgentStop,
    AnyEvent,
    AnyStream,
    Approvals,
    Approve,
    Ask,
    Batch,
    Delete,
    Deny,
    Detach,
    Done,
    Events,
    Failure,
    Heard,
    Heartbeat,
    Hello,
    HostInfo,
    HostList,
    Hosts,
    Kill,
    LeaseOverride,
    LeaseRevoke,
    Reopen,
    Restart,
    Signal,
    Snapshot,
    Start,
    StateChanged,
    Status,
    Stop,
    Welcome,
)
from ..core.reach import Reach
from ..core.registry import About, Registry
from ..core.rights import OWNER, refused
from ..core.states import State
from ..errors import BadConfig, Closed, refusal
from ..link.consultant import Consultant, Entrance
from ..link.doorkeeper import Doorkeeper
from ..link.pair import pair
from ..link.reception import Reception
from ..link.session import Session, bounded
from ..service.arguments import expect, folder, host_name, places, policies
from ..service.fleet import Fleet
from ..service.ground import Ground
from ..service.timeline import Timeline
from ..version import __version__
from .attendance import Attendance
from .journal import Journal, Recalled
from .links import AgentLink
from .outputs import Outputs, onward_of
from .turnstile import Turnstile

__all__ = ["Controller"]

_LATE = 0.5
"""Seconds for the answers of agents, which keep the same deadline and know what each target waits for."""
_WRITING = 5.0
"""Seconds for what was decided to be put down when the controller ends."""


class Controller(Fleet):
    """A fleet for as long as its block lasts: agents join it, on its URLs or out of the same program.

    It lives on the caller's loop, asyncio or trio. When the block is left, the links end; what agents run, they go on
    running.

    Args:
        name: What it calls itself.
        listen: URLs, or listeners, on which agents and clients arrive.
        approval: Policies that decide who may run, see `procctl.core.approval`.
        auth: The files of the credentials that its listeners know. None: there are none, so nobody gets in where a
            transport proves nothing.
        reach: What is done about hosts that do not respond; None: they are shown as such.
        restarts: How many automatic restarts are under way in the fleet at a time; None: as many as there are.
        state_dir: A folder where everything is put down that it grants, before it grants it; then "never two" holds
            over its own end, too. None: what it grants is forgotten with it.

    Raises (when entered):
        BadConfig: A URL, a policy, a token file or the state folder cannot be used.

    Raises (when left):
        InternalError: A defect of procctl ended the block.
    """

    def __init__(
        self,
        name: str = "controller",
        *,
        listen: str | Sequence[str | Listener] = (),
        approval: Sequence[Policy] = (),
        auth: Auth | None = None,
        reach: Reach | None = None,
        restarts: RestartBudget | None = None,
        state_dir: str | os.PathLike[str] | None = None,
        _ground: Ground | None = None,
    ) -> None:
        super().__init__(self)
        self.name = host_name(name)
        expect("auth", auth, Auth | None)
        expect("reach", reach, Reach | None)
        expect("restarts", restarts, RestartBudget | None)
        folder(state_dir)
        self._ground = _ground or Ground()
        self._now = self._ground.now
        self._state_dir = state_dir
        self._journal: Journal | None = None
        self.registry = Registry()
        self._listen = places(listen)
        self._policies = policies(approval)
        self._router = Router(name, self.registry)
        self._lane: Lane[FleetOut] = Lane(self._perform)
        self._links: dict[str, AgentLink] = {}
        self._waiting: dict[str, tuple[Pending, Call]] = {}
        self._numbers = 0
        self._timers = self._ground.timers()
        self._consultant = Consultant(self._policies, self.registry, self._begin)
        self._turnstile = Turnstile(restarts, self._consultant, self._now, self._timers.after)
        self.entrance: Entrance = self._turnstile
        self.door = self._make_door(None)
        self._reception = Reception(self, self._attach, auth=auth)
        self._attendance = Attendance(
            self.registry,
            self._links,
            reach or Reach(),
            now=self._now,
            later=self._timers.after,
            happened=self._happened,
            moved=lambda: self._outputs.changed(),
        )
        self._outputs = Outputs(name, self.registry, self._links, lambda: self._closed)
        self._timeline = Timeline(f"{self._ground.rng.getrandbits(48):012x}")
        self._block: Block | None = None
        self._closed = False

    # the block ------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise Closed("a controller is entered once", "make another Controller()")
        self._started = self._ground.wall()
        self._block = Block(f"the controller {self.name}", self._leave)
        await self._block.__aenter__()
        try:
            self._block.start_soon(self._timers.run)
            if self._state_dir is not None:
                recalled = await self._ground.work(self._recall, Path(self._state_dir).absolute())
                assert self._journal is not None
                self.door = self._make_door(recalled)
                self._block.start_soon(self._journal.run)
                self.door.perform(())
            for place in self._listen:
                self._reception.add(place)
            await self._block.start(self._reception.run)
        except BaseException as error:
            await self._block.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._block is not None
        await self._block.__aexit__(kind, error, trace)

    def _make_door(self, recalled: Recalled | None) -> Doorkeeper:
        """The gate, and what is around it."""
        epoch = int(self._ground.wall() * 1000) if recalled is None else recalled.epoch
        token, born = (0, epoch) if recalled is None else (recalled.token, recalled.born)
        gate = Gate(self._consultant.policies, self.registry, token, terms=self._ground.terms, epoch=epoch, born=born)
        if recalled is not None:
            gate.book.load(recalled.leases, self._ground.boot())
        door = Doorkeeper(gate, self._now, self._timers.after, self._revoke, self._journal)
        self._consultant.before(door)
        return door

    def _recall(self, folder: Path) -> Recalled:
        """What an earlier life has put down. Blocks; for a thread."""
        self._journal = Journal.of(folder, self._ground)
        return self._journal.begin(self._ground.wall())

    async def _leave(self) -> None:
        self._closed = True
        self._timeline.close()
        self._outputs.changed()
        await self._reception.close()
        if self._journal is not None:
            with anyio.move_on_after(_WRITING):
                while self.door.busy:
                    await anyio.sleep(_WRITING / 1000)
            await self._ground.work(self._journal.close)

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it listens."""
        return self._reception.urls

    async def dial(self, name: str) -> Connection:
        """A connection to it within this program, for somebody called `name`."""
        if self._block is None or self._closed:
            raise Closed(f"the controller {self.name} is not entered, or has ended")
        here, there = pair(name, self.name)
        self._reception.serve(there)
        return here

    # answering ------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> Pending:
        """See `procctl.abc.Service.submit`."""
        if self._block is None or self._closed:
            text = f"the controller {self.name} is not entered, or has ended"
            return Pending.of(Failure(code="closed", message=text, hint="use it inside of its async with block"))
        forbidden = refused(call.caller, call.request.command)
        if forbidden is not None:
            return Pending.of(forbidden)
        match call.request:
            case Status(stats=False, detail=False) as request if call.until == "settled":
                items = self.registry.select(request)
                return Pending.of(Batch(items=tuple(items), misses=() if items else self.registry.missing(request)))
            case (
                Status()
                | Add()
                | Adopt()
                | Start()
                | Stop()
                | Kill()
                | Signal()
                | Ask()
                | Restart()
                | Reopen()
                | Delete()
                | Detach()
            ) as request:
                return self._command(call, request)
            case Approvals() | Approve() | Deny() | LeaseOverride() as request:
                return self.door.submit(request, call.caller)
            case AgentStatus():
                return Pending.of(self._info())
            case Hosts(hostname=pattern):
                return Pending.of(HostList(hosts=tuple(map(self._heard, self.registry.known(pattern)))))
            case Heartbeat():
                return Pending.of(Done())
        text = f"a controller does not answer {call.request.command}"
        ends = isinstance(call.request, AgentStop)
        hint = f"kill {os.getpid()} (SIGTERM) ends it; what its agents run goes on" if ends else ""
        return Pending.of(Failure(code="unknown-command", message=text, hint=hint))

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        """See `procctl.abc.Service.stream`."""
        forbidden = refused(caller, request.command)
        if forbidden is not None:
            raise refusal(forbidden.code, forbidden.message, forbidden.hint)
        return self._stream(request, caller)

    def _command(self, call: Call, request: HostRequest) -> Pending:
        self._numbers += 1
        key = f"~{self._numbers}"
        pending = Pending(lambda: self._forget(key))
        self._waiting[key] = (pending, call)
        self._lane.decide(lambda: self._router.request(key, request, call.until))
        if call.deadline is not None and pending.reply is None:
            self._timers.after(call.deadline + _LATE, lambda: self._lane.decide(lambda: self._router.expire(key)))
        return pending

    def _forget(self, key: str) -> None:
        self._waiting.pop(key, None)
        self._router.forget(key)

    def _perform(self, out: FleetOut) -> None:
        match out:
            case Forward(key, hostname, request):
                self._forward(key, hostname, request)
            case Merged(key, reply):
                pending, _ = self._waiting.pop(key, (None, None))
                if pending is not None:
                    pending.settle(reply)

    def _forward(self, key: str, hostname: str, request: HostRequest) -> None:
        link = self._links.get(hostname)
        entry = self._waiting.get(key)
        if link is None or entry is None:
            gone = Failure(code="peer-gone", message=f"{hostname} does not respond")
            self._lane.decide(lambda: self._router.replied(key, hostname, gone))
            return
        call = entry[1]
        onward = evolve(call, request=request, caller=onward_of(self.name, call.caller))
        link.session.submit(onward).then(
            lambda reply: self._lane.decide(lambda: self._router.replied(key, hostname, reply))
        )

    def _heard(self, host: HostInfo) -> HostInfo:
        """Signs of life do not pass through the registry."""
        link = self._links.get(host.name)
        if link is None or host.state == "silent":
            return host
        return evolve(host, heard=max(host.heard, self._ground.wall() - link.session.silent))

    def _info(self) -> AgentInfo:
        return AgentInfo(
            name=self.name,
            role="controller",
            pid=os.getpid(),
            version=__version__,
            started=self._started,
            urls=self._reception.urls,
            processes=self.registry.count,
            running=self.registry.running,
        )

    # streams --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _stream(self, request: AnyStream, caller: Caller) -> AsyncGenerator[AsyncIterator[StreamItem]]:
        if isinstance(request, Events):
            async with aclosing(self._timeline.read(request, self.registry.processes, self._ground.wall)) as events:
                yield cast("AsyncIterator[StreamItem]", events)
        else:
            async with self._outputs.read(request, caller) as chunks:
                yield chunks

    def _begin(self, task: Callable[..., Awaitable[None]], *args: object) -> None:
        assert self._block is not None
        self._block.start_soon(task, *args)

    # agents ---------------------------------------------------------------------------------------------------

    def _attach(self, session: Session, hello: Hello | None) -> tuple[Service, Welcome] | Failure:
        welcome = Welcome(name=self.name, role="controller", version=__version__)
        if hello is None or hello.role != "agent":
            return self, welcome
        if session.caller is None or not session.caller.has("agent"):
            text = f"{session.caller} may not join as an agent"
            return Failure(code="forbidden", message=text, hint="procctl token new --can agent makes a token that may")
        try:
            host_name(hello.name)
        except BadConfig as error:
            return Failure(code="bad-request", message=error.message, hint=error.hint)
        known = self._links.get(hello.name)
        theirs = self.registry.refusal(hello.name, session.caller.identity)
        if known is not None and (theirs or known.epoch != hello.epoch) and not known.quiet:
            text = f"an agent called {hello.name} has joined already"
            return Failure(code="exists", message=text, hint="give one of them another name")
        if theirs is not None:
            return theirs
        if known is not None:
            known.session.end("its agent has come again")
        link = AgentLink(self, session, hello.name, hello.epoch, bounded(hello.heartbeat) / 2)
        self._attendance.joined(link, _about(session.caller, session, hello))
        self._consultant.gone(hello.name, hello.epoch)
        self.door.adopt(link.inventory(hello))
        assert self._block is not None
        self._block.start_soon(self._watch, link)
        if not link.often:
            return link, welcome
        link.every = self._attendance.pace(link.often).every
        return link, evolve(welcome, heartbeat=2 * link.every)

    async def _watch(self, link: AgentLink) -> None:
        await link.session.gone.wait()
        self._attendance.gone(link)

    def heard(self, link: AgentLink, beat: Heartbeat) -> Heard:
        """An agent has said what changed, or that nothing has."""
        return self._attendance.heard(link, beat)

    def left(self, link: AgentLink) -> None:
        """An agent has ended in an orderly way: all that it ran is stopped."""
        self._attendance.left(link)
        self._consultant.gone(link.host, "")
        self.door.adopt(Inventory(hostname=link.host, run="", asked=math.inf, knows=-math.inf))

    def _happened(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            self._timeline.put(partial(_at, event))
        if self.door.gate.open:
            for host in sorted(_lost_or_back(events)):
                self.door.explain(host)
        if self._turnstile.counts:
            for event in events:
                if not isinstance(event, Snapshot):
                    self._turnstile.saw(event.process)

    def _revoke(self, lease: Lease, by: str, why: str) -> None:
        link = self._links.get(lease.hostname)
        if link is None:
            return  # it is told when it comes back; until then its lease is held
        caller = Caller(name=self.name, on_behalf=by, roles=OWNER)
        request = LeaseRevoke(token=lease.token, uuid=lease.uuid, over=not by, why=why)
        link.session.submit(Call(request=request, caller=caller))


def _about(caller: Caller, session: Session, hello: Hello) -> About:
    return About(
        epoch=hello.epoch,
        version=hello.version,
        address=session.address,
        transport=session.transport,
        identity=caller.identity,
        roles=tuple(sorted(caller.roles)),
        features=hello.features,
    )


def _lost_or_back(events: Sequence[AnyEvent]) -> set[str]:
    """The hosts that respond no more, or again."""
    changes = [event for event in events if isinstance(event, StateChanged)]
    return {event.process.hostname for event in changes if State.NOTRESPONDING in (event.old, event.new)}


def _at(event: AnyEvent, cursor: str) -> AnyEvent:
    """The event with its place in our own order."""
    return evolve(event, cursor=cursor)
