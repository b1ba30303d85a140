"""``memory:NAME``: frames between two tasks of one program and one loop."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import anyio

from ..abc import Traits
from ..errors import BadConfig, Closed, PeerGone
from ..link.pair import Pipe, pair

__all__ = ["MemoryListener", "MemoryTransport", "transport"]


_TRAITS = Traits(owner=True, identity=True, in_process=True)


class MemoryListener:
    """Where `connect` to a name of this program arrives."""

    traits = _TRAITS

    def __init__(self, name: str, open_: dict[str, MemoryListener]) -> None:
        self.name = name
        self.urls = (f"memory:{name}",)
        self._open = open_
        self._arriving, self._arrived = anyio.create_memory_object_stream[Pipe](inf)

    async def accept(self) -> Pipe:
        try:
            return await self._arrived.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise Closed(f"memory:{self.name} is closed") from None

    def dial(self, name: str) -> Pipe:
        """A connection to here, from somebody called `name`."""
        here, there = pair(name, self.name)
        try:
            self._arriving.send_nowait(there)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise PeerGone(f"nobody listens on memory:{self.name}") from None
        return here

    async def aclose(self) -> None:
        self._open.pop(self.name, None)
        self._arriving.close()
        self._arrived.close()


class MemoryTransport:
    """Listeners of this program by name."""

    schemes = ("memory",)
    traits = _TRAITS

    def __init__(self) -> None:
        self._open: dict[str, MemoryListener] = {}

    async def listen(self, url: str, options: Mapping[str, str]) -> MemoryListener:
        name = _name(url)
        if name in self._open:
            raise BadConfig(f"somebody listens on memory:{name} already")
        listener = self._open[name] = MemoryListener(name, self._open)
        return listener

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> Pipe:
        listener = self._open.get(_name(url))
        if listener is None:
            raise PeerGone(f"nobody listens on memory:{_name(url)} in this program")
        return listener.dial(name)


def _name(url: str) -> str:
    return url.partition(":")[2].partition("?")[0].strip("/")


transport = MemoryTransport()
"""The one that URLs mean: a name is known to this program alone, and only while somebody listens on it."""
