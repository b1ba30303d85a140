"""What comes over a socket is read as soon as it is there, and no further than one piece ahead."""

import socket

import anyio
import pytest
from helpers import deadline

from procctl.aio.incoming import Incoming

pytestmark = pytest.mark.anyio


@pytest.fixture
def ends():
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield near, far


async def test_bytes_come_and_then_the_end(ends):
    near, far = ends
    incoming = Incoming(near)
    with deadline():
        far.send(b"one")
        assert await incoming.read() == b"one"
        far.send(b"two")
        far.close()
        assert [await incoming.read() for _ in range(3)] == [b"two", b"", b""]
    incoming.close()


async def test_who_does_not_read_holds_the_writer_back(ends):
    near, far = ends
    incoming = Incoming(near)
    with deadline():
        far.send(b"x")
        assert await incoming.read() == b"x"
        sent = 0
        for _ in range(2000):
            try:
                sent += far.send(b"y" * 65536)
            except BlockingIOError:
                await anyio.sleep(0.001)
        assert sent < 2_000_000
        got = 0
        while got < sent:
            got += len(await incoming.read())
        far.send(b"z")
        assert await incoming.read() == b"z"
    incoming.close()


async def test_a_read_that_is_cancelled_loses_nothing(ends):
    near, far = ends
    incoming = Incoming(near)
    with deadline():
        for n in range(20):
            with anyio.move_on_after(0.001 * (n % 3)):
                await incoming.read()
            far.send(b"%d;" % n)
        far.close()
        got = b""
        while piece := await incoming.read():
            got += piece
    assert got.endswith(b"19;")
    incoming.close()


async def test_whoever_reads_is_told_that_it_was_closed(ends):
    near, _ = ends
    incoming = Incoming(near)

    async def close():
        await anyio.wait_all_tasks_blocked()
        incoming.close()

    with deadline():
        async with anyio.create_task_group() as group:
            group.start_soon(close)
            with pytest.raises(anyio.ClosedResourceError):
                await incoming.read()
        with pytest.raises((anyio.ClosedResourceError, OSError)):
            await incoming.read()


async def test_a_connection_that_broke_says_so():
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.setblocking(False)
    incoming = Incoming(near)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    far.close()  # a reset, not an end
    with deadline(), near, pytest.raises(ConnectionResetError):
        await incoming.read()
    incoming.close()
