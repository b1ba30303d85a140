"""The connecting end: one DEALER, connected once. It does not come again by itself: the line above makes another."""

from __future__ import annotations

import anyio
import zmq
from zmq.utils.monitor import parse_monitor_message

from ...abc import Peer
from ...aio.wake import Wake
from ...errors import Denied, PeerGone
from . import curve
from .connection import ZmqConnection
from .flow import Flow
from .messages import Hello
from .place import Place
from .sockets import Context, Socket, end, new_context, new_socket, pollout
from .waiter import Message, Waiter

__all__ = ["dial"]

_PATIENCE = 10.0
"""Seconds for a listener to answer."""
_HANDSHAKE = "the handshake failed: its key is another one, only one of the two ends has keys, or it is no ZeroMQ"
_FAILURES: dict[int, str] = {
    zmq.EVENT_CLOSED: "nobody listens there",
    zmq.EVENT_CONNECT_RETRIED: "nobody listens there",
    zmq.EVENT_DISCONNECTED: "the other end closed the connection at once",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: _HANDSHAKE,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: _HANDSHAKE,
}


class Dealer:
    """One connection's socket.

    Args:
        context: Its own.
        socket: A DEALER.
        place: Where it leads.

    Attributes:
        connection: What it is for.
    """

    def __init__(self, context: Context, socket: Socket, place: Place) -> None:
        self._context = context
        self._socket = socket
        self._waiter = Waiter(socket, self._take, self._look)
        identity = f"curve:{place.server}" if place.server else None
        peer = Peer(identity=identity, address=place.url)
        self.connection = ZmqConnection(peer, Flow(None), self._waiter, self.post, self.aclose)

    async def aclose(self) -> None:
        """End it."""
        if not self._waiter.closed:
            alive = self._alive
            self._waiter.close()
            await end(self._context, self._socket, flush=alive)

    def _take(self, message: Message) -> None:
        self.connection.came(message[0].bytes)

    @property
    def _alive(self) -> bool:
        """Whether the connection is up: while it is, there is always room to send (credit sees to it)."""
        return pollout(self._socket)

    def _look(self) -> None:
        if not self._alive:
            self.connection.finish("is gone")

    def post(self, said: bytes) -> bool:
        """Send now; false if the connection is lost."""
        try:
            self._waiter.send([said])
        except zmq.Again:
            self._waiter.catch_up()  # what the peer has said before
            return False
        return True


async def dial(place: Place, hello: Hello) -> ZmqConnection:
    """Connect and say hello.

    Raises:
        PeerGone: Nobody is there, or nobody who understands us.
        Denied: The listener does not know our key.
    """
    context = new_context()
    socket = new_socket(context, zmq.DEALER, hello.max_frame)
    try:
        with anyio.fail_after(_PATIENCE):
            await _reach(socket, place)
    except BaseException as error:
        await end(context, socket, flush=False)
        if isinstance(error, TimeoutError):
            raise PeerGone(f"{place.url} did not answer within {_PATIENCE:g} s") from None
        raise
    dealer = Dealer(context, socket, place)
    dealer.post(hello.said(b"h"))
    return dealer.connection


async def _reach(socket: Socket, place: Place) -> None:
    """Connect, and wait until both ends have agreed on how they speak."""
    socket.setsockopt(zmq.RECONNECT_IVL, -1)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.IPV6, place.ipv6)
    if place.server:
        curve.identify(socket, place.pair, place.server)
    monitor = socket.get_monitor_socket()
    events: list[int] = []
    wake = Wake()
    waiter = Waiter(monitor, lambda message: events.append(_event(message)), lambda: None)
    try:
        try:
            socket.connect(place.endpoint)
        except zmq.ZMQError as error:
            raise PeerGone(f"cannot connect to {place.url}: {error.strerror}") from None
        await waiter.until(lambda: bool(_decisive(events)), wake)
    finally:
        waiter.close()
        socket.disable_monitor()
        monitor.close(0)
    decided = _decisive(events)
    if decided == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        raise Denied("unauthorized", f"{place.url} does not know our key", "its list of clients= names those it knows")
    if decided != zmq.EVENT_HANDSHAKE_SUCCEEDED:
        raise PeerGone(f"cannot connect to {place.url}: {_FAILURES[decided]}")


def _event(message: Message) -> int:
    return int(parse_monitor_message([frame.bytes for frame in message])["event"])


def _decisive(events: list[int]) -> int:
    """The first event that says how it has gone; 0: none yet."""
    decisive = {zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_HANDSHAKE_FAILED_AUTH, *_FAILURES}
    return next((event for event in events if event in decisive), 0)
