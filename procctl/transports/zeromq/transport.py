"""The two transports, by their schemes."""

from __future__ import annotations

from collections.abc import Mapping

from ...abc import Traits
from ..unix import MAX_ANSWER, MAX_FRAME
from .connection import ZmqConnection
from .dealer import dial
from .listener import ZmqListener, listen
from .messages import Hello
from .place import ipc_place, tcp_place

__all__ = ["ZmqIpcTransport", "ZmqTcpTransport"]


class ZmqTcpTransport:
    """ZeroMQ over TCP."""

    schemes = ("zmq+tcp",)
    traits = Traits(identity=True, max_frame=MAX_FRAME)

    async def listen(self, url: str, options: Mapping[str, str]) -> ZmqListener:
        """Begin to listen.

        Options: ``key``, the file of our secret key, which turns CURVE on; ``clients``, a file of public keys that may
        come in (all, unless said: what they may be is the door's matter); ``insecure=yes``, off loopback without CURVE;
        ``max_frame``, bytes of the longest frame that is taken.

        Raises:
            BadConfig: The place or a key cannot be used.
        """
        return await listen(tcp_place(url, options, listening=True), self.traits)

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> ZmqConnection:
        """Reach a listener.

        Options: ``server``, its public key, which turns CURVE on; ``key``, the file of our secret key, without which
        we are encrypted and nobody in particular; ``insecure=yes``, off loopback without CURVE.

        Raises:
            PeerGone: Nobody is there, or nobody who has that key.
            Denied: The listener does not know our key.
            BadConfig: The URL or a key cannot be used.
        """
        return await dial(tcp_place(url, options, listening=False), Hello(name=name, max_frame=MAX_ANSWER))


class ZmqIpcTransport:
    """ZeroMQ over a unix socket's file that only its owner can use."""

    schemes = ("zmq+ipc",)
    traits = Traits(owner=True, max_frame=MAX_FRAME)

    async def listen(self, url: str, options: Mapping[str, str]) -> ZmqListener:
        """Begin to listen. Option ``max_frame``: bytes of the longest frame that is taken.

        Raises:
            BadConfig: Another agent listens there, or the path cannot be used.
        """
        return await listen(ipc_place(url, options, listening=True), self.traits)

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> ZmqConnection:
        """Reach an agent.

        Raises:
            PeerGone: Nobody listens there.
        """
        return await dial(ipc_place(url, options, listening=False), Hello(name=name, max_frame=MAX_ANSWER))
