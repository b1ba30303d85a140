"""What a link is held against: the same kind of socket, the same loop, the same sizes, and nothing else.

bare.py KIND BACKEND PATH ANSWER    answers each frame by one of ANSWER bytes

A kind is ``unix`` (lines over the loop's own streams), ``zmq`` (procctl's waiter) or ``pyzmq`` (blocking, no loop); or
``stream``, which sends what a command (ANSWER, as JSON) writes.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import Thread
from time import monotonic
from typing import Any

import anyio

__all__ = ["KINDS", "Trip", "rate", "raw_rate"]

Trip = Callable[[bytes], Awaitable[object]]
"""Sends a frame and waits for the answer."""


async def rate(trip: Trip, frame: bytes, seconds: float) -> float:
    """Round trips a second."""
    for _ in range(100):
        await trip(frame)
    done, begun = 0, monotonic()
    while monotonic() - begun < seconds:
        for _ in range(50):
            await trip(frame)
        done += 50
    return done / (monotonic() - begun)


# lines over the loop's own streams ------------------------------------------------------------------------------


async def unix_serve(path: str, answer: bytes) -> None:
    if on_trio():
        import trio

        async def serve(stream: trio.SocketStream) -> None:
            kept = b""
            async for data in stream:
                *lines, kept = (kept + data).split(b"\n")
                for _ in lines:
                    await stream.send_all(answer + b"\n")

        sock = trio.socket.socket(trio.socket.AF_UNIX)
        await sock.bind(path)
        sock.listen(64)
        ready()
        await trio.serve_listeners(serve, [trio.SocketListener(sock)])
    else:
        import asyncio

        async def serve_(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readline():
                writer.write(answer + b"\n")
                await writer.drain()

        await asyncio.start_unix_server(serve_, path)
        ready()
        await anyio.sleep_forever()


@asynccontextmanager
async def unix_trip(path: str) -> AsyncGenerator[Trip]:
    if on_trio():
        import trio

        stream = await trio.open_unix_socket(path)

        async def trip(frame: bytes) -> None:
            await stream.send_all(frame + b"\n")
            while not (await stream.receive_some()).endswith(b"\n"):
                pass

        async with stream:
            yield trip
    else:
        import asyncio

        reader, writer = await asyncio.open_unix_connection(path)

        async def trip(frame: bytes) -> None:
            writer.write(frame + b"\n")
            await writer.drain()
            await reader.readline()

        yield trip
        writer.close()


# procctl's waiter over a ROUTER and a DEALER --------------------------------------------------------------------


class Waiting:
    """A socket, its waiter, and what has come."""

    def __init__(self, socket: Any) -> None:
        from procctl.aio.wake import Wake
        from procctl.transports.zeromq.waiter import Waiter

        self.came: deque[list[bytes]] = deque()
        self.waiter = Waiter(socket, lambda message: self.came.append([f.bytes for f in message]), lambda: None)
        self._wake = Wake()

    async def receive(self) -> list[bytes]:
        await self.waiter.turn()
        await self.waiter.until(lambda: bool(self.came), self._wake)
        return self.came.popleft()


async def zmq_serve(path: str, answer: bytes) -> None:
    import zmq

    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(f"ipc://{path}")
    end = Waiting(socket)
    ready()
    while True:
        peer, _ = await end.receive()
        end.waiter.send([peer, answer])


@asynccontextmanager
async def zmq_trip(path: str) -> AsyncGenerator[Trip]:
    import zmq

    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(f"ipc://{path}")
    end = Waiting(socket)

    async def trip(frame: bytes) -> None:
        end.waiter.send([frame])
        await end.receive()

    yield trip
    end.waiter.close()
    context.destroy(0)


# blocking pyzmq -------------------------------------------------------------------------------------------------


async def pyzmq_serve(path: str, answer: bytes) -> None:
    import zmq

    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(f"ipc://{path}")
    ready()
    while True:
        peer, _ = socket.recv_multipart()
        socket.send_multipart([peer, answer])


def raw_rate(path: str, frame: bytes, seconds: float) -> float:
    """Round trips a second of blocking pyzmq."""
    import zmq

    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(f"ipc://{path}")
        done, begun = 0, monotonic()
        while monotonic() - begun < seconds:
            for _ in range(50):
                socket.send(frame)
                socket.recv()
            done += 50
        return done / (monotonic() - begun)


# a stream -------------------------------------------------------------------------------------------------------


async def stream_serve(path: str, answer: bytes) -> None:
    """What a process writes, to whoever connects."""

    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream, await anyio.open_process(json.loads(answer)) as process:
            assert process.stdout is not None
            try:
                async for piece in process.stdout:
                    await stream.send(piece)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                process.kill()

    async with await anyio.create_unix_listener(path) as listener:
        ready()
        await listener.serve(serve)


KINDS: dict[
    str, tuple[Callable[[str, bytes], Awaitable[None]], Callable[[str], AbstractAsyncContextManager[Trip]] | None]
] = {
    "unix": (unix_serve, unix_trip),
    "zmq": (zmq_serve, zmq_trip),
    "pyzmq": (pyzmq_serve, None),
    "stream": (stream_serve, None),
}


def on_trio() -> bool:
    import sniffio

    return sniffio.current_async_library() == "trio"


def ready() -> None:
    print("ready", flush=True)


def leave() -> None:
    """Whoever started this has ended, or wants it to."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    kind, backend, path, answer = sys.argv[1:]
    Thread(target=leave, daemon=True).start()
    anyio.run(KINDS[kind][0], path, b"x" * int(answer) if answer.isdigit() else answer.encode(), backend=backend)
