"""Links over ZeroMQ: who comes in, who goes, and what is held back."""

import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager, suppress

import anyio
import pytest
from helpers import SLEEP, deadline, until

from procctl import Agent, Controller, Denied, PeerGone, connect
from procctl.abc import Traits
from procctl.errors import BadConfig, Closed, Failed, Refused
from procctl.transports.zeromq import listener as listening_end
from procctl.transports.zeromq.messages import WINDOW
from procctl.transports.zeromq.place import tcp_place

from .zeroing import ANY, HELLO, IPC, TCP, linked, listening, raw

pytestmark = pytest.mark.anyio


async def expect_end(connection):
    """Whatever it gives, and why it ends."""
    found = []
    with deadline():
        with pytest.raises(PeerGone) as caught:
            while True:
                found.append(await connection.receive())
    return found, caught.value.message


# places ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["zmq+tcp://", "zmq+tcp://host", "zmq+tcp://127.0.0.1:x", "zmq+tcp://127.0.0.1:99999", "zmq+tcp://:1",
     "zmq+tcp://me@127.0.0.1:1", "zmq+tcp://127.0.0.1:1/path", "zmq+tcp://[::1:1"],
)  # fmt: skip
async def test_what_is_no_place(url):
    with pytest.raises(BadConfig):
        await TCP.listen(url, {})
    with pytest.raises(BadConfig):
        await TCP.connect(url, "me", {})


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.com", "[::]", "*"])
async def test_off_loopback_it_is_encrypted_or_said_to_be_insecure(host):
    url = f"zmq+tcp://{host}:7001"
    for insecure in ({}, {"insecure": "no"}):
        with pytest.raises(BadConfig, match="by anybody on the wire"):
            await TCP.listen(url, insecure)
        with pytest.raises(BadConfig, match="by anybody on the wire"):
            await TCP.connect(url, "me", insecure)


async def test_insecure_is_the_listeners_word():
    async with listening("zmq+tcp://0.0.0.0:0", insecure="yes") as listener:
        port = listener.urls[0].rpartition(":")[2]
        near = await TCP.connect(f"zmq+tcp://127.0.0.1:{port}", "me", {})
        await near.aclose()


async def test_an_address_of_another_machine():
    with pytest.raises(BadConfig, match=r"cannot listen on zmq\+tcp://192\.0\.2\.1:7001"):
        await TCP.listen("zmq+tcp://192.0.2.1:7001", {"insecure": "yes"})


async def test_a_port_that_is_taken():
    async with listening() as listener:
        with pytest.raises(BadConfig, match="Address already in use"):
            await TCP.listen(listener.urls[0], {})


async def test_ipv6():
    async with listening("zmq+tcp://[::1]:0") as listener, linked(listener) as (near, far):
        await near.send(b"one")
        assert await far.receive() == b"one"


async def test_nobody_listens(place):
    async with listening() as listener:
        pass
    with deadline(), pytest.raises(PeerGone, match="nobody listens there"):
        await TCP.connect(listener.urls[0], "me", {})
    with deadline(), pytest.raises(PeerGone, match="nobody listens there"):
        await IPC.connect(f"zmq+ipc://{place}/s", "me", {})


async def test_connecting_can_be_cancelled():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with anyio.move_on_after(0.05) as scope:
            await TCP.connect(f"zmq+tcp://127.0.0.1:{silent.getsockname()[1]}", "me", {})
        assert scope.cancelled_caught


async def test_what_is_no_zeromq():
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as other, anyio.create_task_group() as group:
        port = other.extra(anyio.abc.SocketAttribute.local_port)

        async def answer(stream):
            async with stream:
                await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)

        group.start_soon(other.serve, answer)
        with deadline(), pytest.raises(PeerGone, match=f"cannot connect to .*:{port}: "):
            await TCP.connect(f"zmq+tcp://127.0.0.1:{port}", "me", {})
        group.cancel_scope.cancel()


# frames ---------------------------------------------------------------------------------------------------------


async def test_a_thousand_both_ways():
    frames = [b'{"n": %d}' % n for n in range(1000)]

    async def send(end):
        for frame in frames:
            await end.send(frame)

    async def receive(end):
        assert [await end.receive() for _ in frames] == frames

    async with listening() as listener, linked(listener) as ends, anyio.create_task_group() as group:
        for end in ends:
            group.start_soon(send, end)
            group.start_soon(receive, end)


