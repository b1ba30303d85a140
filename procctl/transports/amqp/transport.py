"""``amqp://`` and ``amqps://`` as a `procctl.abc.Transport`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from ...abc import Traits
from ...errors import BadConfig, Denied, PeerGone
from .address import LARGEST, MAX_FRAME, Address
from .connection import AmqpConnection
from .letters import listener_key, peer_key
from .link import Queue
from .listener import AmqpListener
from .peers import Peers

__all__ = ["AmqpTransport"]

_TRAITS = Traits(identity=True, suspends=True, broker=True, max_frame=MAX_FRAME)
_FOR_GOOD = frozenset({403, 406})
"""What the broker says to one who may not write there, or who forges a user: a client ends by that, while a listener
goes on, so that no peer can have it closed."""


class AmqpTransport:
    """Frames through a RabbitMQ broker."""

    schemes = ("amqp", "amqps")
    traits = _TRAITS

    async def listen(self, url: str, options: Mapping[str, str]) -> AmqpListener:
        """Begin to listen. The options are described in the guide to AMQP.

        Raises:
            BadConfig: The broker cannot be reached, does not let us, or somebody listens by this name already.
        """
        address = Address.read(url, options)
        key = listener_key(address.name)
        queue = Queue(key=key, name=lambda: f"{address.exchange}.{key}", founding=True)
        peers = Peers(address, queue, address.max_frame, listening=True)
        try:
            await peers.open()
        except (PeerGone, Denied) as error:
            raise BadConfig(f"cannot listen: {error.message}", error.hint) from None
        return AmqpListener(peers, address, _TRAITS)

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> AmqpConnection:
        """Reach a listener.

        Raises:
            PeerGone: The broker or the listener is not there.
            Denied: The broker does not know us, or does not let us.
            BadConfig: The URL cannot be used.
        """
        address = Address.read(url, options)
        key = peer_key(address.user, secrets.token_hex(16))
        queue = Queue(
            key=key,
            name=lambda: f"{address.exchange}.{key}.{secrets.token_hex(4)}",
            founding=False,
            fatal=_FOR_GOOD,
        )
        peers = Peers(address, queue, LARGEST, listening=False)
        await peers.open()
        try:
            return await peers.dial(listener_key(address.name), name)
        except BaseException:
            await peers.close()
            raise
