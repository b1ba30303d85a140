"""Sockets that only their owner can use, and that no two agents share."""

import os
import socket
import stat
import subprocess
import sys

import anyio
import pytest
from helpers import Raw, deadline

from procctl import Agent, PeerGone, connect
from procctl.errors import BadConfig, Closed
from procctl.transports.unix import UnixTransport

pytestmark = pytest.mark.anyio

unix = UnixTransport()


async def listen(path, **options):
    return await unix.listen(f"unix://{path}", options)


async def test_only_its_owner_can_use_it(place):
    async with Agent(listen=[f"unix://{place}/s"]) as agent:
        mode = (place / "s").stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode), agent.urls) == (True, 0o600, (f"unix://{place}/s",))
        assert stat.S_IMODE((place / "s.lock").stat().st_mode) == 0o600


async def test_the_umask_is_left_alone(place):
    mask = os.umask(0o022)
    try:
        async with Agent(listen=[f"unix://{place}/s"]):
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)


async def test_it_is_taken_away_at_the_end(place):
    async with Agent(listen=[f"unix://{place}/s"]):
        pass
    assert not (place / "s").exists()
    async with Agent(listen=[f"unix://{place}/s"]):  # and may be used again
        pass


async def test_what_a_killed_agent_has_left_is_replaced(place):
    script = f"""
import anyio, os
from procctl import Agent
async def main():
    async with Agent(listen=["unix://{place}/s"]):
        os.kill(os.getpid(), 9)
anyio.run(main)
"""
    with deadline():
        await anyio.to_thread.run_sync(lambda: subprocess.run([sys.executable, "-c", script], timeout=20, check=False))
        assert (place / "s").exists()
        async with Agent("second", listen=[f"unix://{place}/s"]), connect(f"unix://{place}/s") as fleet:
            assert (await fleet.info()).name == "second"


async def test_two_agents_never_share_one(place):
    with deadline():
        async with Agent("first", listen=[f"unix://{place}/s"]):
            with pytest.raises(BadConfig, match="another agent or controller listens on"):
                async with Agent("second", listen=[f"unix://{place}/s"]):
                    pass
            async with connect(f"unix://{place}/s") as fleet:
                assert (await fleet.info()).name == "first"


async def test_another_programs_socket_is_left_alone(place):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{place}/s")
        other.listen()
        with pytest.raises(BadConfig, match="another program listens on"):
            await listen(place / "s")
        assert (place / "s").exists()


async def test_what_is_no_socket_is_left_alone(place):
    (place / "s").write_text("precious")
    with pytest.raises(BadConfig, match="exists and is no socket"):
        await listen(place / "s")
    assert (place / "s").read_text() == "precious"


async def test_a_path_that_is_too_long(place):
    with pytest.raises(BadConfig, match="too long"):
        await listen(place / ("x" * 107))
    with pytest.raises(BadConfig, match="too long"):
        await unix.connect(f"unix://{place}/{'x' * 107}", "me", {})


async def test_a_folder_that_is_not_there(place):
    with pytest.raises(BadConfig, match="No such file or directory"):
        await listen(place / "no" / "s")


async def test_no_path():
    with pytest.raises(BadConfig, match="names no path"):
        await unix.listen("unix://", {})


@pytest.mark.parametrize("text", ["", "x", "10", "-1", "1e9", "99999999999"])
async def test_a_frame_size_that_cannot_be(text, place):
    with pytest.raises(BadConfig, match="max_frame"):
        await listen(place / "s", max_frame=text)


async def test_quoted_paths(place):
    (place / "a b").mkdir()
    async with Agent(listen=[f"unix://{place}/a%20b/s"]):
        assert (place / "a b" / "s").exists()


async def test_a_failed_entry_leaves_nothing(place):
    with pytest.raises(BadConfig):
        async with Agent(listen=[f"unix://{place}/one", f"unix://{place}/no/two"]):
            pass
    assert not (place / "one").exists()
    await (await listen(place / "one")).aclose()


async def test_the_kernel_says_who_the_peer_is(place):
    listener = await listen(place / "s")
    with deadline():
        client = await unix.connect(f"unix://{place}/s", "me", {})
        server = await listener.accept()
        assert (client.peer.identity, server.peer.identity) == (f"uid:{os.getuid()}",) * 2
        await client.aclose()
        with pytest.raises(PeerGone):
            await server.receive()
        await server.aclose()
        await server.aclose()
    await listener.aclose()


async def test_another_user_is_refused(place, monkeypatch):
    monkeypatch.setattr("procctl.transports.unix.peer_uid", lambda sock: 4711)
    async with Agent(listen=[f"unix://{place}/s"]):
        with deadline():
            raw = await Raw.connect(place / "s")
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await raw.ask(id=1, command="status")
            await raw.stream.aclose()


async def test_closing_ends_a_wait(place):
    listener = await listen(place / "s")
    with deadline():
        async with anyio.create_task_group() as group:
            group.start_soon(expect_closed, listener)
            await anyio.sleep(0.05)
            await listener.aclose()


async def expect_closed(listener):
    with pytest.raises(Closed):
        await listener.accept()


async def test_large_frames_both_ways(place):
    listener = await listen(place / "s", max_frame="20000000")
    with deadline():
        client = await unix.connect(f"unix://{place}/s", "me", {})
        server = await listener.accept()
        frame = b"x" * 10_000_000
        for one, other in ((client, server), (server, client)):
            async with anyio.create_task_group() as group:
                group.start_soon(one.send, frame)
                assert await other.receive() == frame
        await client.aclose()
        await server.aclose()
    await listener.aclose()
