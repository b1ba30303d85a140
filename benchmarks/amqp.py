"""A link through a broker against a bare request and reply with the same codec, in processes of their own.

    python benchmarks/amqp.py [--url amqp://127.0.0.1:5672/] [--backend asyncio|trio] [--seconds 3]

The bare one has no connections, numbers, confirmations or tasks: it publishes to a queue, and reads its own until the
answer is there. Both rates come from the same run, in turns, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from time import monotonic

import anyio
from attrs import evolve
from pamqp import commands

import procctl
from procctl.service.urls import options_of
from procctl.transports.amqp.address import Address
from procctl.transports.amqp.broker import Broker
from procctl.transports.amqp.framing import Message
from procctl.transports.amqp.transport import AmqpTransport
from procctl.wire.codec import unstructure

GOAL = 0.6
QUEUE = "procctl.bench"
TURNS = 3


class Bare:
    """A queue of its own, and requests on that of another."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    @classmethod
    async def open(cls, url: str, queue: str) -> Bare:
        broker = await Broker.open(Address.read(url, options_of(url)), 1 << 20)
        await broker.ask(commands.Queue.Declare(queue=queue, exclusive=True), commands.Queue.DeclareOk)
        await broker.ask(commands.Basic.Consume(queue=queue, no_ack=True), commands.Basic.ConsumeOk)
        return cls(broker)

    async def send(self, queue: str, body: bytes, reply_to: str = "") -> None:
        properties = commands.Basic.Properties(content_type="application/json", reply_to=reply_to or None)
        await self.broker.send(self.broker.message("", queue, properties, body))

    async def receive(self) -> Message:
        while not isinstance(got := await self.broker.receive(), Message):
            pass
        return got


async def serve_bare(url: str, size: int) -> None:
    bare = await Bare.open(url, QUEUE)
    print("ready", flush=True)
    while True:
        request = await bare.receive()
        await bare.send(request.properties.reply_to or "", b"x" * size)


async def serve_link(url: str) -> None:
    listener = await AmqpTransport().listen(url, options_of(url))
    listener.traits = evolve(listener.traits, owner=True)
    async with procctl.Agent("bench", listen=[listener]) as agent:
        await agent.start("web", ["sleep", "1000"])
        print("ready", flush=True)
        await anyio.sleep_forever()


@contextmanager
def server(*arguments: str) -> Generator[None]:
    command = [sys.executable, __file__, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{arguments} did not begin")
            yield
        finally:
            process.terminate()


async def rate(trip: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Round trips a second."""
    for _ in range(30):
        await trip()
    done, begun = 0, monotonic()
    while monotonic() - begun < seconds:
        await trip()
        done += 1
    return done / (monotonic() - begun)


async def measure(url: str, backend: str, seconds: float) -> None:
    with server("--serve", "link", "--url", url, "--backend", backend):
        async with procctl.connect(url) as fleet:
            (process,) = await fleet.processes("web")
            size = len(json.dumps(unstructure(process.item))) + 60
            with server("--serve", "bare", "--url", url, "--backend", backend, "--size", str(size)):
                bare = await Bare.open(url, f"{QUEUE}.client")

                async def trip() -> None:
                    await bare.send(QUEUE, b"x" * 60, f"{QUEUE}.client")
                    await bare.receive()

                found = []
                for _ in range(TURNS):
                    found.append((await rate(lambda: fleet.processes("web"), seconds), await rate(trip, seconds)))
                await bare.broker.drop()
    ours, theirs = (max(column) for column in zip(*found, strict=True))
    print(
        f"{backend}: status of one {ours:.0f}/s, bare {theirs:.0f}/s, {ours / theirs:.2f} (goal {GOAL}); turns {found}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="amqp://127.0.0.1:5672/")
    parser.add_argument("--backend", default="asyncio")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", default="")
    parser.add_argument("--size", type=int, default=0)
    options = parser.parse_args()
    match options.serve:
        case "bare":
            anyio.run(serve_bare, options.url, options.size, backend=options.backend)
        case "link":
            anyio.run(serve_link, options.url, backend=options.backend)
        case _:
            anyio.run(measure, options.url, options.backend, options.seconds, backend=options.backend)


if __name__ == "__main__":
    main()
