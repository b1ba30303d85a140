"""Keys: who a peer is, is proven; who has none, or another one, does not come in."""

import anyio
import pytest
import zmq
from helpers import deadline

from procctl import Denied, PeerGone
from procctl.core.rights import OWNER
from procctl.errors import BadConfig
from procctl.link.door import Door, Grant

from .zeroing import ANY, TCP, key, linked, listening, raw

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(place):
    return key(place, "server")


@pytest.fixture
def client(place):
    return key(place, "client")


def keyed(place, **options):
    """A listener with the server's key."""
    return listening(key=f"{place}/server", **options)


async def test_a_key_is_an_identity(place, server, client):
    async with keyed(place) as listener:
        assert listener.urls[0].endswith(f"?server={server.public}")
        async with linked(listener, key=f"{place}/client", server=server.public) as (near, far):
            assert far.peer.identity == f"curve:{client.public}"
            assert near.peer.identity == f"curve:{server.public}"
            await near.send(b"one")
            assert await far.receive() == b"one"


async def test_what_it_may_is_the_doors_matter(place, server, client):
    class Known:
        def by_token(self, token):
            return None

        def by_identity(self, identity):
            return Grant(name="bob", roles=OWNER) if identity == f"curve:{client.public}" else None

    door = Door(credentials=Known())
    async with keyed(place) as listener:
        async with linked(listener, key=f"{place}/client", server=server.public) as (_, far):
            assert door.admit(far.peer).roles == OWNER
        async with linked(listener, server=server.public) as (_, far):
            with pytest.raises(Denied):
                door.admit(far.peer)


async def test_without_a_key_one_is_nobody_in_particular_each_time(place, server):
    async with keyed(place) as listener:
        seen = set()
        for _ in range(2):
            async with linked(listener, server=server.public) as (_, far):
                seen.add(far.peer.identity)
    assert len(seen) == 2


async def test_a_key_that_is_not_listed_is_refused_in_the_handshake(place, server, client):
    (place / "known").write_text(f"# ours\n\n{client.public} web-01\n")
    key(place, "other")
    async with keyed(place, clients=f"{place}/known") as listener:
        for options in ({"key": f"{place}/other"}, {}):
            with deadline(), pytest.raises(Denied, match="does not know our key") as caught:
                await TCP.connect(listener.urls[0], "me", {"server": server.public, **options})
            assert caught.value.code == "unauthorized"
        async with linked(listener, key=f"{place}/client", server=server.public) as (_, far):
            assert far.peer.identity == f"curve:{client.public}"


async def test_a_listener_with_another_key_is_not_trusted(place, server, client):
    async with keyed(place) as listener:
        with deadline(), pytest.raises(PeerGone, match="its key is another one"):
            await TCP.connect(listener.urls[0], "me", {"key": f"{place}/client", "server": client.public})


async def test_both_or_none(place, server):
    async with keyed(place) as listener, listening() as plain:
        with deadline(), pytest.raises(PeerGone, match="only one of the two ends has keys"):
            await TCP.connect(listener.urls[0], "me", {})
        with deadline(), pytest.raises(PeerGone, match="only one of the two ends has keys"):
            await TCP.connect(plain.urls[0], "me", {"server": server.public})


async def test_nothing_can_be_read_on_the_wire(place, server):
    """Between the two is somebody who copies all that passes."""
    copied = bytearray()

    async def serve(client):
        async with client, await anyio.connect_tcp("127.0.0.1", behind) as beyond, anyio.create_task_group() as both:
            both.start_soon(passing, client, beyond)
            both.start_soon(passing, beyond, client)

    async def passing(source, sink):
        try:
            async for data in source:
                copied.extend(data)
                await sink.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass

    for options in ({"server": server.public}, {}):
        copied.clear()
        async with (
            keyed(place) if options else listening() as listener,
            await anyio.create_tcp_listener(local_host="127.0.0.1") as between,
            anyio.create_task_group() as group,
        ):
            behind = int(listener.urls[0].partition("?")[0].rpartition(":")[2])
            group.start_soon(between.serve, serve)
            port = between.extra(anyio.abc.SocketAttribute.local_port)
            near = await TCP.connect(f"zmq+tcp://127.0.0.1:{port}", "me", options)
            far = await listener.accept()
            await near.send(b"a secret word")
            assert await far.receive() == b"a secret word"
            assert (b"a secret word" in copied) == (not options)
            await near.aclose()
            await far.aclose()
            group.cancel_scope.cancel()


async def test_each_message_is_compared_with_the_key_of_its_link(place, server, client):
    """Were an id ever taken over by another key, nothing would be done on the word of the first."""
    async with keyed(place) as listener:
        async with linked(listener, key=f"{place}/client", server=server.public) as (near, far):
            far.peer = type(far.peer)(name="me", identity="curve:" + "0" * 64)
            await near.send(b"one")
            with deadline():
                async with anyio.create_task_group() as group:
                    group.start_soon(expect_nothing, far)
                    with pytest.raises(PeerGone, match="hello is the first message"):
                        await near.receive()
                    group.cancel_scope.cancel()


async def expect_nothing(far):
    raise AssertionError(await far.receive())


async def test_a_handshake_of_nonsense(place, server):
    async with keyed(place) as listener:
        with raw(listener.urls[0], {zmq.PLAIN_USERNAME: b"root", zmq.PLAIN_PASSWORD: b"x"}) as peer:
            await peer.send(b"hello")
            async with linked(listener, server=server.public) as (near, far):
                await near.send(b"one")
                assert await far.receive() == b"one"


# files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (None, 0o600, "No such file"),
        ("", 0o600, "holds no secret key"),
        ("x" * 64, 0o600, "holds no secret key"),
        ("a" * 63, 0o600, "holds no secret key"),
        ("a" * 64, 0o640, "can be read by others"),
        ("a" * 64, 0o604, "can be read by others"),
        (b"\xff\xfe", 0o600, "it is no text"),
    ],
)
async def test_a_key_that_cannot_be_used(place, content, mode, text):
    path = place / "key"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
    with pytest.raises(BadConfig, match=text):
        await TCP.listen(ANY, {"key": str(path)})


@pytest.mark.parametrize(
    ("options", "text"),
    [({"server": "a" * 64}, "server= on the listener"), ({"clients": "x"}, "clients= without key="),
     ({"key": "KEY", "clients": "NO"}, "No such"),
     ({"key": "KEY", "clients": "BAD"}, "bad, line 2: 'x' is no public key")],
)  # fmt: skip
async def test_options_of_a_listener_that_cannot_be(place, server, options, text):
    (place / "bad").write_text("# notes\nx\n")
    names = {"KEY": f"{place}/server", "BAD": f"{place}/bad", "NO": f"{place}/no"}
    with pytest.raises(BadConfig, match=text):
        await TCP.listen(ANY, {name: names.get(value, value) for name, value in options.items()})


@pytest.mark.parametrize(
    ("options", "text"),
    [({"key": "x"}, "key= without server="), ({"server": "x"}, "is no public key"),
     ({"server": "A" * 64}, "is no public key"), ({"server": "a" * 64, "clients": "x"}, "clients= without key=")],
)  # fmt: skip
async def test_options_of_a_client_that_cannot_be(options, text):
    with pytest.raises(BadConfig, match=text):
        await TCP.connect("zmq+tcp://127.0.0.1:1", "me", options)
