"""Programs that speak the documented JSON by hand, without a hello."""

import pytest
from helpers import SLEEP, Raw, sh

from procctl import Agent, ProcessSpec

pytestmark = pytest.mark.anyio


@pytest.fixture
async def agent(place):
    async with Agent("here", listen=[f"unix://{place}/s"]) as agent:
        yield agent


@pytest.fixture
async def raw(agent, place):
    async with await Raw.connect(place / "s") as raw:
        yield raw


async def test_kontrols_status(agent, raw):
    web = await agent.start("web", SLEEP)
    answer = await raw.ask(command="status", hostname="", uuid="")
    (item,) = answer["status"]["here"]
    assert answer.keys() == {"status"}
    assert (item["name"], item["uuid"], item["pid"], item["status"]) == ("web", web.uuid, web.pid, 1)
    assert {"timestamp", "memory", "uptime", "state", "detail", "why"} <= item.keys()
    assert item["timestamp"].endswith("Z")


@pytest.mark.parametrize(("hostname", "found"), [("here", 1), ("h*", 1), ("there", 0), ("", 1)])
async def test_a_host(agent, raw, hostname, found):
    await agent.add(ProcessSpec(name="web", command=("true",)), start=False)
    answer = await raw.ask(id=1, command="status", hostname=hostname, uuid="")
    assert (answer["re"], len(answer["status"].get("here", ()))) == (1, found)


async def test_stop_and_start_by_uuid(agent, raw):
    web = await agent.start("web", SLEEP)
    answer = await raw.ask(id=1, command="stop", hostname="here", uuid=web.uuid)
    assert answer["status"]["here"][0]["exit"]["signal"] == "SIGTERM"
    answer = await raw.ask(id=2, command="start", hostname="here", uuid=web.uuid)
    assert (answer["re"], answer["status"]["here"][0]["state"]) == (2, "running")


async def test_everything_needs_to_be_said(agent, raw):
    await agent.start("web", SLEEP)
    answer = await raw.ask(id=1, command="stop", hostname="", uuid="")
    assert answer["error"]["code"] == "needs-all"
    answer = await raw.ask(id=2, command="stop", hostname="", uuid="", all=True)
    assert answer["status"]["here"][0]["state"] == "stopped"


async def test_add(agent, raw):
    spec = {"name": "web", "command": ["sleep", "1000"]}
    answer = await raw.ask(id=1, command="add", spec=spec)
    assert (answer["status"]["here"][0]["state"], (await agent.process("web")).item.name) == ("running", "web")


async def test_the_owner_of_the_socket_is_the_one_who_asked(agent, raw):
    answer = await raw.ask(id=1, command="add", spec={"name": "web", "command": ["sleep", "1000"]}, by="somebody else")
    assert "somebody else" not in answer["status"]["here"][0]["why"]["by"]


async def test_fields_that_nobody_knows_are_ignored(raw):
    assert (await raw.ask(id=1, command="status", colour="red"))["re"] == 1


async def test_answers_come_when_they_are_there(agent, raw):
    await agent.start("web", sh("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    await raw.send({"id": 1, "command": "stop", "name": "web", "grace": 0.3}, {"id": 2, "command": "agent.status"})
    assert [(await raw.receive())["re"] for _ in range(2)] == [2, 1]


async def test_until(agent, raw):
    web = await agent.start("web", SLEEP)
    await raw.send({"id": 1, "command": "status", "name": "web", "until": "exit"}, {"id": 2, "command": "status"})
    assert (await raw.receive())["re"] == 2
    await web.kill()
    answer = await raw.receive()
    assert (answer["re"], answer["status"]["here"][0]["exit"]["signal"]) == (1, "SIGKILL")


async def test_deadline(agent, raw):
    await agent.start("web", SLEEP)
    answer = await raw.ask(id=1, command="status", name="web", until="exit", deadline=0.1)
    assert [miss["code"] for miss in answer["misses"]] == ["timeout"]


async def test_a_stream_gives_as_many_items_as_there_is_credit(agent, raw):
    web = await agent.start("web", sh("for i in 1 2 3; do echo $i; sleep 0.05; done"))
    await web.wait("stopped")
    await raw.send({"id": 5, "command": "logs", "name": "web"}, {"to": 5, "credit": 2})
    assert [(await raw.receive())["item"]["text"] for _ in range(2)] == ["1\n", "2\n"]
    assert (await raw.ask(id=6, command="agent.status"))["re"] == 6
    answer = await raw.ask(to=5, credit=1)
    assert (answer["seq"], answer["item"]["text"]) == (3, "3\n")
    assert await raw.receive() == {"re": 5, "end": True}


async def test_a_stream_is_cancelled(agent, raw):
    await agent.start("web", sh("while :; do echo x; sleep 0.01; done"))
    await raw.send({"id": 5, "command": "logs", "name": "web", "follow": True}, {"to": 5, "credit": 1000})
    assert (await raw.receive())["re"] == 5
    await raw.send({"to": 5, "cancel": True}, {"id": 6, "command": "agent.status"})
    while (answer := await raw.receive())["re"] == 5:
        assert "item" in answer
    assert (await raw.ask(id=7, command="agent.status"))["re"] == 7


async def test_events(agent, raw):
    await raw.send({"id": 5, "command": "events"}, {"to": 5, "credit": 100})
    assert (await raw.receive())["item"]["type"] == "snapshot"
    await agent.start("web", SLEEP)
    answer = await raw.receive()
    assert (answer["item"]["type"], answer["item"]["process"]["name"]) == ("registered", "web")


async def test_a_hello_is_answered(raw):
    answer = await raw.ask(id=1, command="hello", name="me", heartbeat=30)
    assert (answer["welcome"]["name"], answer["welcome"]["role"], answer["welcome"]["heartbeat"]) == (
        "here",
        "agent",
        30,
    )


async def test_shutdown(agent, raw):
    await raw.send({"id": 1, "command": "agent.stop"})
    await agent.asked_to_stop()


async def test_frames_of_one_write_and_a_frame_in_pieces(raw):
    await raw.send(b'{"id": 1, "command": "status"}\n{"id": 2, "comm')
    assert (await raw.receive())["re"] == 1
    await raw.send(b'and": "status"}\n')
    assert (await raw.receive())["re"] == 2
