"""``stdio:``: newline-delimited frames over this process's stdin and stdout.

The two descriptors are moved away at once: 0 becomes /dev/null and 1 leads to stderr, so that nothing that a program
or a library prints gets between frames. They are put back at the end. O_NONBLOCK is left as it is, because whoever
shares the descriptors, a shell or a terminal, would have it too: what is written at a time fits wherever there is room
at all (PIPE_BUF, pipe(7)).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping

import anyio

from ..abc import Peer, Traits
from ..errors import Closed, PeerGone
from .lines import MAX_ANSWER, MAX_FRAME, Lines

__all__ = ["StdioConnection", "StdioListener", "StdioTransport"]

_AT_ONCE = 4096
_READ = 1 << 16
_TRAITS = Traits(owner=True, max_frame=MAX_FRAME)


class StdioConnection:
    """Frames over stdin and stdout, which are moved away when it is made.

    Args:
        max_frame: Bytes of the longest frame that is taken.
    """

    suspended = False

    def __init__(self, max_frame: int) -> None:
        self.peer = Peer(address="stdio")
        self.over = anyio.Event()
        self._in, self._out = os.dup(0), os.dup(1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        self._lines = Lines(max_frame)

    async def send(self, frame: bytes) -> None:
        left = memoryview(frame + b"\n")
        while left:
            await self._ready(anyio.wait_writable, self._out)
            try:
                left = left[os.write(self._out, left[:_AT_ONCE]) :]
            except BlockingIOError:
                continue  # whoever started us has set O_NONBLOCK
            except OSError as error:
                raise PeerGone(f"nobody reads stdout any more: {error.strerror}") from None

    async def receive(self) -> bytes:
        while (frame := self._lines.next()) is None:
            self._lines.feed(await self._read())
        return frame

    async def aclose(self) -> None:
        if self.over.is_set():
            return
        self.over.set()
        for fd, place in ((self._in, 0), (self._out, 1)):
            anyio.notify_closing(fd)
            os.dup2(fd, place)
            os.close(fd)

    async def _read(self) -> bytes:
        while True:
            await self._ready(anyio.wait_readable, self._in)
            try:
                data = os.read(self._in, _READ)
            except BlockingIOError:
                continue
            except OSError as error:
                raise PeerGone(f"stdin cannot be read: {error.strerror}") from None
            if not data:
                raise PeerGone("stdin has ended" + (" in the middle of a frame" if self._lines.within else ""))
            return data

    async def _ready(self, wait: Callable[[int], Awaitable[None]], fd: int) -> None:
        if self.over.is_set():
            raise PeerGone("the connection was closed here")
        try:
            await wait(fd)
        except PermissionError:
            await anyio.lowlevel.checkpoint()  # a file: it can neither be waited for nor keep anybody waiting
        except (anyio.ClosedResourceError, ValueError, OSError):
            raise PeerGone("the connection was closed here") from None


class StdioListener:
    """Whoever started this process is its only peer."""

    traits = _TRAITS
    urls = ("stdio:",)

    def __init__(self, connection: StdioConnection) -> None:
        self._connection = connection
        self._accepted = False
        self._closed = anyio.Event()

    async def accept(self) -> StdioConnection:
        await anyio.lowlevel.checkpoint()
        if self._accepted or self._closed.is_set():
            await self._closed.wait()
            raise Closed("stdio: is closed")
        self._accepted = True
        return self._connection

    async def ended(self) -> None:
        """Wait until the peer has gone: its end of stdin is closed, or the link was ended."""
        await self._connection.over.wait()

    async def aclose(self) -> None:
        self._closed.set()
        if not self._accepted:
            await self._connection.aclose()


class StdioTransport:
    """Stdin and stdout, of which a process has one each."""

    schemes = ("stdio",)
    traits = _TRAITS

    async def listen(self, url: str, options: Mapping[str, str]) -> StdioListener:
        """Serve whoever started this process. Moves stdin and stdout away at once."""
        return StdioListener(StdioConnection(MAX_FRAME))

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> StdioConnection:
        """Speak to an agent that started this process. Moves stdin and stdout away at once."""
        return StdioConnection(MAX_ANSWER)
