"""The bytes that come over a socket, read as soon as they are there.

On asyncio a callback of the loop reads them. A task that were woken to read would be woken once more for nothing: by
the time that it runs, the loop has found the same bytes again. And the socket is registered once, not for each wait as
by `anyio.wait_readable`, which for a small request costs as much as reading it.
"""

from __future__ import annotations

import asyncio
import socket

import anyio

from .poller import on_asyncio

__all__ = ["Incoming"]

_READ = 1 << 16


class Incoming:
    """Args: sock: Non-blocking, a stream. One task reads at a time."""

    __slots__ = ("_closed", "_data", "_emptied", "_ended", "_failed", "_loop", "_registered", "_sock", "_waiter")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._registered = False
        self._waiter: asyncio.Future[None] | None = None
        self._data = b""
        self._failed: OSError | None = None
        self._ended = False
        self._emptied = False
        self._closed = False

    async def read(self) -> bytes:
        """The next bytes, 64 KiB at most; empty at the end.

        Cancellation: nothing is lost.

        Raises:
            ClosedResourceError: It was closed here.
            OSError: The connection has failed.
        """
        if self._loop is None and not self._closed:
            if not on_asyncio():
                return await self._wait_and_read()
            self._loop = asyncio.get_running_loop()
        if self._data or self._ended or self._closed:
            await anyio.lowlevel.checkpoint()
        else:
            await self._wait()
        if self._closed:
            raise anyio.ClosedResourceError
        if self._failed is not None:
            raise self._failed
        data, self._data = self._data, b""
        return data

    def close(self) -> None:
        """Before the descriptor is closed; whoever reads is told."""
        self._closed = True
        if self._loop is None:
            anyio.notify_closing(self._sock)
        self._leave()
        self._tell()

    async def _wait(self) -> None:
        assert self._loop is not None
        if not self._registered:
            self._loop.add_reader(self._sock, self._came)
            self._registered = True
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _came(self) -> None:
        if self._data or self._ended:  # nobody has taken the last; the loop would say it again and again
            return self._leave()
        try:
            self._data = self._sock.recv(_READ)
        except BlockingIOError:
            return None
        except OSError as error:
            self._failed = error
        self._ended = not self._data
        return self._tell()

    def _tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _leave(self) -> None:
        if self._registered and self._loop is not None:
            self._registered = False
            self._loop.remove_reader(self._sock)

    async def _wait_and_read(self) -> bytes:
        while True:
            if self._emptied:
                await anyio.wait_readable(self._sock)
            else:
                await anyio.lowlevel.checkpoint()
            if self._closed:
                raise anyio.ClosedResourceError
            try:
                data = self._sock.recv(_READ)
            except BlockingIOError:
                self._emptied = True
                continue
            self._emptied = len(data) < _READ  # then another read would find nothing
            return data
