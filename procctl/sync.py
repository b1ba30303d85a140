"""The same for programs without a loop: every call blocks.

    with procctl.sync.Agent() as agent:
        web = agent.start("web", ["python", "-m", "http.server", "8000"])
        print(web.stop().describe())

A loop runs in a thread of its own behind each block. The objects may be used from any thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    contextmanager,
)
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import anyio.from_thread
from anyio.from_thread import BlockingPortal

from .agent.agent import Agent as AsyncAgent
from .agent.blocking import BlockingPermit as Permit
from .controller.controller import Controller as AsyncController
from .core.messages import AgentInfo, AnyEvent, Approval, HostInfo, Lost, Until
from .core.records import ExitRecord, Item
from .core.replies import ChildAnswer, Holder
from .core.specs import ProcessSpec
from .core.states import State
from .errors import Closed
from .link.connect import connect as async_connect
from .service.fleet import Fleet as AsyncFleet
from .service.lines import Line
from .service.process import Process as AsyncProcess

__all__ = ["Agent", "Controller", "Fleet", "Permit", "Process", "connect"]

T = TypeVar("T")
Backend = Literal["asyncio", "trio"]


class Process:
    """A handle on one process; see `procctl.Process`."""

    def __init__(self, fleet: Fleet, inner: AsyncProcess) -> None:
        self._fleet = fleet
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._inner)

    @property
    def item(self) -> Item:
        """What was last learnt of it."""
        return self._inner.item

    @property
    def name(self) -> str:
        """Its slot."""
        return self._inner.name

    @property
    def uuid(self) -> str:
        """Its identity, over restarts."""
        return self._inner.uuid

    @property
    def hostname(self) -> str:
        """Where it runs."""
        return self._inner.hostname

    @property
    def pid(self) -> int:
        """0 when it does not run."""
        return self._inner.pid

    @property
    def state(self) -> State:
        """One of the five."""
        return self._inner.state

    @property
    def exit(self) -> ExitRecord | None:
        """How its last run ended."""
        return self._inner.exit

    def refresh(self) -> Item:
        """Ask for what is true now."""
        return self._fleet._call(self._inner.refresh)

    def start(self, *, force: bool = False, standby: bool = False, until: Until = "settled") -> Item:
        """Start it; one that runs is left as it is."""
        return self._fleet._call(lambda: self._inner.start(force=force, standby=standby, until=until))

    def stop(self, grace: float | None = None, *, hard: bool = False, until: Until = "settled") -> ExitRecord | None:
        """Ask it to end, and return when nothing of it is left."""
        return self._fleet._call(lambda: self._inner.stop(grace, hard=hard, until=until))

    def kill(self, signal: str = "SIGKILL") -> ExitRecord | None:
        """End it at once; it stays stopped."""
        return self._fleet._call(lambda: self._inner.kill(signal))

    def restart(self, *, until: Until = "settled") -> Item:
        """Stop it, and start it again when nothing of it is left."""
        return self._fleet._call(lambda: self._inner.restart(until=until))

    def ask(self, action: str, data: Any = None, *, timeout: float = 30.0) -> Any:
        """Put a question of one's own to the program; see `procctl.Process.ask`."""
        return self._fleet._call(lambda: self._inner.ask(action, data, timeout=timeout))

    def signal(self, signal: str) -> None:
        """Send a signal to the process itself."""
        self._fleet._call(lambda: self._inner.signal(signal))

    def detach(self) -> Item:
        """Let it go on without us; see `procctl.Fleet.detach`."""
        return self._fleet._call(self._inner.detach)

    def delete(self) -> None:
        """Forget it; it must not run."""
        self._fleet._call(self._inner.delete)

    def wait(self, until: Until = "exit") -> ExitRecord | None:
        """Wait for its end, or for ``running``, ``ready`` or ``stopped``."""
        return self._fleet._call(lambda: self._inner.wait(until))

    def logs(
        self, *, follow: bool = False, tail: int | None = None, since: str = "", stream: str = "", **chosen: Any
    ) -> AbstractContextManager[Iterator[Line]]:
        """Its output; takes what `procctl.Fleet.logs` takes, the target excepted."""
        return self._fleet.logs(uuid=self.uuid, follow=follow, tail=tail, since=since, stream=stream, **chosen)