async def test_a_slow_reader_holds_up_nobody_else():
    async with listening() as listener, linked(listener) as (_, slow), linked(listener) as (quick, other):
        sent = 0

        async def flood():
            nonlocal sent
            while True:
                await slow.send(b"x")
                sent += 1

        async with anyio.create_task_group() as group:
            group.start_soon(flood)
            for n in range(300):
                await other.send(b"%d" % n)
                assert await quick.receive() == b"%d" % n
            assert sent == WINDOW
            group.cancel_scope.cancel()


async def test_what_was_said_before_leaving_is_heard():
    async with listening() as listener, linked(listener) as (near, far):
        for n in range(WINDOW):
            await near.send(b"%d" % n)
        await near.aclose()
        found, why = await expect_end(far)
        assert (len(found), why) == (WINDOW, "me has closed the connection")


async def test_a_connection_outlives_its_listener():
    async with listening() as listener, linked(listener) as (near, far):
        await listener.aclose()
        with pytest.raises(Closed):
            await listener.accept()
        late = await TCP.connect(listener.urls[0], "late", {})
        async with anyio.create_task_group() as group:
            group.start_soon(near.send, b"still")
            assert await far.receive() == b"still"
            group.start_soon(expect_end, far)
            assert "nobody listens any more" in (await expect_end(late))[1]
            await late.aclose()
            await near.aclose()
    async with listening(listener.urls[0]):  # and the port is free again
        pass


async def test_several_listeners_in_one_program():
    async with listening() as one, listening() as other, linked(one) as (a, b), linked(other) as (c, d):
        await a.send(b"one")
        await c.send(b"other")
        assert (await b.receive(), await d.receive()) == (b"one", b"other")


# peers that do not keep to it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([b'd{"id": 1, "command": "status"}'], b"bhello is the first message"),
        ([b"garbage"], b"bhello is the first message"),
        ([b""], b"bhello is the first message"),
        ([HELLO, b"more"], b"ba message of one part"),
        ([b"h"], b"ba hello that is no JSON"),
        ([b"h" + b"[" * 4000], b"ba hello that is no JSON"),
        ([b"h" + b" " * 5000], b"ba hello of 5000 bytes"),
        ([b"h[]"], b"bversion None"),
        ([b'h{"v": 2}'], b"bversion 2"),
        ([b'h{"v": true}'], b"bversion True"),
        ([b'h{"v": 1}'], b"ba hello without max_frame"),
        ([b'h{"v": 1, "max_frame": "1"}'], b"ba hello without max_frame"),
        ([b'h{"v": 1, "max_frame": 1, "name": "x"}'], b"ba hello without max_frame"),
        ([b'h{"v": 1, "max_frame": 1024, "name": 7}'], b"ba hello with a name"),
    ],
)
async def test_no_way_in_without_a_hello(said, answer):
    async with listening() as listener, anyio.create_task_group() as group:
        group.start_soon(expect_closed, listener)
        with raw(listener.urls[0]) as peer, deadline():
            await peer.send(*said)
            assert (await peer.receive()).startswith(answer)
        await listener.aclose()


async def expect_closed(listener):
    with pytest.raises(Closed):
        await listener.accept()


@pytest.mark.parametrize("route", [b"me", b"\x01abcd", b"x" * 255])
async def test_a_routing_id_of_ones_own_is_refused(route):
    import zmq

    async with listening() as listener, anyio.create_task_group() as group:
        group.start_soon(expect_closed, listener)
        with raw(listener.urls[0], {zmq.ROUTING_ID: route}) as peer, deadline():
            await peer.send(HELLO)
            assert b"a routing id of its own" in await peer.receive()
        await listener.aclose()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([b"dx"] * (WINDOW + 1), "more frames than there was credit for"),
        ([b"c1"], "credit for frames that were never sent"),
        ([b"c-1"], "a number was expected"),
        ([b"x"], "a number was expected"),
        ([b"c" + b"9" * 100], "a number was expected"),
    ],
)
async def test_who_breaks_the_rules_is_shown_out_and_nobody_else(said, why):
    async with listening() as listener, linked(listener) as (near, far):
        with raw(listener.urls[0]) as peer, deadline():
            await peer.send(HELLO)
            bad = await listener.accept()
            for message in said:
                await peer.send(message)
            async with anyio.create_task_group() as group:
                group.start_soon(listener.accept)  # somebody takes in what comes, and nobody reads it
                assert (await peer.receive())[:1] == b"w"
                assert why.encode() in await peer.receive()
                group.cancel_scope.cancel()
            found, text = await expect_end(bad)
            assert (found in ([], [b"x"] * WINDOW), why in text) == (True, True)
            await near.send(b"still")
            assert await far.receive() == b"still"
            await bad.aclose()


