"""Every command by REST, on a real agent and over real sockets."""

import json
import subprocess
from urllib.parse import quote

import anyio
import pytest
from agent.talking import talker
from helpers import SLEEP, program, sh, until

import procctl
from procctl import Agent, Controller
from procctl.core import messages
from procctl.gateways.http.routes import ROUTES

from .asking import add, added, client

pytestmark = pytest.mark.anyio


async def test_a_process_through_its_life(agent, rest):
    item = await add(rest, "web", SLEEP)
    assert (item["state"], item["hostname"], item["why"]["by"]) == ("running", "here", "ann")
    at = f"/processes/{item['uuid']}"
    assert (await rest.get(at)).json()["pid"] == item["pid"] == (await agent.process("web")).pid
    stopped = await rest.post(f"{at}/stop", json={"grace": 5})
    assert (stopped.status_code, stopped.json()["exit"]["signal"]) == (200, "SIGTERM")
    started = await rest.post(f"{at}/start")
    assert started.json()["pid"] not in (0, item["pid"])
    assert (await rest.post(f"{at}/restart?until=running")).json()["restarts"] >= 0
    refused = await rest.delete(at)
    assert (refused.status_code, refused.json()["code"]) == (409, "still-running")
    assert (await rest.post(f"{at}/kill")).json()["exit"]["signal"] == "SIGKILL"
    assert (await rest.delete(at)).status_code == 200
    gone = await rest.get(at)
    assert (gone.status_code, gone.json()["code"]) == (404, "no-such-target")


async def test_adding_says_where_it_is(rest):
    answer = await rest.post("/processes", json=added("web", SLEEP) | {"start": False})
    assert answer.status_code == 201
    item = (await rest.get(answer.headers["location"])).json()
    assert (item["name"], item["state"]) == ("web", "notstarted")


async def test_commands_on_patterns(rest):
    for name in ("worker-1", "worker-2", "web"):
        await add(rest, name, SLEEP, group="x" if name == "web" else "")
    answer = await rest.post("/processes/stop?name=worker-*")
    assert {item["name"] for item in answer.json()["items"]} == {"worker-1", "worker-2"}
    assert [i["name"] for i in (await rest.get("/processes?state=running")).json()["items"]] == ["web"]
    assert len((await rest.get("/processes", params={"state": "running,stopped"})).json()["items"]) == 3
    assert [i["name"] for i in (await rest.get("/processes?group=x")).json()["items"]] == ["web"]
    everything = await rest.post("/processes/start")
    assert (everything.status_code, everything.json()["code"]) == (400, "needs-all")
    assert len((await rest.post("/processes/start?all=true")).json()["items"]) == 3
    assert len((await rest.post("/processes/kill", json={"all": True})).json()["items"]) == 3
    assert len((await rest.delete("/processes?all=true")).json()["items"]) == 3


async def test_some_do_as_told_and_some_do_not(rest):
    await add(rest, "good", SLEEP)
    await rest.post("/processes", json=added("bad", ["/no/such/program"]) | {"start": False})
    await rest.post("/processes/stop?name=good")
    answer = await rest.post("/processes/start?all=true")
    assert answer.status_code == 207
    found = answer.json()
    assert ({i["name"] for i in found["items"]}, [m["target"] for m in found["misses"]]) == ({"good", "bad"}, ["bad"])
    answer = await rest.post("/processes/start?name=bad")
    assert (answer.status_code, answer.json()["code"]) == (422, "spawn-failed")
    assert ([i["name"] for i in answer.json()["items"]], len(answer.json()["misses"])) == (["bad"], 1)


async def test_a_question_and_its_answer(rest):
    item = await add(rest, "web", talker("obey(double={'data': 42})"), hooks={})
    for path in (f"/processes/{item['uuid']}/ask", "/processes/ask?name=web"):
        answer = await rest.post(path, json={"action": "double", "data": {"of": 21}})
        assert answer.status_code == 200
        assert [(a["name"], a["data"]) for a in answer.json()["answers"]] == [("web", 42)]
    silent = await add(rest, "silent", SLEEP)
    refused = await rest.post(f"/processes/{silent['uuid']}/ask", json={"action": "double"})
    assert refused.json()["misses"][0]["code"] == "no-channel"