class Fleet:
    """Processes, here or elsewhere; see `procctl.Fleet`, whose methods these are.

    Every one raises `Closed` after its block was left.
    """

    def __init__(self) -> None:
        self._portal: BlockingPortal | None = None
        self._fleet: AsyncFleet

    def _call(self, function: Callable[[], Awaitable[T]]) -> T:
        if self._portal is None:
            raise Closed("used outside of its with block")
        return self._portal.call(function)

    def _process(self, inner: AsyncProcess) -> Process:
        return Process(self, inner)

    def processes(
        self, name: str = "", *, hostname: str = "", uuid: str = "", group: str = "", stats: bool = True
    ) -> list[Process]:
        """The processes that match; none is no error."""
        found = self._call(lambda: self._fleet.processes(name, hostname=hostname, uuid=uuid, group=group, stats=stats))
        return [self._process(inner) for inner in found]

    def process(self, name: str, *, hostname: str = "") -> Process:
        """The one process of this name."""
        return self._process(self._call(lambda: self._fleet.process(name, hostname=hostname)))

    def wait(
        self, name: str = "", *, until: Until = "exit", hostname: str = "", uuid: str = "", group: str = ""
    ) -> tuple[Item, ...]:
        """Wait until all that match are as told."""
        return self._call(lambda: self._fleet.wait(name, until=until, hostname=hostname, uuid=uuid, group=group))

    def add(
        self,
        spec: ProcessSpec,
        *,
        start: bool = True,
        hostname: str = "",
        each: bool = False,
        until: Until = "settled",
        uuid: str = "",
    ) -> list[Process]:
        """Register a process, or its instances, and start it."""
        found = self._call(
            lambda: self._fleet.add(spec, start=start, hostname=hostname, each=each, until=until, uuid=uuid)
        )
        return [self._process(inner) for inner in found]

    @overload
    def start(
        self, name: str, command: Sequence[str], *, hostname: str = "", until: Until | None = None, **declared: Any
    ) -> Process: ...

    @overload
    def start(
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

    def start(
        self, name: str = "", command: Sequence[str] | None = None, **arguments: Any
    ) -> Process | tuple[Item, ...]:
        """Start what is stopped or was never started; with a command, register it first."""
        if command is not None:
            words = command
            return self._process(self._call(lambda: self._fleet.start(name, words, **arguments)))
        items: tuple[Item, ...] = self._call(lambda: self._fleet.start(name, **arguments))
        return items

    def stop(self, name: str = "", **arguments: Any) -> tuple[Item, ...]:
        """Ask to end, and return when nothing is left; takes what `procctl.Fleet.stop` takes."""
        return self._call(lambda: self._fleet.stop(name, **arguments))

    def kill(self, name: str = "", **arguments: Any) -> tuple[Item, ...]:
        """End at once; takes what `procctl.Fleet.kill` takes."""
        return self._call(lambda: self._fleet.kill(name, **arguments))

    def ask(self, action: str, data: Any = None, name: str = "", **arguments: Any) -> tuple[ChildAnswer, ...]:
        """Put a question of one's own to programs; takes what `procctl.Fleet.ask` takes."""
        return self._call(lambda: self._fleet.ask(action, data, name, **arguments))

    def signal(self, signal: str, name: str = "", **arguments: Any) -> tuple[Item, ...]:
        """Send a signal to the processes themselves; takes what `procctl.Fleet.signal` takes."""
        return self._call(lambda: self._fleet.signal(signal, name, **arguments))

    def restart(self, name: str = "", **arguments: Any) -> tuple[Item, ...]:
        """Stop and start again; takes what `procctl.Fleet.restart` takes."""
        return self._call(lambda: self._fleet.restart(name, **arguments))

    def reopen(self, name: str = "", **arguments: Any) -> tuple[Item, ...]:
        """Write on in new log files; takes what `procctl.Fleet.reopen` takes."""
        return self._call(lambda: self._fleet.reopen(name, **arguments))

    def delete(self, name: str = "", **arguments: Any) -> tuple[Item, ...]:
        """Forget processes that do not run; takes what `procctl.Fleet.delete` takes."""
        return self._call(lambda: self._fleet.delete(name, **arguments))

    def detach(self, name: str = "", **arguments: Any) -> tuple[Item, ...]:
        """Let go of what runs; takes what `procctl.Fleet.detach` takes."""
        return self._call(lambda: self._fleet.detach(name, **arguments))

    def adopt(self, pid: int, name: str, command: Sequence[str] = (), **arguments: Any) -> Process:
        """Take over a program that runs already; takes what `procctl.Fleet.adopt` takes."""
        return self._process(self._call(lambda: self._fleet.adopt(pid, name, command, **arguments)))

    def approvals(self) -> tuple[Approval, ...]:
        """The starts that wait for a person."""
        return self._call(self._fleet.approvals)

    def approve(self, approval: str) -> None:
        """Yes to one of them."""
        self._call(lambda: self._fleet.approve(approval))

    def deny(self, approval: str, reason: str = "") -> None:
        """No to one of them."""
        self._call(lambda: self._fleet.deny(approval, reason))

    def free(self, slot: str, hostname: str = "", *, force: bool = False) -> tuple[Holder, ...]:
        """Say that what holds a slot has ended, on one's own word; see `procctl.Fleet.free`."""
        return self._call(lambda: self._fleet.free(slot, hostname, force=force))

    def holders(self, slot: str, hostname: str = "") -> tuple[Holder, ...]:
        """Who holds a slot; see `procctl.Fleet.holders`."""
        return self._call(lambda: self._fleet.holders(slot, hostname))

    def hosts(self, hostname: str = "") -> tuple[HostInfo, ...]:
        """The agents that are known; an agent knows itself."""
        return self._call(lambda: self._fleet.hosts(hostname))

    def info(self) -> AgentInfo:
        """The agent about itself."""
        return self._call(self._fleet.info)

    def shutdown(self) -> None:
        """End the agent and all that it runs."""
        self._call(self._fleet.shutdown)

    def logs(self, name: str = "", **arguments: Any) -> AbstractContextManager[Iterator[Line]]:
        """Output of the processes that match, as a block with an iterator; takes what `procctl.Fleet.logs` takes."""
        return self._items(lambda: self._fleet.logs(name, **arguments))

    def events(self, *, since: str = "", follow: bool = True) -> AbstractContextManager[Iterator[AnyEvent | Lost]]:
        """What happens, as a block with an iterator."""
        return self._items(lambda: self._fleet.events(since=since, follow=follow))

    @contextmanager
    def _items(self, stream: Callable[[], AbstractAsyncContextManager[Any]]) -> Iterator[Iterator[Any]]:
        if self._portal is None:
            raise Closed("used outside of its with block")
        portal = self._portal
        with portal.wrap_async_context_manager(stream()) as items:

            def each() -> Iterator[Any]:
                while True:
                    try:
                        yield portal.call(items.__anext__)
                    except StopAsyncIteration:
                        return

            yield each()


class _Block(Fleet):
    """A fleet with a loop behind it."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[AsyncFleet]], backend: Backend) -> None:
        super().__init__()
        self._make = make
        self._backend: Backend = backend
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            portal = stack.enter_context(anyio.from_thread.start_blocking_portal(self._backend))
            self._fleet = stack.enter_context(portal.wrap_async_context_manager(portal.call(self._made)))
            self._portal = portal
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, trace)
        finally:
            self._portal = None

    async def _made(self) -> AbstractAsyncContextManager[AsyncFleet]:
        return self._make()


class Agent(_Block):
    """Supervises processes for as long as its block lasts; takes what `procctl.Agent` takes, and a backend."""

    def __init__(self, name: str = "", *, backend: Backend = "asyncio", **arguments: Any) -> None:
        super().__init__(lambda: AsyncAgent(name, **arguments), backend)

    def permit(self, name: str, **arguments: Any) -> Permit:
        """This program as a process of its own, as a ``with`` block; takes what `procctl.Agent.permit` takes."""
        if self._portal is None:
            raise Closed("used outside of its with block")
        assert isinstance(self._fleet, AsyncAgent)
        return self._fleet.permit(name, **arguments).blocking(self._portal)


class Controller(_Block):
    """A fleet for as long as its block lasts; takes what `procctl.Controller` takes, and a backend."""

    def __init__(self, name: str = "controller", *, backend: Backend = "asyncio", **arguments: Any) -> None:
        super().__init__(lambda: AsyncController(name, **arguments), backend)


class connect(_Block):  # noqa: N801 - the blocking twin of a function
    """A fleet at a URL; takes what `procctl.connect` takes, and a backend."""

    def __init__(self, url: str, *, backend: Backend = "asyncio", **arguments: Any) -> None:
        super().__init__(lambda: async_connect(url, **arguments), backend)
