"""What a peer does when the kit tells it to: the same in a process of its own and in a task.

Every order has plain arguments and gives plain data, so that it can be said over a pipe. Connections are known by
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import count
from typing import Any

from anyio.abc import TaskGroup

from ..abc import Call, Connection, Transport
from ..core.messages import Batch, Hello, Restart
from ..link.session import Session
from .flood import Flood
from .frames import collect, send_all
from .serving import Bounded, Serving, refuse
from .tally import Tally

__all__ = ["ORDERS", "Actor", "made"]


def made(where: str) -> Transport:
    """The transport that ``module:name`` means: an object, or a class or function that makes one."""
    module, _, name = where.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    transport: Transport = found() if isinstance(found, type) or not hasattr(found, "connect") else found
    return transport


class Actor:
    """One peer.

    Args:
        transport: Of its own process.
        group: Where what goes on behind an order runs.
        seconds: For what must not take long.
    """

    def __init__(self, transport: Transport, group: TaskGroup, seconds: float) -> None:
        self._transport = transport
        self._group = group
        self._seconds = seconds
        self._numbers = count(1)
        self._connections: dict[int, Connection] = {}
        self._floods: dict[int, Flood] = {}
        self._sessions: dict[int, Session] = {}
        self._tally = Tally(group)
        self._serving: Serving | None = None

    async def do(self, order: str, arguments: dict[str, Any]) -> Any:
        """Carry out one of `ORDERS`; raises what that does."""
        if order not in ORDERS:
            raise ValueError(f"no order {order!r}")
        return await getattr(self, order)(**arguments)

    async def connect(self, url: str, name: str, options: dict[str, str]) -> int:
        """Reach a listener: the connection's number."""
        connection = await self._transport.connect(url, name, options)
        number = next(self._numbers)
        self._connections[number] = connection
        return number

    async def send(self, number: int, tag: str, sizes: Sequence[int]) -> None:
        """See `send_all`."""
        await send_all(self._connections[number], tag, sizes)

    async def receive(self, number: int, last: str, seconds: float) -> tuple[list[str], str]:
        """See `collect`."""
        seen = await collect(self._connections[number], last, seconds)
        return seen.labels, seen.end

    async def flood(self, number: int, tag: str, size: int, limit: int) -> None:
        """Begin to send more than anybody reads."""
        flood = self._floods[number] = Flood(self._connections[number], tag, size, limit)
        self._group.start_soon(flood.run)

    async def flooded(self, number: int, stop: bool) -> tuple[int, bool]:
        """How many frames of a flood were accepted, and whether it is over."""
        flood = self._floods[number]
        if stop:
            flood.stop()
        return flood.frames, flood.over

    async def close(self, number: int) -> None:
        """End a connection."""
        await self._connections.pop(number).aclose()

    async def call(self, url: str, name: str, options: dict[str, str], heartbeat: float) -> int:
        """Begin a session as a client."""
        connection = Bounded(await self._transport.connect(url, name, options), self._seconds)
        session = Session(connection, refuse)
        self._group.start_soon(session.run)
        await session.greet(Hello(name=name, heartbeat=heartbeat))
        number = next(self._numbers)
        self._sessions[number] = session
        return number

    async def ask(self, number: int, name: str) -> bool:
        """One command over a session: whether it was answered as it should be."""
        pending = self._sessions[number].submit(Call(request=Restart(name=name), key=name))
        return isinstance(await pending.wait(), Batch)

    async def hang_up(self, number: int) -> None:
        """End a session."""
        session = self._sessions.pop(number)
        session.end("hung up")
        await session.gone.wait()

    async def serve(self, url: str, options: dict[str, str]) -> tuple[str, ...]:
        """Listen, and serve the tally to whoever comes: where."""
        listener = await self._transport.listen(url, options)
        self._serving = Serving(listener, self._tally, self._group, self._seconds)
        await self._group.start(self._serving.run)
        return listener.urls

    async def cut(self) -> None:
        """End all links to here."""
        assert self._serving is not None
        self._serving.cut()

    async def carried(self) -> dict[str, int]:
        """How often each command was carried out."""
        return dict(self._tally.carried)

    async def leave(self) -> None:
        """Serve no more, and end everything else."""
        if self._serving is not None:
            await self._serving.aclose()
            self._serving = None
        for connection in self._connections.values():
            await connection.aclose()
        for session in self._sessions.values():
            session.end("leaving")
        self._connections, self._sessions = {}, {}


ORDERS = frozenset(
    {
        *("connect", "send", "receive", "flood", "flooded", "close"),
        *("call", "ask", "hang_up", "serve", "cut", "carried", "leave"),
    }
)
"""The closed table of what a peer can be told."""
