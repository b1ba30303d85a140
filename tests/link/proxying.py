"""A unix socket between a client and an agent that cuts connections, or lets them hang."""

import socket
from contextlib import asynccontextmanager

import anyio


class Proxy:
    """Attributes: connections: How many there have been. hung: Whether nothing is passed on."""

    def __init__(self, target):
        self.target = str(target)
        self.connections = 0
        self.hung = False
        self.refusing = False
        self._scopes = set()

    def cut(self):
        """End all connections."""
        for scope in self._scopes:
            scope.cancel()

    async def serve(self, client):
        self.connections += 1
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                with client:
                    if self.refusing:
                        return
                    with socket.socket(socket.AF_UNIX) as server:
                        server.connect(self.target)
                        server.setblocking(False)
                        async with anyio.create_task_group() as group:
                            group.start_soon(self._pass, client, server, scope)
                            await self._pass(server, client, scope)
            except* OSError:
                pass
            finally:
                self._scopes.discard(scope)

    async def _pass(self, source, sink, scope):
        try:
            while data := await self._received(source):
                while self.hung:
                    await anyio.sleep(0.01)
                while data:
                    data = data[await self._sent(sink, data) :]
        except OSError:
            pass
        scope.cancel()

    async def _received(self, source):
        while True:
            try:
                return source.recv(65536)
            except BlockingIOError:
                await anyio.wait_readable(source)

    async def _sent(self, sink, data):
        while True:
            try:
                return sink.send(data)
            except BlockingIOError:
                await anyio.wait_writable(sink)


@asynccontextmanager
async def proxy(target, path):
    """A proxy on `path`, in front of `target`."""
    made = Proxy(target)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
        async with anyio.create_task_group() as group:

            async def accept():
                while True:
                    await anyio.wait_readable(listener)
                    client, _ = listener.accept()
                    client.setblocking(False)
                    group.start_soon(made.serve, client)

            group.start_soon(accept)
            yield made
            group.cancel_scope.cancel()
