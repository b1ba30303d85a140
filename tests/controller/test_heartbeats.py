"""Agents tell their controller what changed, and that they are there; what a controller makes of their silence."""

import signal
import sys
from contextlib import AsyncExitStack

import anyio
import pytest
from helpers import until

from procctl import Agent, Auth, Controller, ProcessSpec, Reach
from procctl.agent import links
from procctl.controller import attendance
from procctl.controller.attendance import Attendance
from procctl.core import pace, telling
from procctl.core.pace import Pace
from procctl.errors import BadConfig
from procctl.link.tokens import add_line, line_of, new_token

pytestmark = pytest.mark.anyio

OFTEN = 0.1
"""Seconds between heartbeats here."""


@pytest.fixture(autouse=True)
def heartbeats(monkeypatch):
    """Those that a controller hears."""
    heard = []
    original = Attendance.heard

    def noting(self, link, beat):
        answer = original(self, link, beat)
        heard.append((beat, answer))
        return answer

    monkeypatch.setattr(Attendance, "heard", noting)
    monkeypatch.setattr(links, "HEARTBEAT", 2 * OFTEN)
    return heard


def in_step(controller, name="a"):
    host = controller.registry.hosts.get(name)
    return host is not None and host.in_step


def quiet(beat):
    return not (beat.whole or beat.items or beat.gone)


async def test_without_changes_there_are_heartbeats_with_nothing_but_a_digest(heartbeats):
    async with Controller() as controller, Agent("a", join=controller) as agent:
        await agent.add(ProcessSpec(name="web", command=("true",)), start=False)
        await until(lambda: len([beat for beat, _ in heartbeats if quiet(beat)]) > 3)
    told = [beat for beat, _ in heartbeats if not quiet(beat)]
    assert (len(told), told[0].whole, [i.name for i in told[1].items]) == (2, True, ["web"])
    assert [beat.beat for beat, _ in heartbeats] == list(range(1, len(heartbeats) + 1))
    assert len({beat.digest for beat, _ in heartbeats if beat.beat > 2}) == 1


async def test_a_digest_that_differs_is_set_right(heartbeats):
    async with Controller() as controller, Agent("a", join=controller) as agent:
        await agent.add(ProcessSpec(name="web", command=("true",)), start=False)
        await until(lambda: controller.registry.count == 1)
        record = controller.registry.hosts["a"]
        ((uuid, item),) = record.items.items()
        record.items.clear()
        record.digest, record._text = 0, ""
        await until(lambda: "whole" in [answer.want for _, answer in heartbeats])
        await until(lambda: in_step(controller))
        assert record.items == {uuid: item}
    assert [answer.want for _, answer in heartbeats].count("whole") == 1


async def test_a_link_that_comes_back_costs_no_snapshot(heartbeats):
    async with Controller() as controller, Agent("a", join=controller) as agent:
        await agent.add(ProcessSpec(name="web", command=("true",), instances=3), start=False)
        await until(lambda: controller.registry.count == 3)
        before = len(heartbeats)
        controller._links["a"].session.end("a test has cut it")
        await until(lambda: not in_step(controller))
        await agent.add(ProcessSpec(name="api", command=("true",)), start=False)
        await until(lambda: in_step(controller) and controller.registry.count == 4)
    assert not any(beat.whole for beat, _ in heartbeats[before:])


async def test_what_is_much_comes_in_parts(heartbeats):
    async with Controller() as controller:
        async with Agent("a", join=controller) as agent:
            await agent.add(ProcessSpec(name="web", command=("true",), instances=450), start=False)
            await until(lambda: in_step(controller) and controller.registry.count == 450)
            controller._links["a"].session.end("a test has cut it")
            controller.registry.leave("a", 0.0)
            await until(lambda: in_step(controller) and controller.registry.count == 450)
    parts = [(beat.part, len(beat.items)) for beat, _ in heartbeats if beat.whole]
    assert parts == [(0, 0), (0, 200), (1, 200), (2, 50)]
    assert max(len(beat.items) for beat, _ in heartbeats) <= telling.PART


