"""What tests of the gateway share: credentials by heart, clients, Server-Sent Events."""

import json
import socket
from contextlib import asynccontextmanager

import anyio
import h11
import httpx2
from attrs import evolve

from procctl.core.rights import OWNER
from procctl.link.door import Grant

TOKENS = {
    "owns": Grant(name="ann", roles=OWNER),
    "looks": Grant(name="eve", roles=frozenset({"viewer"})),
    "joins": Grant(name="web", roles=frozenset({"agent"})),
}


class Known:
    """Credentials by heart; what stands behind an ``@`` is when they expire."""

    def by_token(self, token):
        name, _, expires = token.partition("@")
        found = TOKENS.get(name)
        return evolve(found, expires=float(expires)) if found is not None and expires else found

    def by_identity(self, identity):
        return Grant(name="web-01", roles=OWNER) if identity == "cert:web-01" else None


def client(url, token="owns", **options):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60, **options)


def added(name, command, **more):
    """The body of an add."""
    return {"spec": {"name": name, "command": list(command), **more}}


async def add(rest, name, command, **more):
    """Add a process: its item."""
    answer = await rest.post("/processes", json=added(name, command, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()["items"][0]


class Events:
    """A reader of Server-Sent Events that may leave at any moment."""

    def __init__(self, stream):
        self.stream = stream
        self.wire = h11.Connection(h11.CLIENT)
        self.text = ""

    async def next(self):
        """The next event of HTTP."""
        while (event := self.wire.next_event()) is h11.NEED_DATA:
            try:
                self.wire.receive_data(await self.stream.receive())
            except anyio.EndOfStream:
                self.wire.receive_data(b"")
        return event

    async def block(self):
        """What stands before the next empty line; None at the end."""
        while "\n\n" not in self.text:
            event = await self.next()
            if isinstance(event, h11.EndOfMessage):
                return None
            assert isinstance(event, h11.Data), event
            self.text += bytes(event.data).decode()
        block, _, self.text = self.text.partition("\n\n")
        return block

    def __aiter__(self):
        return self

    async def __anext__(self):
        """``(id, type, document)``, with the type ``message`` where none is said."""
        while (block := await self.block()) is not None:
            fields = dict(line.partition(": ")[::2] for line in block.splitlines())
            if "data" in fields:
                return fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"])
        raise StopAsyncIteration


@asynccontextmanager
async def sse(url, path, token="owns", **headers):
    """Follow a stream."""
    host, port = url.removeprefix("http://").split(":")
    known = {"host": host, "accept": "text/event-stream", "authorization": f"Bearer {token}"}
    async with await anyio.connect_tcp(host, int(port)) as stream:
        events = Events(stream)
        request = h11.Request(method="GET", target=path, headers=list((known | headers).items()))
        await stream.send(events.wire.send(request) + events.wire.send(h11.EndOfMessage()))
        answer = await events.next()
        assert answer.status_code == 200
        yield events


async def raw(url, data, then=b"", *, end=False):
    """Say something to a listener by hand, something more when it has answered, and read all that comes until it
    closes."""
    host, port = url.removeprefix("http://").rsplit(":", 1)
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(data)
        if end:
            stream.extra(anyio.abc.SocketAttribute.raw_socket).shutdown(socket.SHUT_WR)
        found = await stream.receive() if then else b""
        try:
            await stream.send(then)
            while True:
                found += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return found
