"""Whatever arrives on a socket, the agent, its children and other links are none the worse."""

import anyio
import pytest
from helpers import SLEEP, Raw, sh

from procctl import Agent, connect

pytestmark = pytest.mark.anyio

LIMIT = 4096


@pytest.fixture
async def place_of(place):
    """The path of a socket; afterwards its agent, its child and a link that was there before are as they were."""
    url = f"unix://{place}/s?max_frame={LIMIT}"
    async with Agent("here", listen=[url]) as agent:
        web = await agent.start("web", SLEEP)
        pid = web.pid
        async with connect(f"unix://{place}/s") as fleet:
            yield place / "s"
            there = await fleet.process("web")
            assert (there.pid, there.item.state, there.item.restarts) == (pid, "running", 0)
        async with connect(f"unix://{place}/s") as fleet:
            assert (await fleet.info()).running == 1


BAD = {
    "no JSON": b"hello",
    "nothing": b"",
    "blank": b"   ",
    "array": b"[]",
    "text": b'"x"',
    "number": b"7",
    "null": b"null",
    "NaN": b'{"id": 1, "command": "stop", "grace": NaN}',
    "infinite": b'{"id": 1, "command": "stop", "grace": Infinity}',
    "huge number": b'{"id": 1, "command": "stop", "name": "x", "grace": 1e999}',
    "long integer": b'{"id": ' + b"9" * 4000 + b', "command": "status"}',
    "negative id": b'{"id": -1, "command": "status"}',
    "id is text": b'{"id": "1", "command": "status"}',
    "id is true": b'{"id": true, "command": "status"}',
    "id is a float": b'{"id": 1.0, "command": "status"}',
    "key twice": b'{"id": 1, "id": 2, "command": "status"}',
    "too deep": b'{"id": 1, "command": "status", "x": ' + b"[" * 100 + b"]" * 100 + b"}",
    "much too deep": b"[" * 3000,
    "no UTF-8": b'{"id": 1, "command": "\xff\xfe"}',
    "UTF-16": '{"id": 1, "command": "status"}'.encode("utf-16"),
    "NUL": b"\0" * 100,
    "surrogate": rb'{"id": 1, "command": "status", "name": "\ud800"}',
    "unknown command": b'{"id": 1, "command": "format-disk"}',
    "no command": b'{"id": 1}',
    "command is a list": b'{"id": 1, "command": ["status"]}',
    "internal command": b'{"id": 1, "command": "__class__"}',
    "name is a list": b'{"id": 1, "command": "status", "name": []}',
    "wrong until": b'{"id": 1, "command": "status", "until": "never"}',
    "wrong deadline": b'{"id": 1, "command": "status", "deadline": -1}',
    "spec is missing": b'{"id": 1, "command": "add"}',
    "spec is a text": b'{"id": 1, "command": "add", "spec": "rm"}',
    "command of a spec is a text": b'{"id": 1, "command": "add", "spec": {"name": "x", "command": "rm"}}',
    "NUL in a command": rb'{"id": 1, "command": "add", "spec": {"name": "x", "command": ["a\u0000b"]}}',
    "surrogate in a command": rb'{"id": 1, "command": "add", "spec": {"name": "x", "command": ["\ud800"]}}',
    "surrogate in a folder": rb'{"id": 1, "command": "add", "spec": {"name": "x", "command": ["a"], "cwd": "\udfff"}}',
    "NUL in a folder": rb'{"id": 1, "command": "add", "spec": {"name": "x", "command": ["a"], "cwd": "/\u0000"}}',
    "surrogate in the environment": rb'{"id": 1, "command": "add", "spec": {"name": "x", "command": ["a"], '
    rb'"env": {"A": "\ud800"}}}',
    "NUL in a log file": rb'{"id": 1, "command": "add", "spec": {"name": "x", "command": ["echo", "x"], '
    rb'"logs": {"file": "a\u0000b"}}}',
    "too many instances": b'{"id": 1, "command": "add", "spec": {"name": "x", "command": ["a"], "instances": 1000000}}',
    "a heartbeat out of nothing": b'{"id": 1, "command": "heartbeat", "beat": 7, "whole": true}',
    "a lease out of nothing": b'{"id": 1, "command": "lease.exited", "token": 1}',
    "an agent for an agent": b'{"id": 1, "command": "hello", "name": "x", "role": "agent"}',
    "a wrong role": b'{"id": 1, "command": "hello", "name": "x", "role": "king"}',
    "a heartbeat below nothing": b'{"id": 1, "command": "hello", "name": "x", "heartbeat": -1}',
    "a heartbeat that is no number": b'{"id": 1, "command": "hello", "name": "x", "heartbeat": "often"}',
    "a tiny heartbeat": b'{"id": 1, "command": "hello", "name": "x", "heartbeat": 1e-9}',
    "a stream without a number": b'{"command": "logs"}',
    "a wrong cursor": b'{"id": 1, "command": "logs", "name": "web", "since": "x.y.z"}',
    "a wrong tail": b'{"id": 1, "command": "logs", "name": "web", "tail": -5}',
    "a wrong stream": b'{"id": 1, "command": "logs", "name": "web", "stream": "stdin"}',
    "a wrong cursor of events": b'{"id": 1, "command": "events", "since": "' + b"9" * 3000 + b'"}',
    "an answer to nothing": b'{"re": 7, "status": {}}',
    "an item of nothing": b'{"re": 7, "item": 5}',
    "credit for nothing": b'{"to": 7, "credit": 5}',
    "credit below nothing": b'{"to": 7, "credit": -5}',
    "a complaint": b'{"error": {"message": "' + b"x" * 3000 + b'"}}',
    "a complaint that is none": b'{"error": 5}',
}


