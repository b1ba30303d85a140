"""Transports around others, to be broken in one place."""

import anyio

from procctl.errors import PeerGone
from procctl.transports.memory import MemoryTransport
from procctl.transports.unix import UnixTransport


class Wrapped:
    """A connection around another."""

    def __init__(self, inner, name=""):
        self.inner = inner
        self.name = name
        self.shut = False

    @property
    def peer(self):
        return self.inner.peer

    @property
    def suspended(self):
        return self.inner.suspended

    async def send(self, frame):
        await self.inner.send(frame)

    async def receive(self):
        return await self.inner.receive()

    async def aclose(self):
        self.shut = True
        await self.inner.aclose()


class WrappedListener:
    """A listener around another."""

    def __init__(self, inner, connection):
        self.inner = inner
        self.connection = connection
        self.urls, self.traits = inner.urls, inner.traits

    async def accept(self):
        return self.connection(await self.inner.accept())

    async def aclose(self):
        await self.inner.aclose()


class Wrapper:
    """A transport around another. Subclasses say which connections and listeners it gives."""

    base = MemoryTransport
    connection = Wrapped
    listener = WrappedListener

    def __init__(self):
        self.inner = self.base()
        self.schemes, self.traits = self.inner.schemes, self.inner.traits

    async def listen(self, url, options):
        return self.listener(await self.inner.listen(url, options), self.connection)

    async def connect(self, url, name, options):
        return self.connection(await self.inner.connect(url, name, options), name)


class Unix(Wrapper):
    """One that has a process at its other end."""

    base = UnixTransport


async def until_shut(connection):
    """Wait for a connection to be closed here, and say so as it should."""
    while not connection.shut:
        await anyio.sleep(0.01)
    raise PeerGone("closed here")
