"""procctl.child by itself: what it takes from the environment, and what it does where nobody supervises."""

import json
import os
import socket
import subprocess
import sys
import threading

import anyio
import pytest
from helpers import deadline

from procctl import child

CHANNEL = ("PROCCTL_CHANNEL_FD", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE")


class Far:
    """The supervisor's end, by hand."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")

    def say(self, *messages):
        self.sock.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def hear(self):
        return json.loads(self.file.readline())

    def close(self):
        self.file.close()
        self.sock.close()


@pytest.fixture
def channel(monkeypatch):
    """What a supervisor would give; the fixture is its far end."""
    here, there = socket.socketpair()
    here.settimeout(10)
    fd = there.detach()
    os.set_inheritable(fd, True)
    monkeypatch.setenv("PROCCTL_CHANNEL_FD", str(fd))
    far = Far(here)
    far.fd = fd
    yield far
    far.close()


@pytest.mark.anyio
async def test_requests_and_answers(channel):
    with deadline():
        async with child.attach() as parent:
            assert parent.attached
            channel.say("startRequest", {"what": "ever"}, None, "stopRequest", "shutdown")
            channel.say({"procctl": "request", "id": 7, "action": "flush", "data": [1]})
            seen = []
            async for request in parent.requests():
                seen.append((request.action, request.data))
                if request.action == "flush":
                    await request.done({"left": 0})
                    break
                await request.done()
    heard = [channel.hear() for _ in range(3)]
    assert seen == [("start", None), ("stop", None), ("shutdown", None), ("flush", [1])]
    assert heard == ["workerStarted", "workerStopped", {"procctl": "answer", "id": 7, "data": {"left": 0}}]


@pytest.mark.anyio
async def test_refusals_status_metrics_ready(channel):
    with deadline():
        async with child.attach() as parent:
            await parent.ready()
            parent.status("warm")
            parent.metrics({"jobs": 3})
            channel.say("stopRequest", {"procctl": "request", "id": 1, "action": "dance"})
            async for request in parent.requests():
                await request.refuse("no")
                if request.action == "dance":
                    break
    assert [channel.hear() for _ in range(5)] == [
        {"procctl": "ready"},
        {"procctl": "status", "text": "warm"},
        {"procctl": "metrics", "values": {"jobs": 3}},
        {"procctl": "refused", "action": "stop", "why": "no"},
        {"procctl": "answer", "id": 1, "refused": "no"},
    ]


@pytest.mark.anyio
async def test_a_request_that_comes_later_and_the_end(channel):
    async with child.attach() as parent, anyio.create_task_group() as group:
        with deadline():
            seen = []

            async def read():
                async for request in parent.requests():
                    seen.append(request.action)

            group.start_soon(read)
            await anyio.sleep(0.05)
            channel.sock.sendall(b'"start')
            await anyio.sleep(0.02)
            channel.sock.sendall(b'Request"\n')
            while not seen:
                await anyio.sleep(0.01)
            channel.close()
    assert seen == ["start"]


@pytest.mark.anyio
async def test_a_reader_that_is_cancelled_loses_nothing(channel):
    with deadline():
        async with child.attach() as parent:
            with anyio.move_on_after(0.05):
                async for _ in parent.requests():
                    pass
            channel.say("startRequest")
            async for request in parent.requests():
                assert request.action == "start"
                break


@pytest.mark.anyio
async def test_a_supervisor_that_does_not_read_gets_the_newest_status(channel):
    with deadline():
        async with child.attach() as parent:
            for i in range(100_000):
                parent.status(f"{i:100}")
            reader = threading.Thread(target=lambda: heard.extend(iter(channel.hear, "workerStopped")))
            heard = []
            reader.start()
            channel.say("stopRequest")
            async for request in parent.requests():
                await request.done()
                break
            await anyio.to_thread.run_sync(reader.join)
    texts = [int(message["text"]) for message in heard]
    assert (texts[-1], texts == sorted(texts), len(texts) < 100_000) == (99_999, True, True)


def test_threads(channel):
    def supervise():
        channel.say("startRequest")
        assert channel.hear() == "workerStarted"
        channel.say({"procctl": "request", "id": 2, "action": "sum", "data": [1, 2]})
        assert channel.hear() == {"procctl": "answer", "id": 2, "data": 3}
        channel.close()

    far = threading.Thread(target=supervise)
    far.start()
    with child.attach_blocking() as parent:
        for request in parent.requests():
            request.done(sum(request.data) if request.data else None)
    far.join()


def test_it_takes_the_variables_and_grandchildren_do_not_get_the_channel(channel):
    with child.attach_blocking() as parent:
        assert parent.attached
        assert not any(name in os.environ for name in CHANNEL)
        assert not os.get_inheritable(channel.fd)
        with child.attach_blocking() as second:
            assert not second.attached
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(channel.fd)


def test_nodes_variable_will_do(channel, monkeypatch):
    monkeypatch.setenv("NODE_CHANNEL_FD", os.environ["PROCCTL_CHANNEL_FD"])
    monkeypatch.delenv("PROCCTL_CHANNEL_FD")
    with child.attach_blocking() as parent:
        assert parent.attached


@pytest.mark.parametrize("value", ["", "x", "-1", "99999", "9" * 40, "1.5", "²"])
def test_what_is_no_channel(monkeypatch, value):
    monkeypatch.setenv("PROCCTL_CHANNEL_FD", value)
    with child.attach_blocking() as parent:
        assert not parent.attached


def test_a_descriptor_of_something_else_is_left_alone(monkeypatch):
    read, write = os.pipe()
    monkeypatch.setenv("PROCCTL_CHANNEL_FD", str(read))
    with child.attach_blocking() as parent:
        assert not parent.attached
    os.close(read)
    os.close(write)


@pytest.mark.anyio
async def test_nobody_supervises():
    with deadline():
        async with child.attach() as parent:
            await parent.ready()
            parent.status("alone")
            parent.metrics({"a": 1})
            assert [request async for request in parent.requests()] == []
    with child.attach_blocking() as blocking:
        blocking.ready()
        assert list(blocking.requests()) == []


def test_numbers_that_are_none(channel):
    with child.attach_blocking() as parent:
        with pytest.raises(ValueError, match="JSON"):
            parent.metrics({"a": float("nan")})
        parent.metrics({"a": 1.0})
    assert channel.hear() == {"procctl": "metrics", "values": {"a": 1.0}}


@pytest.mark.anyio
async def test_one_reader_at_a_time(channel):
    with deadline():
        async with child.attach() as parent, anyio.create_task_group() as group:
            group.start_soon(parent.request)
            await anyio.sleep(0.05)
            with pytest.raises(RuntimeError, match="one reader"):
                await parent.request()
            group.cancel_scope.cancel()


def test_it_loads_no_loop():
    code = "import sys, procctl.child; print(sorted({'asyncio', 'trio', 'anyio', 'attr'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
