"""Two ends of a connection within one program and one loop."""

from __future__ import annotations

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..abc import Peer
from ..errors import PeerGone

__all__ = ["Pipe", "pair"]

_IN_FLIGHT = 64
"""Frames that may wait in one direction: the backpressure of this transport."""


class Pipe:
    """One end of a `pair`."""

    suspended = False

    def __init__(self, peer: Peer, out: MemoryObjectSendStream[bytes], into: MemoryObjectReceiveStream[bytes]) -> None:
        self.peer = peer
        self._out = out
        self._in = into

    def send_nowait(self, frame: bytes) -> bool:
        try:
            self._out.send_nowait(frame)
        except anyio.WouldBlock:
            return False
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise PeerGone(f"{self.peer.name} is gone") from None
        return True

    async def send(self, frame: bytes) -> None:
        try:
            await self._out.send(frame)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise PeerGone(f"{self.peer.name} is gone") from None

    async def receive(self) -> bytes:
        try:
            return await self._in.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise PeerGone(f"{self.peer.name} is gone") from None

    async def aclose(self) -> None:
        self._out.close()
        self._in.close()


def pair(one: str, other: str) -> tuple[Pipe, Pipe]:
    """Two connected ends; the first is held by `one` and leads to `other`."""
    there_out, there_in = anyio.create_memory_object_stream[bytes](_IN_FLIGHT)
    back_out, back_in = anyio.create_memory_object_stream[bytes](_IN_FLIGHT)
    first = Pipe(Peer(name=other, identity="here", address="memory"), there_out, back_in)
    second = Pipe(Peer(name=one, identity="here", address="memory"), back_out, there_in)
    return first, second
