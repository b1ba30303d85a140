"""A URL of ZeroMQ: where, and with which keys."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import field, frozen

from ...errors import BadConfig
from ..unix import frame_size, path_of
from .keys import KeyPair, listed, parse_public, read_pair

__all__ = ["Place", "ipc_place", "tcp_place"]


@frozen(kw_only=True)
class Place:
    """Attributes:
    url: Without its options.
    endpoint: As libzmq writes it.
    path: Of its socket, or empty.
    pair: Our own key, or None.
    server: The public key of the listener, or empty: it is not CURVE, or we are the listener.
    known: The public keys that may come in, or None: all.
    max_frame: Bytes of the longest frame that a listener takes.
    """

    url: str
    endpoint: str
    path: str = ""
    pair: KeyPair | None = field(default=None, repr=False)
    server: str = ""
    known: frozenset[str] | None = None
    max_frame: int

    @property
    def ipv6(self) -> bool:
        """Whether it is an address of that kind."""
        return "[" in self.endpoint


def tcp_place(url: str, options: Mapping[str, str], *, listening: bool) -> Place:
    """Of ``zmq+tcp://HOST:PORT?key=FILE&server=PUBLIC&clients=FILE&insecure=yes&max_frame=BYTES``.

    Raises:
        BadConfig: It cannot be used as it is, or would let the wire be read.
    """
    host, port = _host(url)
    key, server, clients = options.get("key"), options.get("server"), options.get("clients")
    bare = f"zmq+tcp://{_bracketed(host)}:{port}"
    if listening and server is not None and key is None:
        raise BadConfig(f"server= on the listener {bare}", "a listener has key=FILE; its clients say server=PUBLIC")
    if not listening and key is not None and server is None:
        raise BadConfig(f"key= without server= in {bare}", "server=PUBLIC is the listener's public key")
    if clients is not None and (key is None or not listening):
        raise BadConfig(f"clients= without key= on {bare}", "it lists the keys that a listener with key=FILE knows")
    if key is None and server is None and not _is_loopback(host) and options.get("insecure") != "yes":
        raise BadConfig(
            f"{bare} could be read and changed by anybody on the wire",
            "key=FILE encrypts it (procctl key new), &insecure=yes goes on without",
        )
    return Place(
        url=bare,
        endpoint=f"tcp://{_bracketed('127.0.0.1' if host == 'localhost' else host)}:{port or '*'}",
        pair=None if key is None else read_pair(key, bare),
        server="" if listening or server is None else parse_public(server, f"server= in {bare}"),
        known=None if clients is None else listed(clients, bare),
        max_frame=frame_size(options.get("max_frame"), url),
    )


def ipc_place(url: str, options: Mapping[str, str], *, listening: bool) -> Place:
    """Of ``zmq+ipc:///PATH``. Raises `BadConfig`."""
    path = path_of(url)
    for name in ("key", "server", "clients"):
        if name in options:
            raise BadConfig(f"{name}= on zmq+ipc://{path}", "the socket's file says who may connect; it has no keys")
    return Place(
        url=f"zmq+ipc://{path}",
        endpoint=f"ipc://{path}",
        path=path,
        max_frame=frame_size(options.get("max_frame"), url),
    )


def _host(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadConfig(f"{url!r} cannot be read: {error}", "for example zmq+tcp://127.0.0.1:7001") from None
    if not host or port is None or parts.path.strip("/") or "@" in parts.netloc:
        raise BadConfig(f"{url!r} is not a host and a port", "for example zmq+tcp://127.0.0.1:7001")
    return host, port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
