"""``abstract:NAME``: frames with their length before them, over unix sockets that have no file (Linux, unix(7))."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping

import anyio

from procctl.abc import Peer, Traits
from procctl.errors import BadConfig, BadMessage, Closed, PeerGone

__all__ = ["AbstractConnection", "AbstractListener", "AbstractTransport"]

MAX_FRAME = 1 << 20
MAX_ANSWER = 256 << 20
TRAITS = Traits(owner=True, identity=True, max_frame=MAX_FRAME)
HEAD = struct.Struct("!I")


class AbstractConnection:
    """Frames over a connected socket, each behind its length."""

    suspended = False

    def __init__(self, sock: socket.socket, peer: Peer, max_frame: int) -> None:
        self.peer = peer
        self._socket = sock
        self._max_frame = max_frame
        self._buffer = bytearray()

    async def send(self, frame: bytes) -> None:
        left = memoryview(HEAD.pack(len(frame)) + frame)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                await self._ready(anyio.wait_writable)
            except OSError as error:
                raise PeerGone(f"the peer is gone: {error.strerror}") from None

    async def receive(self) -> bytes:
        (size,) = HEAD.unpack(await self._exactly(HEAD.size))
        if size <= self._max_frame:
            return await self._exactly(size)
        while size:
            size -= len(await self._exactly(min(size, 1 << 16)))
        raise BadMessage(f"a frame of more than {self._max_frame} bytes")

    async def aclose(self) -> None:
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                await self._ready(anyio.wait_readable)
                continue
            except OSError as error:
                raise PeerGone(f"the peer is gone: {error.strerror}") from None
            if not data:
                raise PeerGone("the peer has closed the connection")
            self._buffer += data
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    async def _ready(self, wait: Callable[[socket.socket], Awaitable[None]]) -> None:
        try:
            await wait(self._socket)
        except (anyio.ClosedResourceError, ValueError, OSError):
            raise PeerGone("the connection was closed here") from None


class AbstractListener:
    """A name that is listened on. The kernel frees it when its socket is closed, however the program ends."""

    traits = TRAITS

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.urls = (f"abstract:{name}",)
        self._socket = sock
        self._name = name

    async def accept(self) -> AbstractConnection:
        while True:
            try:
                sock, _ = self._socket.accept()
            except BlockingIOError:
                await self._arrival()
                continue
            except OSError as error:
                if self._socket.fileno() < 0:
                    raise Closed(f"{self.urls[0]} is closed") from None
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED):
                    raise
                await anyio.sleep(0.1)
                continue
            sock.setblocking(False)
            uid = uid_of(sock)
            if uid in (0, os.geteuid()):
                return AbstractConnection(sock, Peer(identity=f"uid:{uid}", address=self.urls[0]), MAX_FRAME)
            sock.close()

    async def aclose(self) -> None:
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()

    async def _arrival(self) -> None:
        try:
            await anyio.wait_readable(self._socket)
        except (anyio.ClosedResourceError, ValueError, OSError):
            raise Closed(f"{self.urls[0]} is closed") from None


class AbstractTransport:
    """Unix sockets without a file."""

    schemes = ("abstract",)
    traits = TRAITS

    async def listen(self, url: str, options: Mapping[str, str]) -> AbstractListener:
        sock, name = socket.socket(socket.AF_UNIX), name_of(url)
        try:
            sock.bind(f"\0{name}")
            sock.listen(128)
        except OSError as error:
            sock.close()
            raise BadConfig(f"cannot listen on abstract:{name}: {error.strerror}", "choose another name") from None
        sock.setblocking(False)
        return AbstractListener(sock, name)

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> AbstractConnection:
        place = name_of(url)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(f"\0{place}")
        except OSError as error:
            sock.close()
            raise PeerGone(f"nobody listens on abstract:{place}: {error.strerror}") from None
        sock.setblocking(False)
        return AbstractConnection(sock, Peer(identity=f"uid:{uid_of(sock)}", address=url), MAX_ANSWER)


def name_of(url: str) -> str:
    name = url.partition(":")[2].partition("?")[0].strip("/")
    if not name or len(os.fsencode(name)) > 100:
        raise BadConfig(f"{url!r} names no socket", "for example abstract:mine")
    return name


def uid_of(sock: socket.socket) -> int:
    """Who is at the other end, as the kernel says (SO_PEERCRED)."""
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)
