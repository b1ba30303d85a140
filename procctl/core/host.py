"""One machine's brain: its processes, the commands that are being answered, the answers already given. Pure.

A command becomes an event for each of its targets; what the processes answer is put together in `gather`. Cancelling
a wait (`forget`) undoes nothing. What a start depends on is started with it (`needs`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from uuid import UUID, uuid5

from attrs import frozen

from . import events as ev
from .check import problems, signal_name
from .gather import Answer, Gathers
from .matching import is_pattern, match_host, select
from .messages import (
    Add,
    Adopt,
    Ask,
    Delete,
    Detach,
    Detail,
    Failure,
    Kill,
    Miss,
    Reopen,
    Restart,
    Signal,
    Start,
    Status,
    Stop,
    Target,
    Until,
)
from .missing import missing
from .needs import Needs
from .process import Process, step
from .records import Ident, Item, Why
from .shown import Shown, item_of
from .specs import ProcessSpec
from .states import RESTING, Phase
from .value import Value, evolve
from .words import MAX_ACTION

__all__ = ["Answer", "Appeared", "Host", "HostOut", "HostRequest", "Perform", "Vanished"]

P = Phase

START = Start()
"""One without more to it."""

HostRequest = Status | Add | Adopt | Start | Stop | Kill | Signal | Ask | Restart | Reopen | Delete | Detach


@frozen(eq=False, repr=False)
class Perform(Value):
    """Do this for that process, after what was to be done for it before."""

    uuid: str
    effect: ev.Effect


@frozen(eq=False, repr=False)
class Appeared(Value):
    """A process was registered."""

    uuid: str


@frozen(eq=False, repr=False)
class Vanished(Value):
    """A process was deleted; this is how it was last."""

    process: Process


HostOut = Perform | Answer | Appeared | Vanished


class Host:
    """The processes of one machine.

    Args:
        name: Of the host.
        rng: Where ids come from.
    """

    def __init__(self, name: str, rng: Random) -> None:
        self.name = name
        self.processes: dict[str, Process] = {}
        self._rng = rng
        self.shown = Shown(name)
        self._gathers = Gathers(name, self.processes)
        self._waiting: set[str] = set()  # uuids in Phase.WAITING
        self._names: dict[str, list[str]] = {}  # slot and base name -> uuids
        self._needs = Needs(self.processes, self._names)

    # requests -------------------------------------------------------------------------------------------------

    def request(self, key: str, request: HostRequest, by: str, until: Until, now: ev.Now) -> list[HostOut]:
        """Take a command.

        Args:
            key: The request's identity; a second one with the same is answered as the first was.
            request: What is asked.
            by: Who asks, for the record.
            until: When it is answered; ``settled`` for the default.
            now: When.
        """
        known = self._gathers.known(key)
        if known is not None:
            return list(known)
        if isinstance(request, Add):
            return self._add(key, request, by, until, now)
        if isinstance(request, Adopt):
            return self._adopt(key, request, by, until, now)
        refusal = self._refused(request)
        if refusal is not None:
            return [Answer(key, refusal)]
        targets = self.select(request)
        misses = self.missing(request) if not targets else []
        match request:
            case Status():
                if request.detail:
                    return [self._gathers.answer(key, *self._detailed(targets, now), misses)]
                return self._status(key, targets, misses, until, now)
            case Delete():
                return self._delete(key, targets, misses, now)
            case Start():
                return self._start(key, targets, misses, by, until, now, request)
            case Stop(grace=grace, hard=hard):
                return self._command(
                    key, targets, misses, until, now, lambda p: ev.StopAsked(key, by, _steps(p, grace), hard)
                )
            case Kill(signal=name, grace=wait):
                name = signal_name(name) or name
                steps = () if name == "SIGKILL" else ((name, wait),)
                return self._command(key, targets, misses, until, now, lambda p: ev.StopAsked(key, by, steps, True))
            case Restart():
                return self._start(key, targets, misses, by, until, now, again=True)
            case Detach():
                return self._command(key, targets, misses, until, now, lambda p: ev.DetachAsked(key, by))
            case Reopen():
                reopening = [Perform(p.uuid, ev.ReopenLogs()) for p in targets]
                items = tuple(item_of(p, self.name, now) for p in targets)
                return [*reopening, self._gathers.answer(key, items, (), misses)]
            case Signal(signal=name):
                name = signal_name(name) or name
                return self._command(key, targets, misses, until, now, lambda p: ev.SignalAsked(key, by, name))
            case Ask(action=action, data=data):
                return self._command(
                    key, targets, misses, until, now, lambda p: ev.QuestionAsked(key, by, action, data)
                )

    def own(self, key: str, spec: ProcessSpec, uuid: str, by: str, now: ev.Now) -> list[HostOut]:
        """The program that the agent is part of asks to run as one of its processes. No message of the protocol: only
        that program can say so. Answered like a start."""
        failure = self._unwanted(Add(spec=spec, uuid=uuid))
        if failure is not None:
            return [Answer(key, failure)]
        (p,), out = self._register(spec, uuid, by, now)
        self.processes[p.uuid] = evolve(p, own=True)
        return out + self._start(key, [self.processes[p.uuid]], [], by, "settled", now)

    def feed(self, uuid: str, event: ev.Event, now: ev.Now) -> list[HostOut]:
        """Something happened to one process. A process that was deleted meanwhile is not an error."""
        if uuid not in self.processes:
            return [Perform(uuid, ev.ReleaseLease(event.token))] if isinstance(event, ev.Granted) else []
        todo: deque[str] = deque()
        out = self._step(uuid, event, now, todo)
        return out + self._wake(todo, now)

    def _step(self, uuid: str, event: ev.Event, now: ev.Now, todo: deque[str]) -> list[HostOut]:
        """One event; who waits for this process is put down in `todo`."""
        before = self.processes[uuid]
        after, effects = step(before, event, now)
        self.processes[uuid] = after
        (self._waiting.add if after.phase is P.WAITING else self._waiting.discard)(uuid)
        out: list[HostOut] = []
        for effect in effects:
            if isinstance(effect, ev.Settle):
                self._gathers.settle(uuid, effect)
            else:
                out.append(Perform(uuid, effect))
        out += self._gathers.look(uuid, now)
        if self._waiting and (after.phase is not before.phase or after.ready is not before.ready):
            todo.extend(self._concerned(after))
        return out

    def trouble(self, uuid: str, text: str) -> list[HostOut]:
        """Something about a process is not as it should be, without a change of its phase; empty: it is again."""
        if uuid not in self.processes or self.processes[uuid].trouble == text:
            return []
        self.processes[uuid] = evolve(self.processes[uuid], trouble=text)
        return [Perform(uuid, ev.Changed())]

    def forget(self, key: str) -> None:
        """Nobody waits for this answer any more. The command goes on, and is not done again by the same key."""
        self._gathers.forget(key)

    def expire(self, key: str, now: ev.Now) -> list[HostOut]:
        """The deadline of this request passed: it is answered with what there is."""
        return list(self._gathers.expire(key, now))

    def select(self, target: Target) -> list[Process]:
        """The processes that a target names here."""
        if target.uuid in self.processes and not (target.hostname or target.name or target.group):
            return [self.processes[target.uuid]]
        things: Iterable[Process] = self.processes.values()
        if target.name and not is_pattern(target.name):
            things = [self.processes[uuid] for uuid in self._names.get(target.name, ())]
            if not (target.hostname or target.uuid or target.group):
                return [p for p in things if p.name == target.name] or list(things)
        elif target.everything:
            return list(things)
        return select(target, things, lambda p: (self.name, p.spec.name, p.spec.group))

    def item(self, uuid: str, now: ev.Now) -> Item:
        """One process as everybody sees it."""
        return item_of(self.processes[uuid], self.name, now)

    # one command ----------------------------------------------------------------------------------------------

    def _refused(self, request: HostRequest) -> Failure | None:
        if isinstance(request, Status | Add | Adopt):
            return None
        if request.everything and not request.all:
            return Failure(
                code="needs-all",
                message=f"{request.command} without a target would mean every process",
                hint='name a target, or say "all": true (on the command line: all)',
            )
        if isinstance(request, Kill | Signal) and signal_name(request.signal) is None:
            return Failure(code="bad-signal", message=f"{request.signal!r} is no signal", hint="for example SIGTERM")
        if isinstance(request, Ask) and not 0 < len(request.action) <= MAX_ACTION:
            text = f"expected 1 to {MAX_ACTION} characters at $.action"
            return Failure(code="bad-request", message=text)
        if isinstance(request, Stop | Kill) and request.grace is not None and not 0 <= request.grace <= 1e9:
            return Failure(code="bad-request", message=f"expected seconds, got {request.grace} at $.grace")
        return None

    def missing(self, target: Target) -> list[Miss]:
        """What to say when nothing matches; nothing at all if nothing in particular was meant."""
        here = (self.name,)
        known = {name: here for p in self.processes.values() for name in (p.spec.name, p.name)}
        return missing(target, here, known, lambda: {p.spec.group for p in self.processes.values()} - {""}, self.name)

    def _command(
        self,
        key: str,
        targets: list[Process],
        misses: list[Miss],
        until: Until,
        now: ev.Now,
        event: Callable[[Process], ev.Event],
    ) -> list[HostOut]:
        gather = self._gathers.open(key, targets, misses, until, settling=True)
        out: list[HostOut] = []
        for p in targets:
            out += self.feed(p.uuid, event(p), now)
        if until == "accepted" or not targets:
            out += self._gathers.close(gather, now)
        return out

    def _start(
        self,
        key: str,
        targets: list[Process],
        misses: list[Miss],
        by: str,
        until: Until,
        now: ev.Now,
        how: Start = START,
        again: bool = False,
    ) -> list[HostOut]:
        """Start them, and first what they need; with `again`, those that run are restarted."""
        first: list[HostOut] = []
        tried: set[str] = set()
        resting = [p for p in targets if p.phase in RESTING or not again]
        for p in resting:
            first += self._start_dependencies(p, by, now, tried)
        blocked = {p.uuid: self._needs.blocked(p) for p in resting}

        def event(p: Process) -> ev.Event:
            if p.uuid in blocked:
                return ev.StartAsked(key, by, blocked[p.uuid], how.force, how.standby)
            return ev.RestartAsked(key, by)

        return first + self._command(key, targets, misses, until, now, event)

    def _status(self, key: str, targets: list[Process], misses: list[Miss], until: Until, now: ev.Now) -> list[HostOut]:
        if until in ("accepted", "settled"):
            return [self._gathers.answer(key, self.shown.items(targets, now), (), misses)]
        gather = self._gathers.open(key, targets, misses, until, settling=False, patient=True)
        out: list[HostOut] = []
        for p in targets:
            out += self._gathers.look(p.uuid, now)
        return [*out, *self._gathers.close(gather, now)]

    def _detailed(self, targets: list[Process], now: ev.Now) -> tuple[tuple[Item, ...], tuple[Detail, ...]]:
        details = tuple(
            Detail(uuid=p.uuid, spec=evolve(p.spec, env={}), environment=tuple(p.spec.env), past=p.past)
            for p in targets
        )
        return tuple(item_of(p, self.name, now) for p in targets), details

    def _delete(self, key: str, targets: list[Process], misses: list[Miss], now: ev.Now) -> list[HostOut]:
        gone: list[HostOut] = []
        items: list[Item] = []
        for p in targets:
            if p.phase not in RESTING:
                text = f"{p.name} is {p.phase.detail}; only what does not run can be deleted"
                hint = f"procctl stop {'' if p.spec.hooks is None else '--hard '}{p.name}"
                misses.append(Miss(target=p.name, code="still-running", message=text, hint=hint))
                continue
            items.append(item_of(p, self.name, now))
            self._drop(p)
            gone += [Vanished(p), *self._gathers.deleted(p, now), *self._wake(deque(self._concerned(p)), now)]
        return [*gone, self._gathers.answer(key, tuple(items), (), misses)]

    def _add(self, key: str, request: Add, by: str, until: Until, now: ev.Now) -> list[HostOut]:
        failure = self._unwanted(request)
        if failure is not None:
            return [Answer(key, failure)]
        added, out = self._register(request.spec, request.uuid, by, now)
        if not request.start:
            gather = self._gathers.open(key, added, [], until, settling=False, patient=True)
            return [*out, *self._gathers.close(gather, now)]
        return out + self._start(key, added, [], by, until, now)

    def _register(self, spec: ProcessSpec, chosen: str, by: str, now: ev.Now) -> tuple[list[Process], list[HostOut]]:
        first = UUID(chosen) if chosen else UUID(int=self._rng.getrandbits(128), version=4)
        added = []
        out: list[HostOut] = []
        for i, uuid in enumerate(_uuids(first, spec.instances), 1):
            name = spec.name if spec.instances == 1 else f"{spec.name}.{i}"
            why = Why(code="registered", text="never started", by=by, since=now.wall)
            p = Process(uuid=uuid, name=name, spec=spec, since=now.wall, why=why)
            self.processes[uuid] = p
            for known in {name, spec.name}:
                self._names.setdefault(known, []).append(uuid)
            added.append(p)
            out.append(Appeared(uuid))
        return added, out

    def _adopt(self, key: str, request: Adopt, by: str, until: Until, now: ev.Now) -> list[HostOut]:
        """The start of a process whose program is there already: asked for permission like any other."""
        ident = Ident(request.pid, request.start, request.boot)
        known = self._names.get(request.spec.name, [])
        resting = [self.processes[uuid] for uuid in known if self.processes[uuid].phase in RESTING]
        failure = None
        if request.pid < 1 or request.spec.instances != 1:
            failure = Failure(code="bad-request", message=f"expected one process, got pid {request.pid} at $.pid")
        elif request.spec.channel:
            message = "a program that runs already cannot be given a channel at $.spec.hooks"
            failure = Failure(code="bad-spec", message=message, hint="adopt it without hooks")
        elif any(p.pid == request.pid for p in self.processes.values()):
            failure = Failure(code="exists", message=f"pid {request.pid} is a process of this agent already")
        elif len(resting) != 1 or len(known) != 1:
            failure = self._unwanted(Add(spec=request.spec, hostname=request.hostname, uuid=request.uuid))
        if failure is not None:
            return [Answer(key, failure)]
        if len(resting) == 1:
            p = evolve(resting[0], spec=evolve(request.spec, command=request.spec.command or resting[0].spec.command))
            out: list[HostOut] = []
        else:
            (p,), out = self._register(request.spec, request.uuid, by, now)
        self.processes[p.uuid] = evolve(p, adopts=ident)
        return out + self._start(key, [self.processes[p.uuid]], [], by, until, now)

    def restore(self, process: Process) -> list[HostOut]:
        """A process as an earlier agent has recorded it; `ev.Resumed` is to follow when all are there."""
        self.processes[process.uuid] = process
        for known in {process.name, process.spec.name}:
            self._names.setdefault(known, []).append(process.uuid)
        if process.phase is P.WAITING:
            self._waiting.add(process.uuid)
        return [Appeared(process.uuid)]

    def _unwanted(self, request: Add) -> Failure | None:
        spec = request.spec
        if not match_host(request.hostname, self.name):
            message = f"this host is {self.name}, not {request.hostname}"
            return Failure(code="no-such-target", message=message, hint="leave the host out, or ask a controller")
        for problem in problems(spec):
            return Failure(code="bad-spec", message=f"{problem.message} at $.spec.{problem.path}")
        if request.uuid:
            try:
                taken = any(uuid in self.processes for uuid in _uuids(UUID(request.uuid), spec.instances))
                usable = not taken and str(UUID(request.uuid)) == request.uuid
            except ValueError:
                usable = False
            if not usable:
                message = f"expected the text of a new uuid, got {request.uuid!r} at $.uuid"
                return Failure(code="bad-request", message=message)
        slots = {spec.name, *(f"{spec.name}.{i}" for i in range(1, spec.instances + 1) if spec.instances > 1)}
        for name in sorted(slots):
            if name in self._names:
                message = f"a process {name!r} exists already on {self.name}"
                at = (
                    f"{request.hostname}/" if request.hostname else ""
                )  # of the same name there may be others elsewhere
                return Failure(
                    code="exists", message=message, hint=f"procctl delete {at}{name}, or choose another name"
                )
        circle = self._needs.circle(spec, slots) if spec.depends_on else ()
        if circle:
            message = f"a circle of dependencies: {' -> '.join(circle)} at $.spec.depends_on"
            return Failure(code="bad-spec", message=message)
        return None

    def _drop(self, p: Process) -> None:
        del self.processes[p.uuid]
        self.shown.drop(p.uuid)
        for name in {p.name, p.spec.name}:
            self._names[name].remove(p.uuid)
            if not self._names[name]:
                del self._names[name]

    # dependencies ---------------------------------------------------------------------------------------------

    def _start_dependencies(self, p: Process, by: str, now: ev.Now, tried: set[str]) -> list[HostOut]:
        """What it needs is started with it; a one-shot that has succeeded is not run again."""
        out: list[HostOut] = []
        for other, needer in self._needs.idle(p, tried):
            asked = ev.StartAsked("", f"{by} ({needer.name} depends on it)", self._needs.blocked(other))
            out += self.feed(other.uuid, asked, now)
        return out

    def _concerned(self, changed: Process) -> list[str]:
        """Who waits for a process that has changed, itself included: its own start may be hopeless from the first."""
        names = {changed.name, changed.spec.name}
        return [
            u for u in sorted(self._waiting) if u == changed.uuid or names & self.processes[u].spec.depends_on.keys()
        ]

    def _wake(self, todo: deque[str], now: ev.Now) -> list[HostOut]:
        """Whoever waited for what has changed may go on, or gives up; and so who waits for them."""
        out: list[HostOut] = []
        while todo:
            uuid = todo.popleft()
            if uuid in self._waiting:
                event = self._needs.verdict(self.processes[uuid])
                if event is not None:
                    out += self._step(uuid, event, now, todo)
        return out


def _uuids(first: UUID, instances: int) -> list[str]:
    """The identities of instances: the first as chosen, the others derived from it."""
    return [str(first), *(str(uuid5(first, str(i))) for i in range(2, instances + 1))]


def _steps(p: Process, grace: float | None) -> tuple[tuple[str, float], ...] | None:
    """The process's own signals, within `grace` seconds altogether."""
    if grace is None:
        return None
    whole = p.spec.stop.grace
    if not whole:
        return tuple((name, grace / len(p.spec.stop.steps)) for name, _ in p.spec.stop.steps)
    return tuple((name, wait * grace / whole) for name, wait in p.spec.stop.steps)
