"""The users' methods, written once over any Service: an agent, a controller, or the far side of a link."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import count
from typing import Any, TypeVar, cast, overload
from uuid import uuid4

from ..abc import LOCAL, Caller, Service
from ..core import messages as m
from ..core.messages import AnyEvent, Approval, Batch, LogChunk, Lost, Request, Until
from ..core.records import Item
from ..core.replies import ChildAnswer
from ..core.shape import misfit
from ..core.specs import ProcessSpec
from ..errors import BadConfig, Failed, NoSuchTarget, refusal
from .arguments import expect
from .exchange import exchange
from .lines import Line, Lines
from .process import Process
from .specs import spec_of

__all__ = ["Fleet"]

R = TypeVar("R")


class Fleet:
    """Processes, here or elsewhere.

    Targets are given by `name`, `hostname`, `uuid` and `group`, with wildcards; empty ones mean all, and a command on
    everything needs ``all=True``. Commands return the items of their targets and raise if any target did not do as
    told: `NoSuchTarget`, `Denied` and other `Refused` for a single one, `Failed` with all of them otherwise.

    Every method may raise `PeerGone`, and `Refused` (code ``bad-request``) for an argument of another type than it is
    declared with. Cancelling one gives up the answer and never undoes the command; deadlines are the caller's
    (``anyio.fail_after``).

    Args:
        service: Who answers.
        caller: On whose word.
        keyed: Whether a request may reach the service more than once, as over a line: then each has a key.
    """

    def __init__(self, service: Service, caller: Caller = LOCAL, *, keyed: bool = False) -> None:
        self._service = service
        self._caller = caller
        self._prefix = str(uuid4()) if keyed else ""
        self._keys = count(1)

    # looking --------------------------------------------------------------------------------------------------

    async def processes(
        self, name: str = "", *, hostname: str = "", uuid: str = "", group: str = "", stats: bool = True
    ) -> list[Process]:
        """The processes that match; none is no error. `stats` samples memory and CPU for it."""
        request = m.Status(name=name, hostname=hostname, uuid=uuid, group=group, stats=stats)
        return [Process(self, item) for item in (await self.request(request)).items]

    async def process(self, name: str, *, hostname: str = "") -> Process:
        """The one process of this name.

        Raises:
            NoSuchTarget: There is none, or more than one.
        """
        batch = await self.request(m.Status(name=name, hostname=hostname))
        if len(batch.items) == 1:
            return Process(self, batch.items[0])
        if not batch.items and batch.misses:
            raise refusal(batch.misses[0].code, batch.misses[0].message, batch.misses[0].hint)
        text = f"{len(batch.items)} processes match {name!r}"
        raise NoSuchTarget("no-such-target", text, "processes() gives them all")

    async def item(self, uuid: str) -> Item:
        """What is true now of one process."""
        items = await self._batch(m.Status(uuid=uuid))
        return items[0]

    async def wait(
        self,
        name: str = "",
        *,
        until: Until = "exit",
        hostname: str = "",
        uuid: str = "",
        group: str = "",
    ) -> tuple[Item, ...]:
        """Wait until all that match are ``running``, ``ready``, ``stopped``, or have ended (``exit``)."""
        return await self._batch(m.Status(name=name, hostname=hostname, uuid=uuid, group=group), until)

    # commands -------------------------------------------------------------------------------------------------

    async def add(
        self,
        spec: ProcessSpec,
        *,
        start: bool = True,
        hostname: str = "",
        each: bool = False,
        until: Until = "settled",
        uuid: str = "",
    ) -> list[Process]:
        """Register a process, or its instances, and start it.

        Args:
            spec: What is wanted.
            start: Whether to start it at once.
            hostname: On which host; a pattern must match exactly one, unless `each`.
            each: On every host that matches.
            until: When to return.
            uuid: Its identity, if it is to be chosen here; so an add whose answer was lost can be found.
        """
        uuid = uuid or str(uuid4())
        request = m.Add(spec=spec, start=start, hostname=hostname, each=each, uuid=uuid)
        return [Process(self, item) for item in await self._batch(request, until)]

    @overload
    async def start(
        self, name: str, command: Sequence[str], *, hostname: str = "", until: Until | None = None, **declared: Any
    ) -> Process: ...

    @overload
    async def start(
        self,
        name: str = "",
        *,
        hostname: str = "",
        uuid: str = "",
        group: str = "",
        all: bool = False,
        force: bool = False,
        standby: bool = False,
        until: Until | None = None,
    ) -> tuple[Item, ...]: ...

    async def start(
        self,
        name: str = "",
        command: Sequence[str] | None = None,
        *,
        hostname: str = "",
        uuid: str = "",
        group: str = "",
        all: bool = False,
        force: bool = False,
        standby: bool = False,
        until: Until | None = None,
        **declared: Any,
    ) -> Process | tuple[Item, ...]:
        """Start what is stopped or was never started; with a command, register it first.

        Args:
            name, hostname, uuid, group: The target; with a command, the new process's name, host and group.
            command: The program and its arguments: the short form of `add`.
            all: Needed where the target is empty.
            force: Stop other holders of the slot first.
            standby: Wait for the holder of the slot to end, instead of being refused.
            until: When to return; None: ``ready`` where a command comes with a readiness check, else ``settled``.
            declared: With a command, any other field of `ProcessSpec`.

        Returns:
            With a command the new `Process`, else the items of the targets.
        """
        if command is not None:
            if standby:
                declared["standby"] = True
            if group:
                declared["group"] = group
            spec = spec_of(name, command, **declared)
            settled: Until = "ready" if spec.ready is not None else "settled"
            expect("force", force, bool)
            if not force:
                return (await self.add(spec, hostname=hostname, uuid=uuid, until=until or settled))[0]
            made = await self.add(spec, start=False, hostname=hostname, uuid=uuid)
            for process in made:
                request = m.Start(uuid=process.uuid, hostname=process.hostname, force=force)
                process.item = (await self._batch(request, until or settled))[0]
            return made[0]
        if declared:
            raise BadConfig(f"start has no {', '.join(declared)} without a command", "add() registers a process")
        request = m.Start(name=name, hostname=hostname, uuid=uuid, group=group, all=all, force=force, standby=standby)
        return await self._batch(request, until or "settled")

    async def stop(
        self,
        name: str = "",
        *,
        hostname: str = "",
        uuid: str = "",
        group: str = "",
        all: bool = False,
        grace: float | None = None,
        hard: bool = False,
        until: Until = "settled",
    ) -> tuple[Item, ...]:
        """Ask to end, and return when nothing is left; SIGKILL follows after `grace` seconds (None: each its own).

        Programs with hooks are asked to pause their work and live on, unless `hard`.
        """
        request = m.Stop(name=name, hostname=hostname, uuid=uuid, group=group, all=all, grace=grace, hard=hard)
        return await self._batch(request, until)

    async def kill(
        self,
        name: str = "",
        *,
        hostname: str = "",
        uuid: str = "",
        group: str = "",
        all: bool = False,
        signal: str = "SIGKILL",
        until: Until = "settled",
    ) -> tuple[Item, ...]:
        """End at once; it stays stopped whatever its restart policy."""
        request = m.Kill(name=name, hostname=hostname, uuid=uuid, group=group, all=all, signal=signal)
        return await self._batch(request, until)

    async def signal(
        self, signal: str, name: str = "", *, hostname: str = "", uuid: str = "", group: str = "", all: bool = False
    ) -> tuple[Item, ...]:
        """Send a signal to the processes themselves; everything else stays as it is."""
        request = m.Signal(signal=signal, name=name, hostname=hostname, uuid=uuid, group=group, all=all)
        return await self._batch(request)

    async def ask(
        self,
        action: str,
        data: Any = None,
        name: str = "",
        *,
        hostname: str = "",
        uuid: str = "",
        group: str = "",
        all: bool = False,
        timeout: float = 30.0,
    ) -> tuple[ChildAnswer, ...]:
        """Put a question of one's own to programs that have a channel.

        Args:
            action: What is asked for; what it means is between the asker and the program.
            data: Any JSON value.
            name, hostname, uuid, group: The target.
            all: Needed where the target is empty.
            timeout: Seconds for the answers.

        Returns:
            The answers; `ChildAnswer.data` is a text of JSON.
        """
        target = {"name": name, "hostname": hostname, "uuid": uuid, "group": group, "all": all}
        request = m.Ask(action=action, data=json.dumps(data, allow_nan=False), **cast(Any, target))
        return (await self._whole(request, "settled", timeout)).answers

    async def restart(
        self,
        name: str = "",
        *,
        hostname: str = "",
        uuid: str = "",
        group: str = "",
        all: bool = False,
        until: Until = "settled",
    ) -> tuple[Item, ...]:
        """Stop, and start again when nothing is left; start what is stopped."""
        request = m.Restart(name=name, hostname=hostname, uuid=uuid, group=group, all=all)
        return await self._batch(request, until)

    async def reopen(
        self, name: str = "", *, hostname: str = "", uuid: str = "", group: str = "", all: bool = False
    ) -> tuple[Item, ...]:
        """Go on writing output in the files that are at their paths now: somebody has moved the old ones away."""
        return await self._batch(m.Reopen(name=name, hostname=hostname, uuid=uuid, group=group, all=all))

    async def delete(
        self, name: str = "", *, hostname: str = "", uuid: str = "", group: str = "", all: bool = False
    ) -> tuple[Item, ...]:
        """Forget processes that do not run."""
        return await self._batch(m.Delete(name=name, hostname=hostname, uuid=uuid, group=group, all=all))

    async def detach(
        self, name: str = "", *, hostname: str = "", uuid: str = "", group: str = "", all: bool = False
    ) -> tuple[Item, ...]:
        """Let go of what runs: it goes on, its output still goes to its file, and nothing here is told of its end."""
        return await self._batch(m.Detach(name=name, hostname=hostname, uuid=uuid, group=group, all=all))

    async def adopt(
        self, pid: int, name: str, command: Sequence[str] = (), *, hostname: str = "", **declared: Any
    ) -> Process:
        """Take over a program that runs already.

        Its output stays where it goes; how it ends is known only where the kernel tells.

        Args:
            pid: Which; it must be one that the agent's user may signal.
            name: What it is called from now on; of a detached process: it is that one again.
            command: Of its next start; empty: what it was started with.
            hostname: On which host.
            declared: Any other field of `ProcessSpec`.

        Raises:
            Refused: There is no such process, or it is not to be had (code ``spawn-failed``).
        """
        spec = spec_of(name, command, **declared)
        request = m.Adopt(pid=pid, spec=spec, hostname=hostname, uuid=str(uuid4()))
        return Process(self, (await self._batch(request))[0])

    # streams --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def logs(
        self,
        name: str = "",
        *,
        hostname: str = "",
        uuid: str = "",
        group: str = "",
        follow: bool = False,
        tail: int | None = None,
        since: str = "",
        stream: str = "",
        after: float = 0.0,
        grep: str = "",
    ) -> AsyncGenerator[AsyncIterator[Line]]:
        """Output of the processes that match, merged in the order of time.

        Args:
            name, hostname, uuid, group: The target.
            follow: Go on with what comes.
            tail: Begin so many lines before the end of each; None: with all that is kept.
            since: Begin behind this `Line.cursor`.
            stream: stdout or stderr; empty: both.
            after: Only what came at this time (seconds since the epoch) or later; what has left memory is read from
                files, where there are any.
            grep: Only lines in which this regular expression is found, see `procctl.core.pattern`.

        Yields:
            Lines. Where output was lost there is one with ``lost`` set that says so.

        Cancellation: ends the stream at its source.
        """
        request = m.Logs(
            name=name,
            hostname=hostname,
            uuid=uuid,
            group=group,
            follow=follow,
            tail=tail,
            since=since,
            stream=cast(Any, stream),
            after=after,
            grep=grep,
        )
        _check(request)
        async with self._service.stream(request, self._caller) as items, aclosing(_lines(items)) as lines:
            yield lines

    @asynccontextmanager
    async def events(self, *, since: str = "", follow: bool = True) -> AsyncGenerator[AsyncIterator[AnyEvent | Lost]]:
        """What happens: a `Snapshot` of now, then changes.

        Args:
            since: The cursor of the last event that is known: no snapshot then, and a gap shows as `Lost`.
            follow: Go on with what comes.

        Cancellation: ends the stream at its source.
        """
        request = m.Events(since=since, follow=follow)
        _check(request)
        async with self._service.stream(request, self._caller) as items:
            yield cast("AsyncIterator[AnyEvent | Lost]", items)

    # people and agents ----------------------------------------------------------------------------------------

    async def approvals(self) -> tuple[Approval, ...]:
        """The starts that wait for a person."""
        return (await self.request(m.Approvals())).approvals

    async def approve(self, approval: str) -> None:
        """Yes to one of them."""
        await self.request(m.Approve(approval=approval))

    async def deny(self, approval: str, reason: str = "") -> None:
        """No to one of them."""
        await self.request(m.Deny(approval=approval, reason=reason))

    async def free(self, slot: str, hostname: str = "", *, force: bool = False) -> tuple[m.Holder, ...]:
        """Say that what holds a slot has ended, on one's own word: it is free for others at once, and that is logged.

        For a slot whose holder's host is lost for good. If the program runs after all, there are two from now on, until
        that host is heard and ends it.

        Args:
            slot: The name.
            hostname: Of its holder; empty: wherever.
            force: Although its host is there; what runs is ended then, and asks anew.

        Returns:
            Who held it.

        Raises:
            NoSuchTarget: Nobody holds it there.
            Refused: Its host is there (code ``still-running``): `stop` ends it and frees the slot.
        """
        return (await self.request(m.LeaseOverride(slot=slot, hostname=hostname, force=force))).holders

    async def holders(self, slot: str, hostname: str = "") -> tuple[m.Holder, ...]:
        """Who holds a slot, in the order in which they got it. Raises NoSuchTarget where nobody does."""
        return (await self.request(m.LeaseOverride(slot=slot, hostname=hostname, dry=True))).holders

    async def hosts(self, hostname: str = "") -> tuple[m.HostInfo, ...]:
        """The agents that are known, in the order of their joining; an agent knows itself."""
        return (await self.request(m.Hosts(hostname=hostname))).hosts

    async def info(self) -> m.AgentInfo:
        """The agent about itself."""
        return await self.request(m.AgentStatus())

    async def shutdown(self) -> None:
        """End the agent and all that it runs; returns when all is verified empty."""
        await self.request(m.AgentStop())

    # one request ----------------------------------------------------------------------------------------------

    async def request(self, request: Request[R], until: Until = "settled", deadline: float | None = None) -> R:
        """Any request of the protocol, and its typed reply. Misses are left to the caller."""
        _check(request)
        wrong = misfit(until, Until).replace("$", "until") or misfit(deadline, float | None).replace("$", "deadline")
        if wrong:
            raise refusal("bad-request", f"{request.command}: {wrong}")
        key = f"{self._prefix}-{next(self._keys)}" if self._prefix else ""
        return await exchange(self._service, request, self._caller, key=key, until=until, deadline=deadline)

    async def _batch(self, request: Request[Batch], until: Until = "settled") -> tuple[Item, ...]:
        return (await self._whole(request, until)).items

    async def _whole(self, request: Request[Batch], until: Until, deadline: float | None = None) -> Batch:
        """The batch, if every target did as told."""
        batch = await self.request(request, until, deadline)
        if len(batch.misses) == 1:
            miss = batch.misses[0]
            raise refusal(miss.code, miss.message, miss.hint)
        if batch.misses:
            listed = "; ".join(f"{miss.target}: {miss.message}" for miss in batch.misses[:3])
            more = f"; and {len(batch.misses) - 3} more" if len(batch.misses) > 3 else ""
            misses = tuple((miss.target, miss.code, miss.message) for miss in batch.misses)
            raise Failed(f"{len(batch.misses)} targets did not do as told: {listed}{more}", misses)
        return batch


def _check(request: Any) -> None:
    """Raises Refused: a program has passed something of another type than a field has."""
    wrong = misfit(request, type(request))
    if wrong:
        raise refusal("bad-request", f"{request.command}: {wrong}")


async def _lines(items: AsyncIterator[Any]) -> AsyncGenerator[Line]:
    lines = Lines()
    async for item in items:
        for line in lines.take(cast("LogChunk | Lost", item)):
            yield line
    for line in lines.rest():
        yield line