async def test_what_was_added_is_known_before_its_adder_is_told(heartbeats, monkeypatch):
    """Also while a heartbeat is under way that nobody has answered."""
    async with Controller() as controller, Agent("a", join=controller) as agent:
        await until(lambda: in_step(controller))
        report = agent._engine.inner.report
        for number in range(20):
            report._send(quiet=True)
            spec = ProcessSpec(name=f"web{number}", command=("true",), instances=250 if number == 0 else 1)
            (process, *_) = await controller.add(spec, hostname="a", start=False)
            assert (await controller.processes(uuid=process.uuid, stats=False))[0].name == process.name
            report._send(quiet=True)
            await controller.delete(uuid=process.uuid)
            assert process.uuid not in controller.registry.hosts["a"].items
        await until(lambda: in_step(controller) and report._flying == 0)
    assert not any(answer.want for _, answer in heartbeats)


async def test_the_pace_is_told_and_kept(monkeypatch, heartbeats):
    monkeypatch.setattr(pace, "PER_SECOND", 4)
    async with Controller() as controller, Agent("a", join=controller) as a, Agent("b", join=controller):
        await until(lambda: [answer.every for _, answer in heartbeats].count(0.5) == 2)
        session = controller._links["a"].session
        await until(lambda: a._engine.inner.report._every == 0.5)
        assert (controller._links["a"].every, session.beat, a._engine.inner.report.spread) == (0.5, 1.0, 0.002)
        async with Agent("c", join=controller):
            await until(lambda: a._engine.inner.report._every == 0.75)
            assert session.beat == 1.5
        await until(lambda: a._engine.inner.report._every == 0.5)
        assert session.beat == 1.5  # not before it is known to have been told
        assert not session.gone.is_set()


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        (0, Pace(2.5, 0.0)),
        (3, Pace(2.5, 0.003)),
        (1000, Pace(2.5, 1.024)),
        (17_000, Pace(3.6864, 18.432)),
        (50_000, Pace(10.6496, 53.248)),
        (1_000_000, Pace(30.0, 1048.576)),
    ],
)
async def test_the_pace_of_fleets(agents, expected):
    assert Pace.of(agents) == expected


async def test_a_pace_is_for_a_step():
    steps = {pace.step(agents) for agents in range(10_000, 20_000)}
    assert (len(steps) <= 10, all(pace.step(n) - n <= n / 8 for n in range(1, 5000))) == (True, True)
    assert (pace.pause(10.0, 0.0), pace.pause(10.0, 0.5), pace.pause(10.0, 1.0)) == (10.0, 9.0, 8.0)


async def test_a_link_that_is_not_prompt_counts_for_several(place, heartbeats):
    made = new_token("bench", frozenset({"owner"}), None)
    add_line(place / "known", line_of(made))
    places = [f"unix://{place}/c", "http://127.0.0.1:0"]
    async with Controller(listen=places, auth=Auth(token_file=f"{place}/known")) as controller:
        near, far = controller.urls
        async with Agent("a", join=near):
            assert 1 == controller._attendance._weight
            async with Agent("b", join=far, token=made.token), Agent("c", join=controller):
                assert 2 + pace.HEAVY == controller._attendance._weight
            await until(lambda: controller._attendance._weight == 1)
        await until(lambda: controller._attendance._weight == 0)


async def test_agents_come_back_spread_over_time(monkeypatch):
    """None before its own moment: the dice say 0.6 s and 0.2 s."""
    monkeypatch.setattr(pace, "GREETED", 1)
    rolls = {"a": 0.3, "b": 0.1}
    async with Controller() as controller, Agent("a", join=controller) as a, Agent("b", join=controller) as b:
        await until(lambda: [agent._engine.inner.report.spread for agent in (a, b)] == [2.0, 2.0])
        lines = {"a": a._engine._links._line, "b": b._engine._links._line}
        for name, line in lines.items():
            monkeypatch.setattr(line, "_roll", lambda name=name: rolls[name])
        begin = anyio.current_time()
        cut = dict(controller._links)
        for link in cut.values():
            link.session.end("a test has cut it")
        came = {}
        while len(came) < 2:
            for name in rolls:
                if controller._links.get(name) not in (None, cut[name]) and name not in came:
                    came[name] = anyio.current_time() - begin
            await anyio.sleep(0.005)
            assert anyio.current_time() < begin + 8
    assert came["b"] > 0.2
    assert came["a"] > 0.6


AGENT = """
import sys, anyio
from procctl import Agent, ProcessSpec
from procctl.agent import links
links.HEARTBEAT = 0.6
async def main():
    async with Agent("lost", join=sys.argv[1]) as agent:
        await agent.add(ProcessSpec(name="web", command=("true",)), start=False)
        await anyio.sleep_forever()
anyio.run(main)
"""


WAITS = """
import os, sys, time
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
"""