async def test_a_frame_that_is_too_long_ends_the_link_of_who_sends_it():
    async with listening(max_frame="1024") as listener, linked(listener) as (near, far):
        with raw(listener.urls[0]) as peer, deadline():
            await peer.send(HELLO)
            bad = await listener.accept()
            await peer.send(b"d" + b"x" * 2000)
            assert await expect_end(bad) == ([], "raw is gone")
            await bad.aclose()
            await near.send(b"still")
            assert await far.receive() == b"still"


async def test_what_is_not_known_is_ignored():
    async with listening() as listener:
        with raw(listener.urls[0]) as peer, deadline():
            await peer.send(HELLO)
            far = await listener.accept()
            await peer.send(b"?later")
            await peer.send(b"")
            await peer.send(b"done")
            assert await far.receive() == b"one"
            await far.aclose()


async def test_a_second_hello_is_somebody_new():
    async with listening() as listener:
        with raw(listener.urls[0]) as peer, deadline():
            await peer.send(HELLO)
            old = await listener.accept()
            await peer.send(b"dold")
            await peer.send(HELLO)
            new = await listener.accept()
            await peer.send(b"dnew")
            assert await new.receive() == b"new"
            assert await expect_end(old) == ([b"old"], "raw was replaced by another over the same socket")
            await old.aclose()
            await new.send(b"for the new one")
            assert [await peer.receive() for _ in range(3)][2] == b"dfor the new one"
            await new.aclose()


# peers that die -------------------------------------------------------------------------------------------------

PEER = """
import anyio, sys
from procctl.transports.zeromq.transport import ZmqTcpTransport
async def main():
    near = await ZmqTcpTransport().connect(sys.argv[1], "peer", {})
    await near.send(b"here")
    await anyio.sleep_forever()
anyio.run(main)
"""


@contextmanager
def another(url):
    """A peer in a process of its own, that ends with the block, stopped or not."""
    peer = subprocess.Popen([sys.executable, "-c", PEER, url])
    try:
        yield peer
    finally:
        peer.kill()
        peer.wait()


async def test_a_killed_peer_is_noticed_at_once_and_by_itself():
    async with listening() as listener, linked(listener) as (near, far):
        with another(listener.urls[0]) as peer:
            with deadline():
                doomed = await listener.accept()
                assert await doomed.receive() == b"here"
                peer.kill()
                begun = anyio.current_time()
                assert await expect_end(doomed) == ([], "peer is gone")
                assert anyio.current_time() - begun < 3
                await doomed.aclose()
        await near.send(b"still")
        assert await far.receive() == b"still"


async def test_one_that_sleeps_keeps_its_link():
    async with listening() as listener:
        with another(listener.urls[0]) as peer:
            with deadline():
                sleeper = await listener.accept()
                assert await sleeper.receive() == b"here"
                peer.send_signal(signal.SIGSTOP)
                with anyio.move_on_after(0.3) as scope:
                    await sleeper.receive()
                peer.send_signal(signal.SIGCONT)
                assert scope.cancelled_caught
                await sleeper.send(b"x")
                await sleeper.aclose()


# fleets ---------------------------------------------------------------------------------------------------------


async def owned(url=ANY):
    """A listener whose peers are the owner: what a door decides is tested elsewhere."""
    return await listening_end.listen(tcp_place(url, {}, listening=True), Traits(owner=True))


