"""What lies between a program and the broker, and can be out of order."""

from contextlib import asynccontextmanager

import anyio


class Between:
    """A proxy. Attributes: port: Where it listens. connections: How many there have been."""

    def __init__(self, target):
        self.target = target
        self.port = 0
        self.connections = 0
        self.refusing = False
        self._scopes = set()

    def cut(self):
        """End all connections."""
        for scope in list(self._scopes):
            scope.cancel()

    @asynccontextmanager
    async def outage(self):
        """Nobody gets through."""
        self.refusing = True
        self.cut()
        try:
            yield
        finally:
            self.refusing = False

    async def serve(self, client):
        self.connections += 1
        async with client:
            if self.refusing:
                return
            with anyio.CancelScope() as scope:
                self._scopes.add(scope)
                try:
                    async with await anyio.connect_tcp("127.0.0.1", self.target) as server:
                        async with anyio.create_task_group() as group:
                            group.start_soon(self._pass, client, server, scope)
                            await self._pass(server, client, scope)
                except* (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    pass
                finally:
                    self._scopes.discard(scope)

    async def _pass(self, source, sink, scope):
        try:
            async for data in source:
                await sink.send(data)
        finally:
            scope.cancel()


@asynccontextmanager
async def between(target):
    """A proxy in front of a port of this machine."""
    made = Between(target)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        made.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, made.serve)
        yield made
        group.cancel_scope.cancel()
