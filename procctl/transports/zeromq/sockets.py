"""Sockets with what both ends need, in a context of their own."""

from __future__ import annotations

import anyio
import zmq

__all__ = ["Context", "Socket", "end", "new_context", "new_socket", "pollin", "pollout"]

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

_POLLIN, _POLLOUT = int(zmq.POLLIN), int(zmq.POLLOUT)  # as flags of an enum they cost more than the question
_LINGER = 1000
"""Milliseconds for what was accepted to reach the peer, when this end is closed first."""
_AROUND = 64
"""Bytes around a frame on the wire: our first one, and what CURVE adds (33, ZeroMQ RFC 26)."""
_HEARTBEAT, _SILENCE = 5000, 15000
"""Milliseconds between libzmq's own signs of life, and until a network that swallows everything counts as cut."""


def new_context() -> Context:
    """A context; nothing is shared with anybody, `zmq.Context.instance` least of all."""
    return zmq.Context()


def new_socket(context: Context, kind: int, max_frame: int) -> Socket:
    """A socket that takes frames up to a size; longer messages end the connection that they come over."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, max_frame + _AROUND)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE)
    return socket


async def end(context: Context, socket: Socket, *, flush: bool) -> None:
    """Close a socket and its context.

    Cancellation: waited for all the same, for a second at most.
    """
    socket.close(_LINGER if flush else 0)
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(context.term)  # waits for the linger, so not on the loop


def pollin(socket: Socket) -> bool:
    """Whether a message can be had now."""
    return bool(_events(socket) & _POLLIN)


def pollout(socket: Socket) -> bool:
    """Whether a message can be sent now."""
    return bool(_events(socket) & _POLLOUT)


def _events(socket: Socket) -> int:
    found = socket.getsockopt(zmq.EVENTS)
    assert isinstance(found, int)
    return found