async def test_without_credentials_nobody_is_let_in():
    with pytest.raises(BadConfig, match="lets nobody in"):
        async with Agent(listen=[ANY]):
            pass


async def test_what_those_without_a_credential_may_is_said_on_the_listener():
    async with Agent(listen=[f"{ANY}?as=viewer"]) as agent:
        with deadline():
            async with connect(agent.urls[0]) as fleet:
                assert await fleet.processes() == []
                with pytest.raises(Denied):
                    await fleet.start("web", SLEEP)


async def test_agents_controllers_and_clients():
    with deadline():
        async with (
            Controller(listen=[await owned()]) as controller,
            Agent("north", join=controller.urls[0]) as north,
            Agent("south", join=controller.urls[0]),
            connect(controller.urls[0]) as fleet,
        ):
            web = await fleet.start("web", ["sh", "-c", "echo up; exec sleep 1000"], hostname="north")
            async with web.logs(follow=True) as lines:
                assert (await anext(lines)).text == "up"
            assert (await north.process("web")).pid == web.pid
            assert {process.name for process in await fleet.processes()} == {"web"}
            await fleet.kill("web")


async def test_an_agent_that_starts_again_under_load():
    done = 0

    async def work(fleet):
        nonlocal done
        while True:
            with suppress(Refused, Failed):  # it was in the middle of leaving
                await fleet.signal("SIGCONT", "web")
                done += 1

    async def progress():
        before = done
        await until(lambda: done > before + 5)

    async def serve(listener, *, task_status):
        async with Agent("here", listen=[listener]) as agent:
            await agent.start("web", SLEEP)
            task_status.started()
            await over.wait()
        left.set()

    listener = await owned()
    url = listener.urls[0]
    over, left = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as group:
        await group.start(serve, listener)
        async with connect(url) as fleet:
            group.start_soon(work, fleet)
            for _ in range(2):
                await progress()
                over.set()
                with deadline():
                    await left.wait()
                    over, left = anyio.Event(), anyio.Event()
                    await group.start(serve, await owned(url))
            await progress()
            group.cancel_scope.cancel()


# files ----------------------------------------------------------------------------------------------------------


async def test_only_its_owner_can_use_a_file(place):
    async with Agent("here", listen=[f"zmq+ipc://{place}/s"]) as agent:
        mode = (place / "s").stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode), agent.urls) == (True, 0o600, (f"zmq+ipc://{place}/s",))
        with deadline():
            async with connect(f"zmq+ipc://{place}/s") as fleet:
                assert (await fleet.info()).name == "here"
    assert not (place / "s").exists()


async def test_the_kernel_is_asked_who_comes(place, monkeypatch):
    monkeypatch.setattr(listening_end, "_welcome_uids", lambda: {4711})
    async with listening(f"zmq+ipc://{place}/s") as listener, anyio.create_task_group() as group:
        group.start_soon(expect_closed, listener)
        with deadline(), pytest.raises(PeerGone, match="cannot connect to"):
            await IPC.connect(listener.urls[0], "me", {})
        await listener.aclose()


async def test_two_agents_never_share_a_file(place):
    async with Agent(listen=[f"zmq+ipc://{place}/s"]):
        for scheme in ("zmq+ipc", "unix"):
            with pytest.raises(BadConfig, match="another agent or controller listens on"):
                async with Agent(listen=[f"{scheme}://{place}/s"]):
                    pass


async def test_what_a_killed_agent_has_left_is_replaced(place):
    script = f"""
import anyio, os
from procctl import Agent
async def main():
    async with Agent(listen=["zmq+ipc://{place}/s"]):
        os.kill(os.getpid(), 9)
anyio.run(main)
"""
    with deadline():
        await anyio.to_thread.run_sync(lambda: subprocess.run([sys.executable, "-c", script], timeout=20, check=False))
        assert (place / "s").exists()
        async with listening(f"zmq+ipc://{place}/s") as listener, linked(listener) as (near, far):
            await near.send(b"one")
            assert await far.receive() == b"one"


async def test_a_file_has_no_keys(place):
    with pytest.raises(BadConfig, match="key= on"):
        await IPC.listen(f"zmq+ipc://{place}/s", {"key": "x"})
    assert os.listdir(place) == []