@pytest.mark.parametrize("frame", BAD.values(), ids=BAD)
async def test_a_bad_frame_is_answered_or_ignored_and_the_link_goes_on(frame, place_of):
    async with await Raw.connect(place_of) as raw:
        await raw.send(frame + b"\n")
        await raw.send({"id": 77, "command": "agent.status"})
        seen = [await raw.receive()]
        while seen[-1].get("re") != 77:
            seen.append(await raw.receive())
        assert seen[-1]["agent"]["running"] == 1
        assert [s for s in seen[:-1] if not {"error", "status", "end", "done", "item", "welcome"} & s.keys()] == []


@pytest.mark.parametrize("size", [LIMIT + 1, 10 * LIMIT, 5_000_000])
async def test_a_frame_that_is_too_large(size, place_of):
    async with await Raw.connect(place_of) as raw:
        async with anyio.create_task_group() as group:
            group.start_soon(raw.send, b'{"x": "' + b"x" * size + b'"}\n')
            assert (await raw.receive())["error"]["code"] == "bad-message"
        assert (await raw.ask(id=1, command="status"))["re"] == 1


async def test_a_frame_of_just_the_size(place_of):
    async with await Raw.connect(place_of) as raw:
        frame = b'{"id": 1, "command": "status", "name": "' + b"x" * (LIMIT - 42) + b'"}'
        assert len(frame) == LIMIT
        await raw.send(frame + b"\n")
        assert [miss["code"] for miss in (await raw.receive())["misses"]] == ["no-such-target"]


@pytest.mark.parametrize(
    "data", [b"", b'{"id": 1, "comm', b"\xff" * 10_000, b'{"id": 1, "command": "logs", "name": "web"}\n']
)
async def test_closed_in_the_middle(data, place_of):
    for _ in range(5):
        async with await Raw.connect(place_of) as raw:
            await raw.send(data) if data else None


async def test_garbage(place_of):
    from random import Random

    rng = Random(1)
    for _ in range(5):
        try:
            async with await Raw.connect(place_of) as raw:
                await raw.send(rng.randbytes(200_000))
        except (anyio.BrokenResourceError, OSError):
            pass  # it may have been shown the door


async def test_one_that_asks_a_lot_and_never_reads(place_of):
    async with await Raw.connect(place_of) as raw:
        with anyio.move_on_after(3):
            try:
                while True:
                    await raw.send(b'{"id": 1, "command": "status"}\n' * 1000)
            except anyio.BrokenResourceError:
                pass


async def test_one_that_gives_credit_and_never_reads(place_of):
    async with connect(f"unix://{place_of}") as fleet:
        await fleet.start("noisy", sh("exec yes"))
        async with await Raw.connect(place_of) as raw:
            await raw.send({"id": 1, "command": "logs", "name": "noisy", "follow": True}, {"to": 1, "credit": 10**9})
            await anyio.sleep(0.5)
            assert (await fleet.info()).running == 2
        await fleet.kill("noisy")


async def test_two_thousand_open_requests(place_of):
    async with await Raw.connect(place_of) as raw:
        for start in range(0, 2000, 50):
            await raw.send(
                *({"id": i, "command": "status", "name": "web", "until": "exit"} for i in range(start, start + 50))
            )
        answers = [await raw.receive() for _ in range(2000 - 1024)]
        assert {answer["error"]["code"] for answer in answers} == {"busy"}
        await raw.send({"to": 5, "cancel": True}, {"id": 5000, "command": "agent.status"})
        assert (await raw.receive())["re"] == 5000


async def test_the_same_number_twice(place_of):
    async with await Raw.connect(place_of) as raw:
        wait = {"id": 1, "command": "status", "name": "web", "until": "exit"}
        await raw.send(wait, wait)
        answer = await raw.receive()
        assert (answer.get("re"), answer["error"]["code"]) == (None, "bad-message")


async def test_many_links(place_of):
    links = [await Raw.connect(place_of) for _ in range(100)]
    for raw in links:
        assert (await raw.ask(id=1, command="agent.status"))["re"] == 1
    for raw in links:
        await raw.stream.aclose()


async def test_requests_of_a_link_that_is_gone_go_on(place_of):
    async with await Raw.connect(place_of) as raw:
        spec = {"name": "late", "command": ["sh", "-c", "echo up; exec sleep 1000"]}
        await raw.send({"id": 1, "key": "k", "command": "add", "spec": spec, "until": "exit"})
        await anyio.sleep(0.1)
    async with connect(f"unix://{place_of}") as fleet:
        assert (await fleet.wait("late", until="running"))[0].state == "running"
        await fleet.kill("late")
