"""Links over WebSockets: the same methods as over any transport, agents that join, what is refused."""

import base64

import anyio
import pytest
from helpers import SLEEP, collected, deadline, sh, until

import procctl
from procctl import Agent, Controller, Denied, PeerGone, connect
from procctl.errors import BadConfig

from .asking import client, raw

pytestmark = pytest.mark.anyio


async def test_the_fleet_over_http(agent):
    async with connect(agent.urls[0], token="owns", name="me") as fleet:
        with deadline():
            web = await fleet.start("web", sh("for i in 1 2 3; do echo line $i; done; exec sleep 1000"))
            assert (web.state, web.item.why.by) == (procctl.State.RUNNING, "ann/me")
            assert [line.text for line in await collected(fleet, 3)] == ["line 1", "line 2", "line 3"]
            assert (await web.stop()).signal == "SIGTERM"


async def test_an_agent_joins_a_controller(doors):
    async with Controller(listen=["http://127.0.0.1:0"]) as controller:
        url = controller.urls[0]
        async with Agent("a.x", join=url, token="joins"), connect(url, token="owns") as fleet:
            with deadline():
                await until(lambda: controller.registry.hosts)
                web = await fleet.start("web", SLEEP, hostname="a.x")
                assert (web.hostname, (await web.stop()).signal) == ("a.x", "SIGTERM")


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_stranger_is_told_before_anything_else(agent, token):
    with pytest.raises(Denied) as caught:
        async with connect(agent.urls[0], token=token):
            pass
    assert caught.value.code == "unauthorized"


async def test_a_credential_for_something_else(doors):
    async with Controller(listen=["http://127.0.0.1:0"]) as controller:
        with pytest.raises(Denied, match="may not join"):
            async with Agent("a.x", join=controller.urls[0], token="looks"):
                pass


async def test_a_link_comes_again(doors):
    """The agent is another one, on the same port: requests under way find it."""

    async def serve(url, over, *, task_status):
        async with Agent("here", listen=url) as agent:
            task_status.started(agent.urls[0])
            await over.wait()
        gone.set()

    gone, first, second = anyio.Event(), anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as group:
        url = await group.start(serve, "http://127.0.0.1:0", first)
        async with connect(url, token="owns") as fleet:
            assert await fleet.processes() == []
            first.set()
            await gone.wait()
            await group.start(serve, url, second)
            with deadline():
                assert await fleet.processes() == []
        second.set()


async def test_nobody_is_there(doors):
    async with Agent("here", listen="http://127.0.0.1:0") as agent:
        url = agent.urls[0]
    with pytest.raises(PeerGone, match="cannot connect to http://127"):
        async with connect(url, token="owns"):
            pass


async def test_something_else_is_there():
    said = b""

    async def answer(stream):
        async with stream:
            await stream.receive()
            await stream.send(said)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        for words, error in [
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", BadConfig),
            (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", BadConfig),
            (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", Denied),
            (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", PeerGone),
            (b"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", PeerGone),
            (b"SSH-2.0-OpenSSH\r\n", PeerGone),
            (b"", PeerGone),
        ]:
            said = words
            with pytest.raises(error):
                async with connect(url, token="owns"):
                    pass
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://", "names no host"),
        ("http://me:secret@127.0.0.1", "no part of an HTTP URL"),
        ("http://127.0.0.1:99999", "is no URL"),
        ("http://127.0.0.1/?cret=x", "did you mean 'cert'"),
        ("http://127.0.0.1/#x", "fragment"),
        ("https://127.0.0.1/?ca=/no/such/file", "there is no such file"),
        ("https://127.0.0.1/?cert=/dev/null", "no such file"),
        ("http+unix://", "names no path"),
    ],
)
async def test_urls_that_cannot_be_used(url, match):
    with pytest.raises(BadConfig) as caught:
        async with connect(url):
            pass
    assert match in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://127.0.0.1:0/prefix", "has a path"),
        ("https://127.0.0.1:0", "has no certificate"),
        ("http://127.0.0.1:0?hots=x", "did you mean 'host'"),
        ("http://127.0.0.1:0?max_frame=1", "expected bytes"),
        ("http://192.0.2.1:0", "cannot listen on"),
        ("http://no.such.host.invalid:0", "cannot listen on"),
    ],
)
async def test_places_that_cannot_be_listened_on(doors, url, match):
    with pytest.raises(BadConfig) as caught:
        async with Agent("here", listen=url):
            pass
    assert match in str(caught.value)


async def test_a_port_that_is_taken(agent):
    with pytest.raises(BadConfig, match="cannot listen on"):
        async with Agent("there", listen=agent.urls[0]):
            pass


async def test_a_unix_socket(place):
    url = f"http+unix://{place}/s"
    async with Agent("here", listen=url) as agent:
        assert (agent.urls, (place / "s").stat().st_mode & 0o777) == ((url,), 0o600)
        async with connect(url) as fleet:
            assert (await fleet.start("web", SLEEP)).state == procctl.State.RUNNING
        import httpx2

        transport = httpx2.AsyncHTTPTransport(uds=str(place / "s"))
        async with client("http://anything", token="", transport=transport) as rest:
            assert (await rest.get("/processes")).json()["items"][0]["name"] == "web"
    assert [path.name for path in place.iterdir()] == ["s.lock"]


# by hand ---------------------------------------------------------------------------------------------------------


def upgrade(*more):
    key = base64.b64encode(bytes(16)).decode()
    lines = [
        "GET /link HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *more,
    ]
    return "\r\n".join((*lines, "", "")).encode()


OURS = ("Authorization: Bearer owns", "Sec-WebSocket-Protocol: procctl.1")


async def test_a_link_needs_its_protocol_and_its_token(agent):
    assert (await raw(agent.urls[0], upgrade(OURS[0]))).startswith(b"HTTP/1.1 403")
    refused = await raw(agent.urls[0], upgrade(OURS[1]))
    assert refused.startswith(b"HTTP/1.1 401")
    assert b"application/problem+json" in refused
    assert (await raw(agent.urls[0], upgrade(*OURS, "Origin: http://evil.example"))).startswith(b"HTTP/1.1 403")


async def test_a_frame_without_end_is_cut(doors):
    async with Agent("here", listen="http://127.0.0.1:0?max_frame=4096") as agent:
        piece = b"\xfe" + (1000).to_bytes(2, "big") + bytes(4) + b"a" * 1000  # none is the last of its message
        with deadline():
            said = await raw(agent.urls[0], upgrade(*OURS), b"\x01" + piece + (b"\x00" + piece) * 100)
        assert said.startswith(b"HTTP/1.1 101")
        async with connect(agent.urls[0], token="owns") as fleet:
            assert await fleet.processes() == []


async def test_nonsense_ends_its_link_alone(agent):
    async with connect(agent.urls[0], token="owns") as fleet:
        assert (await raw(agent.urls[0], upgrade(*OURS), b"\xff" * 100)).startswith(b"HTTP/1.1 101")
        assert b"400" in await raw(agent.urls[0], b"\x16\x03\x01 nonsense\r\n\r\n")
        assert await fleet.processes() == []


async def test_who_does_not_wait_for_the_answer_is_no_defect(agent, caplog):
    assert b"101" not in await raw(agent.urls[0], upgrade(*OURS) + b"\xff" * 100)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