async def test_one_is_let_go_and_taken_back(rest):
    item = await add(rest, "web", SLEEP)
    let_go = await rest.post(f"/processes/{item['uuid']}/detach")
    assert (let_go.json()["detail"], let_go.json()["pid"]) == ("detached", 0)
    answer = await rest.post("/processes/adopt", json={"pid": item["pid"], "spec": {"name": "web", "command": []}})
    assert (answer.status_code, answer.json()["items"][0]["pid"]) == (201, item["pid"])
    assert (await rest.post(f"/processes/{item['uuid']}/kill")).json()["detail"] == "exited"


async def test_nothing_matches(rest):
    assert (await rest.get("/processes?name=nothing")).json()["items"] == []
    answer = await rest.post("/processes/stop?name=nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json().keys() >= {"title", "status", "code", "message", "hint"}


async def test_a_pattern_is_no_uuid(rest):
    await add(rest, "web", SLEEP)
    answer = await rest.post("/processes/*/kill")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-target")
    assert (await rest.get("/processes")).json()["items"][0]["state"] == "running"


async def test_waiting(rest):
    item = await add(rest, "job", sh("sleep 0.2; exit 3"))
    answer = await rest.get(f"/processes/{item['uuid']}?until=exit")
    assert answer.json()["exit"]["code"] == 3
    item = await add(rest, "long", SLEEP)
    answer = await rest.get(f"/processes/{item['uuid']}?until=exit&deadline=0.1")
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


async def test_the_same_key_is_the_same_command(agent, rest):
    item = await add(rest, "web", SLEEP)
    at = f"/processes/{item['uuid']}/restart"
    first = await rest.post(at, headers={"idempotency-key": "once"})
    async with client(agent.urls[0]) as other:
        again = await other.post(at, headers={"idempotency-key": "once"})
    assert first.json()["pid"] == again.json()["pid"] != item["pid"]
    assert (await rest.post(at, headers={"idempotency-key": "twice"})).json()["pid"] != again.json()["pid"]


async def test_a_client_that_has_left_finds_its_answer_by_the_key(agent, rest):
    item = await add(rest, "slow", sh("trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.05; done"))
    at, key = f"/processes/{item['uuid']}/restart", {"idempotency-key": "k"}
    with anyio.move_on_after(0.2):
        async with client(agent.urls[0]) as leaving:
            await leaving.post(at, headers=key)
    answer = await rest.post(at, headers=key)
    assert (answer.status_code, answer.json()["restarts"]) == (200, (await agent.process("slow")).item.restarts)
    assert answer.json()["pid"] == (await agent.process("slow")).pid


async def test_the_agent_and_its_end(doors):
    async with Agent("here", listen="http://127.0.0.1:0") as agent, client(agent.urls[0]) as rest:
        found = (await rest.get("/agent")).json()
        assert (found["name"], found["urls"]) == ("here", list(agent.urls))
        async with anyio.create_task_group() as group:

            async def ask():
                await rest.post("/agent/stop")

            group.start_soon(ask)
            await agent.asked_to_stop()
            group.cancel_scope.cancel()


async def test_approvals(doors):
    ask = lambda request, fleet: procctl.ask()  # noqa: E731
    async with Agent("here", listen="http://127.0.0.1:0", approval=[ask]) as agent, client(agent.urls[0]) as rest:
        answer = await rest.post("/processes", json=added("web", SLEEP))
        assert (answer.status_code, answer.json()["code"]) == (409, "approval-pending")
        (open_,) = (await rest.get("/approvals")).json()["approvals"]
        assert (open_["name"], open_["asker"]) == ("web", "ann")
        at = f"/approvals/{quote(open_['approval'], safe='')}"
        assert (await rest.post(at, json={"answer": "perhaps"})).status_code == 400
        assert (await rest.post(at, json={"answer": "approve"})).status_code == 200
        answer = await rest.get("/processes?name=web&until=running")
        assert answer.json()["items"][0]["state"] == "running"
        assert (await rest.post(at, json={"answer": "deny", "reason": "no"})).status_code == 404


async def test_a_controller(doors):
    async with Controller(listen=["http://127.0.0.1:0"]) as controller:
        async with Agent("a.x", join=controller.urls[0], token="joins"), client(controller.urls[0]) as rest:
            await until(lambda: controller.registry.hosts)
            answer = await rest.post("/processes", json=added("web", SLEEP) | {"hostname": "a.*"})
            uuid = answer.json()["items"][0]["uuid"]
            assert (await rest.post(f"/processes/{uuid}/stop")).json()["hostname"] == "a.x"
            if "hosts" in messages.REQUESTS:
                assert [host["name"] for host in (await rest.get("/hosts")).json()["hosts"]] == ["a.x"]


# what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.name)
async def test_every_route_wants_a_credential(agent, route):
    path = route.path.format(uuid="u", approval="a")
    async with client(agent.urls[0], token="") as nobody:
        answer = await nobody.request(route.method, path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="procctl"'
    async with client(agent.urls[0], token="wrong") as stranger:
        assert (await stranger.request(route.method, path)).status_code == 401


async def test_a_viewer_looks_and_changes_nothing(agent, rest):
    item = await add(rest, "web", SLEEP)
    async with client(agent.urls[0], token="looks") as viewer:
        assert (await viewer.get("/processes")).status_code == 200
        answer = await viewer.post(f"/processes/{item['uuid']}/stop")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert (await viewer.post("/processes", json=added("sh", ["sh"]))).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "where"),
    [
        ("GET", "/processes?nmae=web", None, 400, "?nmae"),
        ("GET", "/processes?name=a&name=b", None, 400, "?name"),
        ("GET", "/processes?stats=yes", None, 400, "?stats"),
        ("GET", "/processes?state=asleep", None, 400, "?state"),
        ("GET", "/processes?until=never", None, 400, "?until"),
        ("GET", "/processes?deadline=inf", None, 400, "?deadline"),
        ("GET", "/logs?tail=1_0", None, 400, "?tail"),
        ("GET", "/logs?stream=both", None, 400, "$.stream"),
        ("GET", "/logs?since=a.b.1~x.y", None, 400, "?since"),
        ("POST", "/processes", {}, 400, "$.spec"),
        ("POST", "/processes", {"spec": {"name": "x", "command": "sleep 1"}}, 400, "$.spec.command"),
        ("POST", "/processes", {"spec": {"name": "x", "command": ["a"]}, "sta": 1}, 400, "$.sta"),
        ("POST", "/processes/stop?name=x&grace=1", {"grace": 2}, 400, "$.grace"),
        ("POST", "/processes/u/stop", {"grace": "5"}, 400, "$.grace"),
        ("POST", "/processes/u/stop", {"all": True}, 400, "$.all"),
        ("POST", "/approvals/x", {}, 400, "$.answer"),
    ],
)
async def test_bad_input_is_told_with_its_place(rest, method, path, body, status, where):
    answer = await rest.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, "bad-message")
    assert answer.json()["path"] == where


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[1]", "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b'{"spec": 1, "spec": 2}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"spec=1", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"x" * ((1 << 20) + 1), "application/json", 413),
    ],
    ids=["array", "nan", "twice", "deep", "form", "text", "large"],
)
async def test_bodies_that_are_none(rest, body, kind, status):
    answer = await rest.post("/processes", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["status"] == status


async def test_what_is_not_there(rest):
    assert (await rest.get("/nothing")).json()["code"] == "no-such-target"
    answer = await rest.put("/processes")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert set(answer.headers["allow"].split(", ")) >= {"GET"}
    assert (await rest.get("/")).status_code == 404


async def test_a_defect_is_told_without_its_details(rest, monkeypatch, caplog):
    def broken(self, call):
        raise RuntimeError("secret")

    monkeypatch.setattr(Agent, "submit", broken)
    answer = await rest.get("/processes")
    assert (answer.status_code, answer.json()["code"], "secret" in answer.text) == (500, "internal-error", False)
    assert "secret" in caplog.text


# curl ------------------------------------------------------------------------------------------------------------


async def test_curl(agent, place):
    curl = program("curl")
    (place / "header").write_text("Authorization: Bearer owns\n")

    async def say(*words):
        base = [curl, "-sS", "--noproxy", "*", "-H", f"@{place}/header"]
        done = await anyio.run_process([*base, *words], stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    url = agent.urls[0]
    body = json.dumps(added("web", SLEEP))
    item = (await say("--json", body, f"{url}/processes"))["items"][0]
    assert (await say(f"{url}/processes?name=w*"))["items"][0]["pid"] == item["pid"]
    assert (await say("-X", "POST", f"{url}/processes/{item['uuid']}/stop?grace=3"))["state"] == "stopped"
    assert (await say("-X", "DELETE", f"{url}/processes/{item['uuid']}"))["uuid"] == item["uuid"]
