"""The gateway's listener and the transport's `connect` as one transport, for the kit."""

import sys
from collections.abc import Mapping

import anyio

from procctl.core.rights import OWNER
from procctl.gateways.http.gateway import HttpGateway, http, http_unix, https
from procctl.link.door import Door


def spawn(task):
    """Run a task in the background of the loop."""
    if "trio" in sys.modules and _on_trio():
        import trio

        trio.lowlevel.spawn_system_task(task)
        return None
    import asyncio

    return asyncio.create_task(task())


def _on_trio():
    import sniffio

    return sniffio.current_async_library() == "trio"


class Held:
    """A listener whose server lives until the last of its connections has ended."""

    def __init__(self, serving):
        self._serving = serving
        self._connections = []
        self._ready, self._closed = anyio.Event(), anyio.Event()
        self._error = None
        self._listener = None

    async def begin(self):
        self._task = spawn(self._run)
        await self._ready.wait()
        if self._error is not None:
            raise self._error
        self.urls, self.traits = self._listener.urls, self._listener.traits
        return self

    async def _run(self):
        try:
            async with self._serving as self._listener:
                self._ready.set()
                await self._closed.wait()
                for connection in self._connections:
                    await connection.over()
        except Exception as error:
            self._error = error
            self._ready.set()

    async def accept(self):
        connection = await self._listener.accept()
        self._connections = [c for c in self._connections if not c._over.is_set()] + [connection]
        return connection

    async def aclose(self):
        await self._listener.aclose()
        self._closed.set()


class Kit(HttpGateway):
    def __init__(self, gateway=http):
        super().__init__(gateway.schemes, gateway.traits)

    async def listen(self, url: str, options: Mapping[str, str]):
        return await Held(self.serve(url, options, None, Door(default=OWNER))).begin()


def secure():
    """Over TLS."""
    return Kit(https)


def unix():
    """Over a unix socket."""
    return Kit(http_unix)
