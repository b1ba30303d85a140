"""Names of the listener, other sites, and what costs time or room."""

import anyio
import pytest
from helpers import deadline

from procctl import Agent
from procctl.errors import BadConfig
from procctl.gateways.http import asking, server, wire

from .asking import raw

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "LOCALHOST:7000"}, 200),
        ({"host": "[::1]:80"}, 200),
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": "localhost:x"}, 421),
        ({"host": "a@localhost"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:1"}, 403),
        ({"host": "localhost:5", "origin": "http://localhost:5"}, 200),
        ({"host": "localhost:5", "origin": "https://localhost:5"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_who_is_meant_and_where_it_comes_from(rest, headers, status):
    answer = await rest.get("/processes", headers=headers)
    assert answer.status_code == status
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_more_names(doors):
    async with Agent("here", listen="http://127.0.0.1:0?host=ctl.example.com,other.example") as agent:
        head = "GET /agent HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer owns\r\nConnection: close\r\n\r\n"
        for name, status in (("ctl.example.com", 200), ("OTHER.example:80", 200), ("third.example", 421)):
            said = await raw(agent.urls[0], head.format(name).encode())
            assert said.startswith(f"HTTP/1.1 {status}".encode())


async def test_one_host_and_no_more(agent):
    for hosts in ("", "Host: localhost\r\nHost: localhost\r\n"):
        said = await raw(agent.urls[0], f"GET /agent HTTP/1.1\r\n{hosts}\r\n".encode())
        assert b"HTTP/1.1 4" in said


@pytest.mark.parametrize("given", ["Basic YTpi", "Bearer", "token owns"])
async def test_credentials_of_another_kind(rest, given):
    answer = await rest.get("/agent", headers={"authorization": given})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_body_that_does_not_come(agent, monkeypatch):
    monkeypatch.setattr(asking, "BODY_TIME", 0.1)
    head = b"POST /processes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer owns\r\nContent-Length: 10\r\n\r\n{"
    with deadline():
        assert (await raw(agent.urls[0], head)).startswith(b"HTTP/1.1 408")


async def test_a_request_that_does_not_come(agent, monkeypatch):
    monkeypatch.setattr(wire, "IDLE", 0.1)
    with deadline():
        assert await raw(agent.urls[0], b"GET /agent HTTP/1.1\r\nHost: ") == b""


async def test_too_many_headers(agent):
    said = await raw(agent.urls[0], b"GET /agent HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 50_000)
    assert b"HTTP/1.1 431" in said or b"HTTP/1.1 400" in said


async def test_too_many_connections(doors):
    async with Agent("here", listen="http://127.0.0.1:0?connections=2") as agent:
        host, port = agent.urls[0].removeprefix("http://").split(":")
        first, second = [await anyio.connect_tcp(host, int(port)) for _ in range(2)]
        async with first, second:
            for open_one in (first, second):  # they are served
                await open_one.send(b"GET /agent HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert (await open_one.receive()).startswith(b"HTTP/1.1 ")
            assert await raw(agent.urls[0], b"") == b""
        with deadline():
            while not (await raw(agent.urls[0], b"GET /agent HTTP/1.0\r\n\r\n")):  # until their ends are seen
                await anyio.sleep(0.01)


@pytest.mark.parametrize("number", ["0", "-1", "many", "1e3", "10000000"])
async def test_a_number_of_connections_that_is_none(doors, number):
    with pytest.raises(BadConfig, match="connections="):
        async with Agent("here", listen=f"http://127.0.0.1:0?connections={number}"):
            pass


async def test_it_installs_no_signal_handlers(agent, rest):
    import signal

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert (await rest.get("/agent")).status_code == 200


async def test_it_ends_although_somebody_has_not_left(doors, monkeypatch):
    monkeypatch.setattr(server, "GRACE", 1000.0)  # nobody has asked for anything, so nobody is waited for
    async with Agent("here", listen="http://127.0.0.1:0") as agent:
        host, port = agent.urls[0].removeprefix("http://").split(":")
        idle = await anyio.connect_tcp(host, int(port))
        half = await anyio.connect_tcp(host, int(port))
        await half.send(b"GET /agent HT")
    await idle.aclose()
    await half.aclose()
