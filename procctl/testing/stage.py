"""Where a check takes place: a transport, its URL, how long things may take, and both ends of a connection."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import define, field

from ..abc import Connection, Listener, Transport
from ..link.session import MISSED
from .frames import Seen
from .grouping import promised, quietly, together
from .peers import Far, ProcessPeer, process_peer, task_peer
from .promises import Promise

__all__ = ["FarEnd", "Stage"]


@define
class Stage:
    """What `check_transport` was given, and what it has found so far.

    Attributes:
        url: Where to listen; after the first time, where it was.
    """

    transport: Transport
    url: str
    listening: Mapping[str, str]
    connecting: Mapping[str, str]
    where: str
    patience: float
    heartbeat: float
    window: int
    too_large: Literal["skipped", "ends"]
    identity: str | None
    outage: Callable[[], AbstractAsyncContextManager[object]] | None
    stranger: Callable[[str], socket.socket] | None
    kept: list[Promise] = field(factory=list)
    skipped: dict[Promise, str] = field(factory=dict)
    figures: dict[str, float] = field(factory=dict)

    @property
    def alone(self) -> bool:
        """Whether both ends have to be in this program."""
        return self.transport.traits.in_process

    @property
    def silence(self) -> float:
        """Seconds after which a session must have noticed that its peer is silent."""
        return MISSED * self.heartbeat + self.patience

    @contextmanager
    def expect(self, promise: Promise, what: str, seconds: float | None = None) -> Any:
        """See `promised`; what leaves well is kept."""
        with promised(promise, what, self.patience if seconds is None else seconds):
            yield
        if promise not in self.kept:
            self.kept.append(promise)

    def keeps(self, promise: Promise) -> None:
        """It was checked and is so."""
        if promise not in self.kept:
            self.kept.append(promise)

    def peer(self) -> AbstractAsyncContextManager[Far]:
        """A peer that takes orders: a process, or a task where it must be one."""
        return task_peer(self.transport, self.patience) if self.alone else process_peer(self.where, self.patience)

    def process(self) -> AbstractAsyncContextManager[ProcessPeer]:
        """One that can be killed."""
        return process_peer(self.where, self.patience)

    @asynccontextmanager
    async def listener(self) -> AsyncGenerator[Listener]:
        """Listen here, for as long as the block lasts."""
        with self.expect(Promise.REACHED, f"listening on {self.url}"):
            listener = await self.transport.listen(self.url, self.listening)
            self.moved(listener.urls)
        try:
            yield listener
            with self.expect(Promise.CLOSES, "closing a listener"):
                await listener.aclose()
        except BaseException:
            await quietly(listener.aclose, self.patience)
            raise

    def moved(self, urls: Sequence[str]) -> None:
        """Where it really is. A URL with a password is kept: a listener does not tell that."""
        if urlsplit(self.url).password is None:
            self.url = urls[0]

    async def connect(self, name: str = "kit") -> Connection:
        """Connect from here."""
        return await self.transport.connect(self.url, name, self.connecting)

    @asynccontextmanager
    async def pair(self, far: Far, listener: Listener, name: str = "peer") -> AsyncGenerator[tuple[Connection, FarEnd]]:
        """A connection that the peer makes to here: both its ends."""
        near, number = await self._paired(far, listener, name)
        end = FarEnd(far, number)
        try:
            yield near, end
            with self.expect(Promise.CLOSES, "closing a connection", 2 * self.patience):
                await end.close()
                await near.aclose()
        except BaseException:
            await quietly(end.close, self.patience)
            await quietly(near.aclose, self.patience)
            raise

    async def _paired(self, far: Far, listener: Listener, name: str) -> tuple[Connection, int]:
        async def connect() -> Any:
            return await far.do("connect", url=self.url, name=name, options=dict(self.connecting))

        with self.expect(Promise.REACHED, f"a peer connects to {self.url} and is accepted", 3 * self.patience):
            near, number = await together(listener.accept, connect)
        return near, number


class FarEnd:
    """The peer's end of a connection."""

    def __init__(self, far: Far, number: int) -> None:
        self.far = far
        self.number = number
        self._closed = False

    async def send(self, tag: str, sizes: Sequence[int]) -> None:
        """Send frames of these sizes, and the last one."""
        await self.far.do("send", number=self.number, tag=tag, sizes=list(sizes))

    async def receive(self, last: str, seconds: float) -> Seen:
        """What arrives there until the last frame."""
        labels, end = await self.far.do("receive", number=self.number, last=last, seconds=seconds)
        return Seen(list(labels), end)

    async def close(self) -> None:
        """End it; twice is once."""
        if not self._closed:
            self._closed = True
            await self.far.do("close", number=self.number)
