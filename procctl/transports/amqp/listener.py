"""A well-known name on the exchange, where peers arrive."""

from __future__ import annotations

from urllib.parse import quote

from ...abc import Traits
from .address import Address
from .connection import AmqpConnection
from .peers import Peers

__all__ = ["AmqpListener"]


class AmqpListener:
    """See `procctl.abc.Listener`."""

    def __init__(self, peers: Peers, address: Address, traits: Traits) -> None:
        self.traits = traits
        self.urls = (_url(address),)
        self._peers = peers

    async def accept(self) -> AmqpConnection:
        return await self._peers.accept()

    async def aclose(self) -> None:
        await self._peers.close()


def _url(address: Address) -> str:
    """Where it is, for those who connect: without a password, and with what differs from the usual."""
    scheme = "amqps" if address.tls else "amqp"
    vhost = "" if address.vhost == "/" else quote(address.vhost, safe="")
    given = {
        "name": address.name if address.name != "controller" else "",
        "exchange": address.exchange if address.exchange != "procctl" else "",
    }
    query = "&".join(f"{name}={quote(value)}" for name, value in given.items() if value)
    place = f"{scheme}://{quote(address.user, safe='')}@{address.broker}/{vhost}"
    return f"{place}?{query}" if query else place