async def detail(controller):
    return [(p.item.state, p.item.detail) for p in await controller.processes("web", stats=False)]


async def _comes_to(controller, *expected):
    with anyio.fail_after(10):
        while await detail(controller) != list(expected):
            await anyio.sleep(0.01)


async def test_a_controller_that_is_started_anew_knows_everything_again(heartbeats, place):
    url = f"unix://{place}/c"
    async with await anyio.open_process([sys.executable, "-c", WAITS + AGENT, url, f"{place}/go"]) as child:
        try:
            async with Controller(listen=url) as first:
                (place / "go").touch()
                await _comes_to(first, ("notstarted", "registered"))
            before = len(heartbeats)
            async with Controller(listen=url) as second:
                await _comes_to(second, ("notstarted", "registered"))
                assert in_step(second, "lost")
        finally:
            child.kill()
    again = [(beat.whole, answer.want) for beat, answer in heartbeats[before:]]
    assert again[:2] == [(False, "whole"), (True, "")]


async def test_an_agent_that_hangs_is_silent_and_then_lost_and_comes_back(place):
    url = f"unix://{place}/c"
    async with Controller(listen=url) as controller:
        async with await anyio.open_process([sys.executable, "-c", AGENT, url]) as child:
            try:
                await _comes_to(controller, ("notstarted", "registered"))
                controller._attendance._reach = Reach(silent_after=0.7)
                controller._attendance._sweep()
                child.send_signal(signal.SIGSTOP)
                await _comes_to(controller, ("notresponding", "heartbeat-lost"))
                assert [host.state for host in await controller.hosts()] == ["silent"]
                await _comes_to(controller, ("notresponding", "agent-lost"))
                assert [host.state for host in await controller.hosts()] == ["lost"]
                child.send_signal(signal.SIGCONT)
                await _comes_to(controller, ("notstarted", "registered"))
            finally:
                child.kill()


async def test_many_that_are_silent_are_found_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(attendance, "AT_ONCE", 2)
    async with Controller() as controller:
        turns = []
        original = controller._attendance._registry.silence
        monkeypatch.setattr(
            controller.registry, "silence", lambda host, wall: turns.append(host) or original(host, wall)
        )
        async with AsyncExitStack() as stack:
            for name in "abcde":
                await stack.enter_async_context(Agent(name, join=controller))
            await until(lambda: all(in_step(controller, name) for name in "abcde"))
            later = []
            monkeypatch.setattr(controller._attendance, "_later", lambda after, call: later.append(after))
            for name in "abcde":
                controller._attendance._silence.heard(name, -1e9)
            found = []
            for _ in range(3):
                controller._attendance._sweep()
                found.append(len(turns))
            assert (found, [after > 0 for after in later]) == ([2, 4, 5], [False, False, True])


async def test_a_silent_agent_comes_back_over_another_link_where_that_is_the_policy(place):
    url = f"unix://{place}/c"
    async with Controller(listen=url, reach=Reach(silent_after=1.0, on_silent="end")) as controller:
        async with await anyio.open_process([sys.executable, "-c", AGENT, url]) as child:
            try:
                await _comes_to(controller, ("notstarted", "registered"))
                session = controller._links["lost"].session
                child.send_signal(signal.SIGSTOP)
                await until(session.gone.is_set)
                assert session.why.startswith("nothing has come for 1")
                child.send_signal(signal.SIGCONT)
                await _comes_to(controller, ("notstarted", "registered"))
                assert controller._links["lost"].session is not session
            finally:
                child.kill()


async def test_a_lost_host_is_forgotten_where_that_is_the_policy(place):
    url = f"unix://{place}/c"
    async with Controller(listen=url, reach=Reach(forget_after=0.3)) as controller:
        async with await anyio.open_process([sys.executable, "-c", AGENT, url]) as child:
            await _comes_to(controller, ("notstarted", "registered"))
            async with controller.events() as events:
                await anext(events)
                child.kill()
                lost, removed = await anext(events), await anext(events)
        assert (lost.process.detail, removed.type, removed.process.name) == ("agent-lost", "removed", "web")
        assert await controller.hosts() == ()
        await _comes_to(controller)


@pytest.mark.parametrize("wrong", [{"silent_after": 0.0}, {"forget_after": -1.0}, {"on_silent": "stop"}])
async def test_a_policy_that_is_none(wrong):
    with pytest.raises(BadConfig):
        Reach(**wrong)
