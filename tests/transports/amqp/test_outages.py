"""A broker that is killed under load and started again: every command answered once, nothing lost, nothing twice.

One round for each loop here; `nox -s outages` does a hundred.
"""

import os
from collections import Counter

import anyio
import pytest
from anyio.to_thread import run_sync

from procctl.abc import Call, Pending
from procctl.core.messages import Batch, Hello, Restart, Welcome
from procctl.link.line import Line
from procctl.link.reception import owner
from procctl.link.session import Session
from procctl.service.urls import options_of
from procctl.transports.amqp import connection as connections
from procctl.transports.amqp.transport import AmqpTransport

from .conftest import address

ROUNDS = int(os.environ.get("PROCCTL_OUTAGES", "1"))
CALLERS = 8
MORE = 40
"""Answers between outages."""
SLOW = 240.0
"""Seconds that a broker may take to come up on a busy machine."""

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(120 + 240 * ROUNDS), pytest.mark.in_turn]

transport = AmqpTransport()


async def until(condition):
    """Wait for a condition."""
    with anyio.fail_after(SLOW):
        while not condition():
            await anyio.sleep(0.01)


class Counting:
    """Counts whatever arrives, keys or not; answers at once, or a little later."""

    def __init__(self, group):
        self.seen = Counter()
        self.group = group

    def submit(self, call):
        self.seen[call.request.name] += 1
        pending = Pending()
        self.group.start_soon(self.settle, pending, len(self.seen) % 3 * 0.01)
        return pending

    async def settle(self, pending, seconds):
        await anyio.sleep(seconds)
        pending.settle(Batch())


async def serve(listener, service, group, heartbeat=5):
    while True:
        connection = await listener.accept()
        group.start_soon(Session(connection, lambda *_: (service, Welcome(name="top", role="agent")), owner).run)


class Frames:
    """Numbers that go both ways. Attributes: seen: How many have arrived, each in its place, by direction."""

    def __init__(self, near, far):
        self.ends = {"near": near, "far": far}
        self.seen = {"near": 0, "far": 0}
        self.over = anyio.Event()

    async def run(self):
        async with anyio.create_task_group() as group:
            for name, connection in self.ends.items():
                group.start_soon(self.send, connection)
                group.start_soon(self.receive, connection, name)

    async def send(self, connection):
        number = 0
        while not self.over.is_set():
            await connection.send(b"%d" % number)
            number += 1
        await connection.send(b"end")

    async def receive(self, connection, name):
        while (frame := await connection.receive()) != b"end":
            assert int(frame) == self.seen[name]
            self.seen[name] += 1

    @property
    def suspended(self):
        return all(connection.suspended for connection in self.ends.values())


class Commands:
    """Several who ask, over one line. Attributes: answered: How often each command was. dialled: Connections."""

    def __init__(self, url):
        self.url = url
        self.answered = Counter()
        self.dialled = 0

    async def run(self, *, task_status):
        service, welcome = Counting(None), Welcome(name="client", role="agent")
        line = Line(self.dial, lambda: Hello(name="client", heartbeat=5), lambda *_: (service, welcome))
        async with anyio.create_task_group() as group:
            await group.start(line.run)
            for caller in range(CALLERS):
                group.start_soon(self.ask, line, caller)
            task_status.started()

    async def dial(self):
        self.dialled += 1
        return await transport.connect(self.url, "client", options_of(self.url))

    async def ask(self, line, caller):
        for number in range(1_000_000):
            name = f"c{caller}.{number}"
            reply = await line.submit(Call(request=Restart(name=name))).wait()
            assert isinstance(reply, Batch), reply
            self.answered[name] += 1


async def test_killed_under_load(broken, monkeypatch):
    """Sessions live through it: nobody dials a second time, so commands without a key are carried out once too."""
    monkeypatch.setattr(connections, "AFTER_OUTAGE", SLOW)
    raw, served = [address(broken.port, name=name, patience=SLOW) for name in ("raw", "served")]
    one, two = [await transport.listen(url, options_of(url)) for url in (raw, served)]
    near = await transport.connect(raw, "near", options_of(raw))
    frames, commands = Frames(near, await one.accept()), Commands(served)

    async def more():
        answered, seen = len(commands.answered), dict(frames.seen)
        await until(lambda: len(commands.answered) >= answered + MORE)
        await until(lambda: all(frames.seen[name] >= seen[name] + MORE for name in seen))

    async with anyio.create_task_group() as group:
        service = Counting(group)
        group.start_soon(serve, two, service, group)
        await group.start(commands.run)
        async with anyio.create_task_group() as both:
            both.start_soon(frames.run)
            for _ in range(ROUNDS):
                await more()
                await run_sync(broken.kill)
                await until(lambda: frames.suspended)
                await run_sync(broken.start)
            await more()
            frames.over.set()
        group.cancel_scope.cancel()
    answered, seen = commands.answered, service.seen
    assert (commands.dialled, {*answered.values()}, {*seen.values()}) == (1, {1}, {1})
    assert answered.keys() <= seen.keys()
    assert len(seen) - len(answered) <= CALLERS
    for connection in frames.ends.values():
        await connection.aclose()
    await one.aclose()
    await two.aclose()


async def test_a_broker_that_takes_nothing(broken):
    """Sending waits, nobody counts as gone, and all arrives when the broker has memory again."""
    url = address(broken.port)
    listener = await transport.listen(url, options_of(url))
    near = await transport.connect(url, "near", options_of(url))
    far = await listener.accept()
    await run_sync(broken.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        await near.send(b"0")
        await until(lambda: near.suspended)
        with anyio.move_on_after(3) as scope:
            await near.send(b"1")
        assert scope.cancelled_caught
        assert near.suspended
    finally:
        await run_sync(broken.ctl, "set_vm_memory_high_watermark", "absolute", "4GB")
    await near.send(b"2")
    assert [await far.receive(), await far.receive()] == [b"0", b"2"]
    await until(lambda: not near.suspended)
    for part in (near, far, listener):
        await part.aclose()
