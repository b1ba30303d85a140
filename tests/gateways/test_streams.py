"""Output and events: JSON of what there is, Server-Sent Events that are resumed after a cut."""

import time

import anyio
import pytest
from helpers import SLEEP, sh, until

from procctl import Agent
from procctl.gateways.http import streams

from .asking import add, raw, sse

pytestmark = pytest.mark.anyio

COUNT = sh("i=0; while :; do i=$((i+1)); printf 'line %s\\nhalf' $i; sleep 0.01; printf ' %s\\n' $i; done")


async def test_json_of_what_there_is(rest):
    item = await add(rest, "job", sh("echo one; echo two >&2; printf three"))
    await rest.get(f"/processes/{item['uuid']}?until=exit")
    answer = await rest.get(f"/processes/{item['uuid']}/logs")
    assert sorted(line["text"] for line in answer.json()["items"]) == ["one", "three", "two"]
    found = (await rest.get("/logs?name=job&stream=stderr")).json()["items"]
    assert [(line["text"], line["stream"], line["lost"]) for line in found] == [("two", "stderr", 0)]
    assert 0 < len((await rest.get("/logs?tail=1")).json()["items"]) < 3
    since = answer.json()["items"][0]["cursor"]
    rest_of = (await rest.get("/logs", params={"since": since})).json()["items"]
    assert [line["text"] for line in rest_of] == [line["text"] for line in answer.json()["items"]][1:]


async def test_nothing_to_tell(rest):
    item = await add(rest, "quiet", SLEEP)
    assert (await rest.get(f"/processes/{item['uuid']}/logs")).json() == {"items": []}
    answer = await rest.get("/processes/nothing/logs")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-target")


async def test_events_as_json_and_as_they_happen(agent, rest):
    snapshot = (await rest.get("/events")).json()["items"][0]
    assert (snapshot["type"], snapshot["processes"]) == ("snapshot", [])
    async with sse(agent.urls[0], "/events") as events:
        cursor, kind, document = await anext(events)
        assert (kind, document["type"], cursor) == ("snapshot", "snapshot", document["cursor"])
        await add(rest, "web", SLEEP)
        cursor, kind, document = await anext(events)
        assert (kind, document["process"]["name"]) == ("registered", "web")
    found = (await rest.get("/events", params={"since": cursor})).json()["items"]
    assert {event["type"] for event in found} == {"changed"}


async def test_events_go_on_behind_the_last(agent, rest):
    async with sse(agent.urls[0], "/events") as events:
        cursor, _, _ = await anext(events)
    await add(rest, "web", SLEEP)
    async with sse(agent.urls[0], "/events", **{"last-event-id": cursor}) as events:
        _, kind, _ = await anext(events)
        assert kind == "registered"
    async with sse(agent.urls[0], "/events", **{"last-event-id": "gone-77"}) as events:
        cursor, kind, document = await anext(events)
        assert (kind, document["count"], cursor) == ("lost", None, document["next"])


@pytest.mark.parametrize("path", ["/processes/{uuid}/logs", "/logs"])
async def test_output_goes_on_after_each_cut(agent, rest, path):
    item = await add(rest, "count", COUNT)
    found, cursor = [], ""
    for stop in (1, 2, 3, 7, 8, 30):
        headers = {"last-event-id": cursor} if cursor else {}
        async with sse(agent.urls[0], path.format(**item), **headers) as lines:
            async for number, kind, line in lines:
                assert kind == "message"
                found.append(line["text"])
                cursor = number
                if len(found) >= stop:
                    break
    wanted = [text for i in range(1, 40) for text in (f"line {i}", f"half {i}")]
    assert found == wanted[: len(found)]


async def test_the_end_is_told(agent, rest):
    item = await add(rest, "job", sh("echo hello"))
    await rest.get(f"/processes/{item['uuid']}?until=exit")
    async with sse(agent.urls[0], f"/processes/{item['uuid']}/logs?follow=false") as lines:
        found = [(kind, line.get("text")) async for _, kind, line in lines]
    assert found == [("message", "hello"), ("end", None)]


async def test_only_events_go_on(rest):
    answer = await rest.get("/events?follow=true")
    assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json")


async def test_silence_is_broken(agent, rest, monkeypatch):
    monkeypatch.setattr(streams, "EVERY", 0.05)
    await add(rest, "quiet", SLEEP)
    async with sse(agent.urls[0], "/logs") as events:
        assert [await events.block() for _ in range(3)] == ["retry: 1000", ":", ":"]


async def test_a_reader_that_has_left_is_noticed(agent, rest):
    item = await add(rest, "count", COUNT)
    ring = agent._engine.inner
    with anyio.move_on_after(0.3):
        async with sse(agent.urls[0], "/logs") as lines:
            async for _ in lines:
                assert ring._newcomers
    await until(lambda: not ring._newcomers, "the stream to end")
    await rest.post(f"/processes/{item['uuid']}/kill")


async def test_a_slow_reader_blocks_nothing_and_is_shown_the_gap(agent, rest):
    item = await add(rest, "loud", sh("yes 0123456789012345678901234567890123456789"), logs={"ring": 1 << 16})
    head = f"GET /processes/{item['uuid']}/logs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer owns\r\n"
    host, port = agent.urls[0].removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(f"{head}Accept: text/event-stream\r\n\r\n".encode())
        await stream.receive(10)
        before = (await rest.get("/processes?stats=false")).json()["items"][0]["uptime"]
        await until(lambda: agent._engine.inner.hands.outputs[item["uuid"]].ring.end > 64 << 20, "output")
        assert (await rest.get("/processes?stats=false")).json()["items"][0]["uptime"] >= before
        seen = b""
        while b"event: gap" not in seen:
            seen = seen[-20:] + await stream.receive()
    await rest.post(f"/processes/{item['uuid']}/kill")


async def test_streams_end_with_the_agent(doors):
    ended = anyio.Event()

    async def follow(url, *, task_status):
        async with sse(url, "/events") as events:
            await anext(events)
            task_status.started()
            async for _ in events:
                pass
            ended.set()

    async with anyio.create_task_group() as group:
        async with Agent("here", listen="http://127.0.0.1:0") as agent:
            await group.start(follow, agent.urls[0])
        await ended.wait()


async def test_a_request_cut_in_the_middle_harms_nobody(agent, rest):
    head = b"POST /processes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer owns\r\n"
    for rest_of in (b"", b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"):
        assert b"HTTP/1.1 20" not in await raw(agent.urls[0], head + rest_of, end=True)
    assert (await rest.get("/processes")).json()["items"] == []


async def test_a_stream_ends_with_its_credential(agent, rest):
    await add(rest, "web", SLEEP)
    expires = time.time() + 1.0
    async with sse(agent.urls[0], "/events", token=f"looks@{expires}") as events:
        found = [(kind, document) async for _, kind, document in events]
    assert [kind for kind, _ in found] == ["snapshot", "error"]
    assert found[1][1]["code"] == "unauthorized"
    assert time.time() >= expires
