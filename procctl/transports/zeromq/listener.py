"""The listening end: one ROUTER for all peers.

A connection is one routing id that libzmq has made for one TCP connection. An id of a peer's own choosing is refused:
it would prove nothing, and could be another's. With CURVE each message is compared with the key of its connection.

A ROUTER is not told who has left, but can be (ZMQ_ROUTER_MANDATORY): a message to a connection that is no more cannot
be sent. So when something has changed that is no message, and every other second, those who are silent are sent a
message of one byte.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections import deque

import anyio
import zmq
from attrs import evolve

from ...abc import Peer, Traits
from ...aio.wake import Wake
from ...errors import BadConfig, Closed
from ..unix import bound, clear, take_lock
from . import curve
from .connection import ZmqConnection
from .flow import Flow
from .messages import Hello, Unfit, parse_hello
from .place import Place
from .sockets import Context, Socket, end, new_context, new_socket
from .waiter import Message, Waiter

__all__ = ["ZmqListener", "listen"]

_PERIOD = 2.0
"""Seconds between looks at who is silent."""
_PAUSE = 0.1
"""Seconds between two looks, however much changes."""


class ZmqListener:
    """See `procctl.abc.Listener`.

    Args:
        context: Its own.
        socket: A bound ROUTER.
        place: Where, for people.
        lock: A descriptor that locks the path, or -1.
        traits: Of the transport.
    """

    def __init__(self, context: Context, socket: Socket, place: Place, lock: int, traits: Traits) -> None:
        self.traits = traits
        self.urls = (_url(place, socket),)
        self._context = context
        self._socket = socket
        self._place = place
        self._lock = lock
        self._waiter = Waiter(socket, self._take, self._look, _PERIOD)
        self._arrival = self._waiter.keen = Wake()
        self._arrived: deque[ZmqConnection] = deque()
        self._peers: dict[bytes, ZmqConnection] = {}
        self._heard: set[bytes] = set()
        self._looked = 0.0
        self._closed = False

    async def accept(self) -> ZmqConnection:
        await self._waiter.turn()
        await self._waiter.until(lambda: bool(self._arrived) or self._closed, self._arrival)
        if self._closed:
            raise Closed(f"{self.urls[0]} is closed")
        return self._arrived.popleft()

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._arrival.set()
        self._waiter.stir()
        for connection in list(self._arrived):
            await connection.aclose()
        if self._lock >= 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._place.path)
            os.close(self._lock)
        await self._end()

    async def _end(self) -> None:
        """The socket is closed when nobody needs it any more: unbinding it would end what it has accepted."""
        if self._closed and not self._peers and not self._waiter.closed:
            self._waiter.close()
            await end(self._context, self._socket, flush=True)

    # messages -------------------------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        route, *rest = message
        peer = route.bytes
        if len(rest) != 1 or len(peer) != 5 or peer[0]:
            return self._refuse(peer, "a message of one part, over a socket without a routing id of its own")
        said = rest[0].bytes
        identity = self._identity(rest[0])
        if said[:1] == b"h":
            return self._welcome(peer, said[1:], identity, rest[0])
        connection = self._peers.get(peer)
        if connection is None or connection.peer.identity != identity:
            return self._refuse(peer, "hello is the first message")
        self._heard.add(peer)
        return connection.came(said)

    def _welcome(self, peer: bytes, text: bytes, identity: str | None, frame: zmq.Frame) -> None:
        old = self._peers.pop(peer, None)
        if old is not None:
            old.finish("was replaced by another over the same socket")
        try:
            hello = parse_hello(text)
        except Unfit as error:
            return self._refuse(peer, str(error))
        if self._closed:
            return self._refuse(peer, "nobody listens any more")
        address = self._place.path or str(frame.get("Peer-Address"))
        connection = self._peers[peer] = ZmqConnection(
            Peer(name=hello.name, identity=identity, address=address),
            Flow(hello.max_frame),
            self._waiter,
            lambda said: self._post(peer, said),
            lambda: self._leave(peer, connection),
        )
        self._heard.add(peer)
        self._post(peer, Hello(max_frame=self._place.max_frame).said(b"w"))
        self._arrived.append(connection)
        return self._arrival.set()

    def _identity(self, frame: zmq.Frame) -> str | None:
        return None if self._place.pair is None else f"curve:{frame.get('User-Id')}"

    def _refuse(self, peer: bytes, why: str) -> None:
        self._post(peer, b"b" + why.encode())

    def _post(self, peer: bytes, said: bytes) -> bool:
        """Send now. False: nobody is there, or nobody reads: credit keeps what may wait far below what libzmq holds."""
        try:
            self._waiter.send([peer, said])
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
            self._waiter.catch_up()  # what it has said before
            return False
        return True

    async def _leave(self, peer: bytes, connection: ZmqConnection) -> None:
        if self._peers.get(peer) is connection:
            del self._peers[peer]
            self._heard.discard(peer)
        await self._end()

    # who is still there ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        now = anyio.current_time()
        if now - self._looked < _PAUSE:
            return self._waiter.look_within(_PAUSE)
        everybody = now - self._looked < _PERIOD  # something has changed: whoever was heard may be gone since
        self._looked = now
        heard, self._heard = self._heard, set()
        for peer, connection in list(self._peers.items()):
            if not connection.ended and (everybody or peer not in heard) and not self._post(peer, b"p"):
                connection.finish("is gone")
        return None


async def listen(place: Place, traits: Traits) -> ZmqListener:
    """Begin to listen.

    Raises:
        BadConfig: The place cannot be used.
    """
    lock = take_lock(place.path) if place.path else -1
    context = new_context()
    socket = new_socket(context, zmq.ROUTER, place.max_frame)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.IPV6, place.ipv6)
    try:
        if place.pair is not None:
            curve.authenticate(context, place.known)
            curve.serve_keys(socket, place.pair)
        if place.path:
            _bind_file(socket, place)
        else:
            _bind(socket, place)
    except BaseException:
        if lock >= 0:
            os.close(lock)
        await end(context, socket, flush=False)
        raise
    return ZmqListener(context, socket, place, lock, evolve(traits, identity=place.pair is not None))


def _bind(socket: Socket, place: Place) -> None:
    try:
        socket.bind(place.endpoint)
    except zmq.ZMQError as error:
        hint = "a listener's host is an address of this machine" if error.errno == errno.ENODEV else ""
        raise BadConfig(f"cannot listen on {place.url}: {error.strerror}", hint) from None


def _bind_file(socket: Socket, place: Place) -> None:
    """The socket's file has its mode before anybody can connect: it is made here, and libzmq takes it over."""
    clear(place.path)
    made = bound(place.path)
    socket.setsockopt(zmq.USE_FD, made.fileno())
    for uid in _welcome_uids():
        socket.setsockopt(zmq.IPC_FILTER_UID, uid)
    socket.bind(place.endpoint)
    made.detach()


def _welcome_uids() -> set[int]:
    return {0, os.geteuid()}


def _url(place: Place, socket: Socket) -> str:
    if place.path:
        return place.url
    port = _endpoint(socket).rpartition(":")[2]
    host = place.url.rpartition(":")[0]
    return f"{host}:{port}" + (f"?server={place.pair.public}" if place.pair is not None else "")


def _endpoint(socket: Socket) -> str:
    found = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(found, bytes)
    return found.rstrip(b"\0").decode()
