"""A descriptor that is waited for again and again until it can be read.

On asyncio it is registered with the loop once, as long as somebody waits again before more arrives:
`anyio.wait_readable` registers and forgets it for each wait, which for a small request costs as much as reading it.
"""

from __future__ import annotations

import asyncio
import socket

import anyio

from .poller import on_asyncio
from .wake import Wake

__all__ = ["Readable"]


class Readable:
    """Args: sock: Non-blocking. One task waits at a time."""

    __slots__ = ("_closed", "_loop", "_registered", "_sock", "_waiting", "_wake")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._wake = Wake()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._registered = False
        self._waiting = False
        self._closed = False

    async def wait(self) -> None:
        """Return when there is something to read, or the end.

        Raises:
            ClosedResourceError: It was closed here.
        """
        if self._closed:
            raise anyio.ClosedResourceError
        if self._loop is None:
            if not on_asyncio():
                await anyio.wait_readable(self._sock)
                return
            self._loop = asyncio.get_running_loop()
        if not self._registered:
            self._loop.add_reader(self._sock, self._heard)
            self._registered = True
        self._waiting = True
        try:
            await self._wake.wait()
        finally:
            self._waiting = False
        if self._closed:
            raise anyio.ClosedResourceError

    def close(self) -> None:
        """Before the descriptor is closed; whoever waits is told."""
        self._closed = True
        self._forget()
        self._wake.set()

    def _heard(self) -> None:
        if not self._waiting:  # the loop would say it again and again
            self._forget()
        self._wake.set()

    def _forget(self) -> None:
        if self._registered and self._loop is not None:
            self._registered = False
            self._loop.remove_reader(self._sock)
