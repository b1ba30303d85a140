"""``unix:///path``: newline-delimited frames over a unix socket that only its owner can use.

The socket is made in three steps, bind, chmod 0600, listen, so that nobody can connect before the mode is right and
the process's umask is left alone. A lock on ``PATH.lock``, held for as long as it listens, decides who owns the path:
whoever has the lock may take away a socket that a killed agent has left. The peer's uid comes from the kernel
(SO_PEERCRED, unix(7)); another user than ours or root is refused even where the file's mode would let it in.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Mapping
from urllib.parse import unquote, urlsplit

import anyio

from ..abc import Peer, Traits
from ..aio.incoming import Incoming
from ..errors import BadConfig, Closed, PeerGone
from .lines import MAX_ANSWER, MAX_FRAME, Lines

__all__ = [
    "MAX_ANSWER",
    "MAX_FRAME",
    "UnixConnection",
    "UnixListener",
    "UnixTransport",
    "bound",
    "clear",
    "frame_size",
    "listening",
    "path_of",
    "peer_uid",
    "take_lock",
]

logger = logging.getLogger("procctl.transports.unix")

_TRAITS = Traits(owner=True, identity=True, max_frame=MAX_FRAME)


def path_of(url: str) -> str:
    """The path in a URL.

    Raises:
        BadConfig: There is none, or it is too long for a socket.
    """
    parts = urlsplit(url)
    path = unquote(parts.netloc + parts.path)
    if not path:
        raise BadConfig(f"{url!r} names no path", "for example unix:///run/procctl/agent.sock")
    if len(os.fsencode(path)) > 107:
        raise BadConfig(f"the path {path!r} is too long for a unix socket", "107 bytes is the longest (unix(7))")
    return path


class UnixConnection:
    """Frames over a connected socket, one per line."""

    suspended = False

    def __init__(self, sock: socket.socket, peer: Peer, max_frame: int) -> None:
        self.peer = peer
        self._socket = sock
        self._incoming = Incoming(sock)
        self._lines = Lines(max_frame)
        self._begun: memoryview | None = None
        """What is left of a frame that was not accepted whole."""

    def send_nowait(self, frame: bytes) -> bool:
        left = memoryview(frame + b"\n")
        try:
            left = left[self._socket.send(left) :]
        except BlockingIOError:
            return False
        except OSError as error:
            raise PeerGone(f"{self._who} is gone: {error.strerror}") from None
        self._begun = left or None
        return not left

    async def send(self, frame: bytes) -> None:
        left, self._begun = self._begun or memoryview(frame + b"\n"), None
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                await self._ready(anyio.wait_writable(self._socket))
            except OSError as error:
                raise PeerGone(f"{self._who} is gone: {error.strerror}") from None

    async def receive(self) -> bytes:
        while (frame := self._lines.next()) is None:
            self._lines.feed(await self._read())
        return frame

    async def aclose(self) -> None:
        if self._socket.fileno() >= 0:
            self._incoming.close()
            anyio.notify_closing(self._socket)
            self._socket.close()

    async def _read(self) -> bytes:
        try:
            data = await self._incoming.read()
        except anyio.ClosedResourceError:
            raise PeerGone("the connection was closed here") from None
        except OSError as error:
            raise PeerGone(f"{self._who} is gone: {error.strerror}") from None
        if not data:
            rest = " in the middle of a frame" if self._lines.within else ""
            raise PeerGone(f"{self._who} has closed the connection{rest}")
        return data

    async def _ready(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except (anyio.ClosedResourceError, ValueError, OSError):
            raise PeerGone("the connection was closed here") from None

    @property
    def _who(self) -> str:
        return self.peer.name or self.peer.address


class UnixListener:
    """A bound socket and the lock on its path."""

    traits = _TRAITS

    def __init__(self, sock: socket.socket, path: str, lock: int, max_frame: int) -> None:
        self.urls = (f"unix://{path}",)
        self._socket = sock
        self._path = path
        self._lock = lock
        self._max_frame = max_frame

    async def accept(self) -> UnixConnection:
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
                logger.warning("cannot accept on %s: %s; trying again", self._path, error.strerror)
                await anyio.sleep(0.1)
                continue
            sock.setblocking(False)
            uid = peer_uid(sock)
            if uid is not None and uid not in (0, os.geteuid()):
                logger.warning("refused uid %d on %s", uid, self._path)
                sock.close()
                continue
            identity = None if uid is None else f"uid:{uid}"
            return UnixConnection(sock, Peer(identity=identity, address=self._path), self._max_frame)

    async def aclose(self) -> None:
        if self._socket.fileno() < 0:
            return
        anyio.notify_closing(self._socket)
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(self._lock)

    async def _arrival(self) -> None:
        try:
            await anyio.wait_readable(self._socket)
        except (anyio.ClosedResourceError, ValueError, OSError):
            raise Closed(f"{self.urls[0]} is closed") from None


class UnixTransport:
    """Unix sockets of this machine."""

    schemes = ("unix",)
    traits = _TRAITS

    async def listen(self, url: str, options: Mapping[str, str]) -> UnixListener:
        """Begin to listen. Option ``max_frame``: bytes of the longest frame that is taken.

        Raises:
            BadConfig: Another agent listens there, or the path cannot be used.
        """
        path = path_of(url)
        max_frame = frame_size(options.get("max_frame"), url)
        sock, lock = listening(path)
        return UnixListener(sock, path, lock, max_frame)

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> UnixConnection:
        """Reach an agent.

        Raises:
            PeerGone: Nobody listens there.
        """
        path = path_of(url)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            hint = "procctl up starts an agent there, procctl controller a controller"
            raise PeerGone(f"nobody listens on {path}", hint) from None
        except OSError as error:
            sock.close()
            raise PeerGone(f"cannot connect to {path}: {error.strerror}") from None
        sock.setblocking(False)
        uid = peer_uid(sock)
        identity = None if uid is None else f"uid:{uid}"
        return UnixConnection(sock, Peer(identity=identity, address=path), MAX_ANSWER)


def listening(path: str) -> tuple[socket.socket, int]:
    """A socket that listens on a path and that only its owner can use, and the descriptor of the lock on the path.

    Raises:
        BadConfig: Another agent listens there, or the path cannot be used.
    """
    lock = take_lock(path)
    try:
        clear(path)
        return bound(path), lock
    except BaseException:
        os.close(lock)
        raise


def frame_size(text: str | None, url: str) -> int:
    """The option ``max_frame`` of a URL. Raises `BadConfig`."""
    if text is None:
        return MAX_FRAME
    if not text.isdecimal() or not 1024 <= int(text) <= MAX_ANSWER:
        raise BadConfig(f"max_frame={text} in {url!r}", f"expected bytes, 1024 to {MAX_ANSWER}")
    return int(text)


def take_lock(path: str) -> int:
    """The lock of a socket's path, until it is closed. Raises `BadConfig` if somebody else has it."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadConfig(f"cannot listen on {path}: {error.strerror}", "choose another path with --listen") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        hint = f"procctl --url unix://{path} status --agent shows who; --listen or --name gives this one another"
        raise BadConfig(f"another agent or controller listens on {path}", hint) from None
    return lock


def clear(path: str) -> None:
    """Take away what a killed agent has left. The lock is ours, so no agent of procctl is using it."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BadConfig(f"cannot listen on {path}: it exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        except OSError as error:
            raise BadConfig(f"cannot listen on {path}: {error.strerror}") from None
        else:
            raise BadConfig(f"another program listens on {path}")
    os.unlink(path)


def bound(path: str) -> socket.socket:
    """A listening socket that only its owner can use. Raises `BadConfig`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(128)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise BadConfig(f"cannot listen on {path}: {error.strerror}") from None
    return sock


def peer_uid(sock: socket.socket) -> int | None:
    """Who is at the other end, as the kernel says; None where it does not."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return int(uid)
