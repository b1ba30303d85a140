"""CURVE (ZeroMQ RFC 26): who a peer is, is proven by its key, and the wire cannot be read.

libzmq asks whoever is bound to one inproc address whether a key may come in (ZAP, RFC 27). It asks from a thread of its
own, so a thread answers: handshakes go on while the loop is busy, and it ends with its context.
"""

from __future__ import annotations

from threading import Thread

import zmq

from .keys import KeyPair, as_zmq, new_pair

__all__ = ["authenticate", "identify", "serve_keys"]

_ADDRESS = "inproc://zeromq.zap.01"


def authenticate(context: zmq.Context[zmq.Socket[bytes]], known: frozenset[str] | None) -> None:
    """Answer for the listeners of a context until it is terminated. Before they are bound.

    Args:
        context: Of the listener.
        known: Public keys that may come in; None: all, and what they may be is the door's matter.
    """
    socket = context.socket(zmq.REP)
    socket.bind(_ADDRESS)
    Thread(target=_answer, args=(socket, known), name="procctl-zap", daemon=True).start()


def serve_keys(socket: zmq.Socket[bytes], pair: KeyPair) -> None:
    """Have a listener's socket prove who it is, and ask who comes."""
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, as_zmq(pair.secret))
    socket.setsockopt(zmq.ZAP_DOMAIN, b"procctl")
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody comes in while nobody answers


def identify(socket: zmq.Socket[bytes], pair: KeyPair | None, server: str) -> None:
    """Have a client's socket prove who it is, and accept one server only.

    Args:
        socket: Not yet connected.
        pair: Its key; None: one for this connection alone, which encrypts and proves nothing.
        server: The server's public key.
    """
    pair = pair or new_pair()
    socket.setsockopt(zmq.CURVE_PUBLICKEY, as_zmq(pair.public))
    socket.setsockopt(zmq.CURVE_SECRETKEY, as_zmq(pair.secret))
    socket.setsockopt(zmq.CURVE_SERVERKEY, as_zmq(server))


def _answer(socket: zmq.Socket[bytes], known: frozenset[str] | None) -> None:
    try:
        while True:
            _, number, _, _, _, mechanism, *credentials = socket.recv_multipart()
            key = credentials[0].hex() if mechanism == b"CURVE" and credentials else ""
            fits = bool(key) and (known is None or key in known)
            code, text = (b"200", b"OK") if fits else (b"400", b"this key is not known here")
            socket.send_multipart([b"1.0", number, code, text, key.encode() if fits else b"", b""])
    except zmq.ContextTerminated:
        socket.close(0)
