"""Output of many hosts as it comes: hosts that join later are taken in, and one that was lost is gone on with when it
comes back, behind what was read of it; a gap is shown as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from attrs import define, field

from ..abc import Caller, StreamItem
from ..aio.block import Block
from ..aio.wake import Wake
from ..core.messages import LogChunk, Logs, Lost
from ..core.value import evolve
from ..errors import PeerGone, ProcctlError, Refused
from .links import AgentLink

__all__ = ["Following", "Known"]


class Known(Protocol):
    """What is known of hosts at present."""

    def matching(self, request: Logs) -> list[str]:
        """The hosts that have processes which a request names."""
        ...

    def link(self, host: str) -> AgentLink | None:
        """The link to a host; None: it is lost, or has not said yet what it has."""
        ...

    def present(self, host: str) -> Collection[str]:
        """The uuids of its processes."""
        ...


@define
class _Host:
    """What was read of one host. Attributes: cursors: Behind what, by process. epoch: Which run of its agent it was."""

    name: str
    cursors: dict[str, str] = field(factory=dict)
    epoch: str = ""
    begun: bool = False


class Following:
    """One reader's view of the output of a fleet.

    Args:
        known: Hosts and their links.
        request: What is asked; it follows.
        caller: On whose word.
        closed: Whether the controller has ended.
    """

    def __init__(self, known: Known, request: Logs, caller: Caller, closed: Callable[[], bool]) -> None:
        self._known = known
        self._request = request
        self._caller = caller
        self._closed = closed
        self._changed: set[Wake] = set()
        self._failed: ProcctlError | None = None

    def changed(self) -> None:
        """A host has come or gone, or has other processes than before."""
        for wake in self._changed:
            wake.set()

    @asynccontextmanager
    async def items(self) -> AsyncGenerator[AsyncIterator[StreamItem]]:
        """Items of all hosts, until the reader leaves or the controller ends.

        Raises (while iterating):
            Refused: An agent has refused the request.
        """
        sending, receiving = anyio.create_memory_object_stream[StreamItem](0)
        async with Block("the output of a fleet", _leave) as block:
            with sending, receiving:
                block.start_soon(self._hosts, block, sending, receiving)
                async with aclosing(self._items(receiving)) as items:
                    yield items

    async def _items(self, receiving: MemoryObjectReceiveStream[StreamItem]) -> AsyncGenerator[StreamItem]:
        while True:
            try:
                item = await receiving.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                break
            yield item
        if self._failed is not None:
            raise self._failed

    async def _hosts(
        self,
        block: Block,
        sending: MemoryObjectSendStream[StreamItem],
        receiving: MemoryObjectReceiveStream[StreamItem],
    ) -> None:
        """Begin with each host when it is there, and end all when the controller ends or a host has refused."""
        begun: set[str] = set()
        with self._waking() as wake:
            while not self._closed() and self._failed is None:
                for name in self._known.matching(self._request):
                    if name not in begun:
                        begun.add(name)
                        block.start_soon(self._host, _Host(name), sending)
                await wake.wait()
        receiving.close()

    async def _host(self, host: _Host, sending: MemoryObjectSendStream[StreamItem]) -> None:
        with self._waking() as wake:
            while not self._closed():
                link = self._known.link(host.name)
                if link is not None and host.name in self._known.matching(self._request):
                    try:
                        await self._read(host, link, sending)
                    except PeerGone:
                        pass  # it may come back
                    except Refused as error:
                        if error.code != "no-such-target":
                            self._failed = error
                            return self.changed()
                    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                        return None  # the reader has gone
                    if self._known.link(host.name) not in (link, None):
                        continue
                await wake.wait()
        return None

    async def _read(self, host: _Host, link: AgentLink, sending: MemoryObjectSendStream[StreamItem]) -> None:
        """One link's worth of output."""
        for lost in self._gaps(host, link.epoch):
            await sending.send(lost)
        since = ",".join(filter(None, (self._request.since, *host.cursors.values())))
        request = evolve(self._request, hostname=host.name, since=since)
        if host.begun:
            request = evolve(request, tail=None)
        async with link.session.stream(request, self._caller) as items:
            host.begun = True
            async for item in items:
                _note(host.cursors, item)
                await sending.send(item)

    def _gaps(self, host: _Host, epoch: str) -> list[Lost]:
        """What another run of the agent can tell nothing of: how the processes that are gone went on."""
        same, host.epoch = host.epoch in ("", epoch), epoch
        if same:
            return []
        gone = host.cursors.keys() - self._known.present(host.name)
        return [Lost(count=None, first=host.cursors.pop(uuid)) for uuid in sorted(gone)]

    def _waking(self) -> _Waking:
        return _Waking(self._changed)


class _Waking:
    """A wake that is among these for as long as a block lasts."""

    def __init__(self, wakes: set[Wake]) -> None:
        self._wakes = wakes
        self._wake = Wake()

    def __enter__(self) -> Wake:
        self._wakes.add(self._wake)
        return self._wake

    def __exit__(self, *_: object) -> None:
        self._wakes.discard(self._wake)


def _note(cursors: dict[str, str], item: StreamItem) -> None:
    if isinstance(item, LogChunk):
        cursors[item.uuid] = item.cursor
    elif isinstance(item, Lost) and "." in item.next:
        cursors[item.next.split(".")[1]] = item.next


async def _leave() -> None:
    """Nothing is to be finished: what is read is ended by cancellation."""
