"""An agent as a Service: the pure core, the hands that carry it out, and those who wait for answers."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import cast

from ..abc import LOCAL, Call, Caller, Items, Pending, StreamItem
from ..aio.lane import Lane
from ..aio.timers import Timers
from ..aio.wake import Wake
from ..core import events as ev
from ..core.guard import Guard, Keep
from ..core.host import (
    Answer,
    Appeared,
    Host,
    HostOut,
    HostRequest,
    Perform,
    Vanished,
)
from ..core.life import left_by_another
from ..core.messages import (
    Add,
    Adopt,
    AnyReply,
    AnyStream,
    Approvals,
    Approve,
    Ask,
    Batch,
    Delete,
    Deny,
    Detach,
    Done,
    Failure,
    Heartbeat,
    Kill,
    LeaseOverride,
    LeaseRevoke,
    Logs,
    Registered,
    Removed,
    Reopen,
    Restart,
    Signal,
    Start,
    StateChanged,
    Status,
    Stop,
)
from ..core.process import Process
from ..core.records import Item
from ..core.shown import item_of
from ..core.specs import ProcessSpec
from ..core.states import Phase, State
from ..core.value import evolve
from ..core.watchdog import seen
from ..errors import NoSuchTarget
from ..service.timeline import Timeline
from .adopting import described
from .bodies.itself import Bearer, Itself, is_there, uuid_of
from .found import Found
from .ground import Ground
from .hands import Hands
from .identity import ident_of
from .journal import Journal
from .machine import Machine
from .output.output import Output
from .output.reader import Reader
from .report import Report
from .stats import Stats
from .sweep import Sweep
from .top import Asking, Top

__all__ = ["AgentService"]

_SWEEP = 100
"""Processes whose statistics are sampled in one turn of the loop."""
_REMEMBER = 10.0
"""Seconds after which the items that were asked for are forgotten."""
_RECORD_AGAIN = 1.0
"""Seconds after which it is tried again to put down what could not be."""
_LINGER = 60.0
"""Seconds for which an answer is kept for a client whose link was lost."""


class AgentService:
    """Processes of one host.

    Args:
        name: Of the host.
        epoch: Names this run of the agent.
        ground: Clocks and dice.
        machine: Whose processes they are.
        timers: Calls later.
        top: Answers questions for permission.
        joined: Whether that is a controller.
    """

    def __init__(
        self, name: str, epoch: str, ground: Ground, machine: Machine, timers: Timers, top: Top, joined: bool = False
    ) -> None:
        self.name = name
        self.epoch = epoch
        self.host = Host(name, ground.rng)
        self.hands = Hands(machine, lambda uuid: self.host.processes[uuid], self.feed, self.troubled)
        self.report = Report(name, self._items, timers.after, ground.rng.random)
        self._ground = ground
        self._timers = timers
        self._top = top
        self.guard = Guard(name, machine.boot, epoch, ground.terms)
        later = timers.after if joined else None
        self.asking = Asking(name, self.guard, top, ground.now, self.feed, self._keep, later)
        self._sweep = Sweep(machine.census, timers.after, self.asking.release, self._idle, is_there)
        self._lane: Lane[HostOut] = Lane(self._perform)
        self._timeline = Timeline(epoch)
        self._stats = Stats(ground.features)
        self._shown: dict[str, State] = {}
        self._waiting: dict[str, list[Pending]] = {}
        self._sampled: set[str] = set()
        self._remembering = False
        self._passing = 0
        self._newcomers: set[Wake] = set()
        self._closed = False
        self.journal: Journal | None = None
        self.deadlines: dict[str, tuple[float, float]] = {}
        """Those of an earlier run, by uuid: when, and how long the lease lasts."""
        self._keeping = machine.keeping
        self._unrecorded: dict[str, str] = {}
        """What could not be put down as it is: by uuid, and why."""
        self._unforgotten: set[str] = set()
        """What was deleted, and is recorded still."""
        self._recording_again = False
        self._restoring = False

    # answering ------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> Pending:
        """See `procctl.abc.Service.submit`."""
        request = call.request
        match request:
            case Adopt():
                known = described(request)
                return Pending.of(known) if isinstance(known, Failure) else self._command(call, known)
            case (
                Status()
                | Add()
                | Start()
                | Stop()
                | Kill()
                | Signal()
                | Ask()
                | Restart()
                | Reopen()
                | Delete()
                | Detach()
            ):
                return self._command(call, request)
            case Approvals() | Approve() | Deny() | LeaseOverride():
                return self._top.submit(call)
            case Heartbeat():
                return Pending.of(Done())
            case LeaseRevoke() as revoke:
                self._revoke(revoke, str(call.caller))
                return Pending.of(Done())
        text = f"an agent does not answer {request.command}"
        return Pending.of(Failure(code="unknown-command", message=text))

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        """See `procctl.abc.Service.stream`."""
        return self._stream(request)

    def itself(self, bearer: Bearer) -> Itself:
        """A body for this program, which `own` begins."""
        uuid = uuid_of(ident_of(os.getpid()), self._ground.rng)
        return Itself(uuid, lambda: self.host.processes[uuid], self.feed, bearer)

    def own(self, spec: ProcessSpec, body: Itself) -> Pending:
        """This program wants to run as a process of its own. The answer is that of a start."""
        uuid, key, pending = body.uuid, self._passing_key(), Pending()
        self.hands.itself[uuid] = body
        self._waiting[key] = [pending]
        pending.give_up = lambda: self._forget(key, pending)
        self._lane.decide(lambda: self.host.own(key, spec, uuid, str(LOCAL), self._ground.now()))
        self.hands.itself.pop(uuid, None)
        return pending

    def later(self, call: Callable[[], None]) -> None:
        """Call this when who is at it now has come to a rest."""
        self._timers.after(0.0, call)

    def left_of(self, uuid: str, deadline: float = math.inf) -> float:
        """Seconds that are left of the lease of a process, and until this deadline; infinite where there is no end.
        From any thread."""
        hold = self.guard.holds.get(uuid)
        until = math.inf if hold is None or hold.until is None else hold.until
        return min(until, deadline) - self._ground.boot()

    @property
    def closed(self) -> bool:
        """Whether nothing is decided here any more: the agent has ended."""
        return self._closed

    def _command(self, call: Call, request: HostRequest) -> Pending:
        key = f"{call.caller.name}:{call.key}" if call.key else self._passing_key()
        pending = Pending()
        pending.give_up = lambda: self._forget(key, pending)
        pending.lose = lambda: self._timers.after(_LINGER, lambda: self._forget(key, pending))
        self._waiting.setdefault(key, []).append(pending)
        if isinstance(request, Status):
            self._forget_shown_later()
            if request.stats:
                self._sampled.add(key)
        by = str(call.caller)
        self._lane.decide(lambda: self.host.request(key, request, by, call.until, self._ground.now()))
        if call.deadline is not None and pending.reply is None:
            self._timers.after(
                call.deadline, lambda: self._lane.decide(lambda: self.host.expire(key, self._ground.now()))
            )
        return pending

    def _forget_shown_later(self) -> None:
        if not self._remembering:
            self._remembering = True
            self._timers.after(_REMEMBER, self._forget_shown)

    def _forget_shown(self) -> None:
        self._remembering = False
        self.host.shown.forget()
        self._stats.forget_shown()

    def _revoke(self, revoke: LeaseRevoke, by: str) -> None:
        """What runs on that lease has to end, and nothing else."""
        process = self.host.processes.get(revoke.uuid)
        if process is None or process.token != revoke.token:
            self._sweep.begin(revoke.uuid, revoke.token)
        elif revoke.over:
            self.asking.over(revoke.uuid, revoke.token, revoke.why)
        else:
            self.feed(revoke.uuid, ev.StopAsked("", by, None, True))

    def _idle(self, uuid: str) -> bool:
        return uuid not in self.host.processes or self.host.processes[uuid].idle

    def _passing_key(self) -> str:
        self._passing += 1
        return f"~{self._passing}"

    def _forget(self, key: str, pending: Pending) -> None:
        waiting = self._waiting.get(key, [])
        if pending in waiting:
            waiting.remove(pending)
            if not waiting:
                del self._waiting[key]
                self._sampled.discard(key)
                self.host.forget(key)

    def _answer(self, key: str, reply: AnyReply) -> None:
        self.report.flush()
        waiting = self._waiting.pop(key, [])
        if key in self._sampled and isinstance(reply, Batch):
            self._sampled.discard(key)
            self._sample(reply, 0, list(reply.items), waiting)
            return
        for pending in waiting:
            pending.settle(reply)

    def _sample(self, reply: Batch, done: int, items: list[Item], waiting: list[Pending]) -> None:
        """Memory and CPU, so many processes in a turn of the loop."""
        end = min(len(items), done + _SWEEP)
        for i in range(done, end):
            items[i] = self._stats.add(items[i])
        if end < len(items):
            self._timers.after(0.0, lambda: self._sample(reply, end, items, waiting))
            return
        whole = evolve(reply, items=tuple(items))
        for pending in waiting:
            pending.settle(whole)

    # streams --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _stream(self, request: AnyStream) -> AsyncGenerator[AsyncIterator[StreamItem]]:
        if isinstance(request, Logs):
            reader = self._logs(request)
            try:
                async with aclosing(reader.chunks()) as chunks:
                    yield cast("AsyncIterator[StreamItem]", chunks)
            finally:
                reader.close()
        else:
            events = self._timeline.read(request, lambda: self._items(None), self._ground.wall)
            async with aclosing(events):
                yield cast("AsyncIterator[StreamItem]", events)

    def _logs(self, request: Logs) -> Reader:
        if not self.host.select(request):
            for miss in self.host.missing(request):
                raise NoSuchTarget(miss.code, miss.message, miss.hint)

        def selected() -> Iterable[tuple[Process, Output]]:
            return [(p, self.hands.outputs[p.uuid]) for p in self.host.select(request)]

        return Reader(request, self.name, selected, self._newcomers, lambda: self._closed)

    def close(self) -> None:
        """All has ended: streams come to their ends."""
        self._closed = True
        self.asking.close()
        self._timeline.close()
        for wake in self._newcomers:
            wake.set()

    def troubled(self, uuid: str, text: str) -> None:
        """The files of a process's output cannot be written to, or can again."""
        self._lane.decide(lambda: self.host.trouble(uuid, text))

    # performing -----------------------------------------------------------------------------------------------

    def feed(self, uuid: str, event: ev.Event) -> None:
        """Something happened to a process. After the end of the agent it is the next one's to find out."""
        if self._closed:
            return
        happened = self.guard.ended(uuid, event, self._ground.now()) if isinstance(event, ev.Exited) else event
        self._lane.decide(lambda: self.host.feed(uuid, happened, self._ground.now()))

    def _perform(self, out: HostOut) -> None:
        match out:
            case Perform(uuid, effect):
                self._effect(uuid, effect)
            case Answer(key, reply):
                self._answer(key, reply)
            case Appeared(uuid):
                self._appeared(self.host.processes[uuid])
            case Vanished(process):
                self._vanished(process)

    def _effect(self, uuid: str, effect: ev.Effect) -> None:
        match effect:
            case ev.Changed():
                self._record(uuid)
                self._changed(uuid)
            case ev.Record():
                self._record(uuid)
            case ev.Spawn() if uuid in self._unrecorded:
                self.feed(uuid, ev.SpawnFailed(self._unrecorded[uuid], passing=True))
            case ev.AskPermission():
                self.asking.ask(self.host.processes[uuid], effect)
            case ev.Withdraw(rid):
                self.asking.withdraw(self.host.processes[uuid], rid)
            case ev.ReleaseLease(token):
                self.asking.release(uuid, token)
            case ev.StartTimer(timer, serial, after):
                self._timers.after(after, partial(self.feed, uuid, ev.TimerFired(timer, serial)))
            case _:
                self.hands.perform(uuid, effect)

    def _record(self, uuid: str) -> None:
        """Put it down; what cannot be is not started, and is put down when that is possible again."""
        self._unrecorded.pop(uuid, None)
        if self.journal is not None:
            trouble = self.journal.save(self.host.processes[uuid], self.hands.ident(uuid))
            if trouble:
                self._unrecorded[uuid] = trouble
                self._record_later()

    def _forget_record(self, uuid: str) -> None:
        self._unrecorded.pop(uuid, None)
        self._unforgotten.discard(uuid)
        if self.journal is not None and self.journal.forget(uuid):
            self._unforgotten.add(uuid)
            self._record_later()

    def _record_later(self) -> None:
        if not self._recording_again:
            self._recording_again = True
            self._timers.after(_RECORD_AGAIN, self._record_again)

    def _record_again(self) -> None:
        """One is tried, and where that goes well all the others."""
        self._recording_again = False
        if self._closed:
            return
        for uuid in (*self._unforgotten, *self._unrecorded):
            if uuid in self._unforgotten:
                self._forget_record(uuid)
            else:
                self._record(uuid)
            if self._recording_again:
                return

    def restore(self, process: Process, survives: bool) -> None:
        """A process that an earlier agent has recorded, and whether its program was to outlive that one."""
        self._restoring = True
        try:
            self._lane.decide(lambda: self.host.restore(left_by_another(process)))
        finally:
            self._restoring = False
        until, ttl = self.deadlines.get(process.uuid, (None, 0.0))
        self.asking.restore(process, until, ttl, survives)

    def _keep(self, keep: Keep) -> None:
        """A deadline: put down, and the keeper's from now on."""
        process = self.host.processes.get(keep.uuid)
        own = process is not None and process.own  # nobody ends it, now or later
        if self.journal is not None:
            self.journal.keep(self.guard.epoch, keep.uuid, None if own else keep.until, keep.ttl)
        if not own:
            self._keeping.lease(keep.uuid, keep.until)

    def resume(self, uuid: str, found: Found | None) -> None:
        """Go on with it; `found` is its run, if there is one."""
        if found is None:
            if self.host.processes[uuid].phase is Phase.STARTING:  # it may have run, and have left something
                self._sweep.clear(uuid, lambda: self.feed(uuid, ev.Resumed()))
            else:
                self.feed(uuid, ev.Resumed())
            return
        p = self.host.processes[uuid]
        run = p.runs + 1 if p.phase is Phase.STARTING else p.runs
        self.hands.adopting(uuid).take(run, found)
        self.feed(uuid, ev.Resumed(found.ident.pid))

    def _appeared(self, process: Process) -> None:
        self.hands.appeared(process)
        self._shown[process.uuid] = process.phase.state
        if not self._restoring:
            self._record(process.uuid)
        now = self._ground.now()
        self._timeline.put(
            lambda cursor: Registered(time=now.wall, cursor=cursor, process=item_of(process, self.name, now))
        )
        self.report.changed(process.uuid)
        for wake in self._newcomers:
            wake.set()

    def _vanished(self, process: Process) -> None:
        self.hands.vanished(process.uuid)
        self._forget_record(process.uuid)
        del self._shown[process.uuid]
        now = self._ground.now()
        self._timeline.put(
            lambda cursor: Removed(time=now.wall, cursor=cursor, process=item_of(process, self.name, now))
        )
        self.report.deleted(process.uuid)
        for wake in self._newcomers:
            wake.set()

    def _changed(self, uuid: str) -> None:
        process = self.host.processes[uuid]
        self.guard.changed(process)
        now = self._ground.now()
        old, new = self._shown[uuid], seen(process)[0]
        self._shown[uuid] = new
        if not process.pid:
            self._stats.forget(uuid)

        def event(cursor: str) -> StateChanged:
            item = item_of(process, self.name, now)
            return StateChanged(time=now.wall, cursor=cursor, process=item, old=int(old), new=int(new))

        self._timeline.put(event)
        self.report.changed(uuid)

    def _items(self, uuids: Sequence[str] | None) -> tuple[Item, ...]:
        now = self._ground.now()
        chosen = self.host.processes if uuids is None else [u for u in uuids if u in self.host.processes]
        return tuple(self.host.item(uuid, now) for uuid in chosen)

    # for policies ---------------------------------------------------------------------------------------------

    def processes(self, name: str = "", hostname: str = "") -> tuple[Item, ...]:
        """What a policy can look up: see `procctl.core.approval.View`."""
        now = self._ground.now()
        return tuple(item_of(p, self.name, now) for p in self.host.select(Status(name=name, hostname=hostname)))
