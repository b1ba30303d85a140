"""A fleet whose processes all fail together: a few restarts at a time, the others wait and say so."""

import anyio
import pytest
from helpers import SLEEP, until

from procctl import Agent, Controller, Denied, RestartBudget, RestartSpec, ask
from procctl.abc import Caller, Pending
from procctl.controller.turnstile import Turnstile
from procctl.core.events import Now
from procctl.core.messages import Done, HeldForPerson, LeaseWithdraw, Permit

pytestmark = pytest.mark.anyio

AGAIN = RestartSpec(policy="always", delay=(0.0, 0.01), limit=None)


def up(agents, restarts=1):
    """Whether everything runs and was restarted so often."""
    processes = [p for agent in agents for p in agent._engine.inner.host.processes.values()]
    return all(p.phase.detail == "up" and p.restarts >= restarts for p in processes)


async def test_a_storm_is_let_in_little_by_little(monkeypatch):
    most, waited = [], set()
    original = Turnstile._move

    def noting(self, budget):
        original(self, budget)
        most.append(budget.under_way)

    monkeypatch.setattr(Turnstile, "_move", noting)
    budget = RestartBudget(3, settle=0.05)
    async with (
        Controller(restarts=budget) as controller,
        Agent("a", join=controller) as a,
        Agent("b", join=controller) as b,
    ):
        for agent in (a, b):
            await agent.start("web", SLEEP, instances=8, restart=AGAIN)
        assert most == []  # what people start has no need of a turn
        await controller.signal("SIGKILL", "web", hostname="*")
        while not up((a, b)):
            for process in await controller.processes(stats=False):
                item = process.item
                if item.why.code == "queued":
                    waited.add((item.uuid, (item.state, item.detail, item.why.text)))
            await anyio.sleep(0.005)
    assert (max(most), most[-1] <= 3) == (3, True)
    text = "waits for its turn: at most 3 automatic restarts are under way in the fleet at a time"
    assert {how for _, how in waited} == {("pending", "asking", text)}
    assert len(waited) >= 8


async def test_patience_for_a_turn_is_none_for_a_person():
    """Its turn came after it was told to wait and before it asked again to wait."""
    asked = []

    class Door:
        def submit(self, request, caller, run="", hostname=""):
            asked.append(request)
            return Pending.of(HeldForPerson(why="a person was asked") if isinstance(request, Permit) else Done())

    def permit(name, **more):
        return Permit(rid=name, slot=name, uuid=name, hostname="a", mode="many", again=True, **more)

    now = Now(anyio.current_time(), 0.0)
    turnstile = Turnstile(RestartBudget(1), Door(), lambda: now, lambda after, call: None)
    turnstile._budget.ask("first", "first", now)
    told = turnstile.submit(permit("web"), Caller(name="a")).reply
    assert (told.queued, asked) == (True, [])
    turnstile.submit(LeaseWithdraw(rid="first"), Caller(name="a"))
    held = turnstile.submit(permit("web", patient=True), Caller(name="a")).reply
    assert (held, asked[-1].patient) == (HeldForPerson(why="a person was asked"), False)
    turnstile.submit(permit("web", patient=True), Caller(name="a"))
    assert (asked[-1].patient, turnstile._budget.under_way) == (True, 0)


async def test_what_somebody_starts_waits_for_nobody():
    budget = RestartBudget(1, settle=1000.0, patience=1000.0)
    async with Controller(restarts=budget) as controller, Agent("a", join=controller) as a:
        await a.start("web", SLEEP, instances=2, restart=AGAIN)
        await a.signal("SIGKILL", "web")
        host = a._engine.inner.host
        await until(lambda: any(p.why.code == "queued" for p in host.processes.values()))
        (waiting,) = [p.name for p in host.processes.values() if p.why.code == "queued"]
        (item,) = await a.start(waiting)
        assert (item.detail, item.why.text.startswith("started by local")) == ("up", True)
        await a.signal("SIGKILL", waiting)
        await until(lambda: any(p.why.code == "queued" for p in host.processes.values()))
        await a.stop(waiting)
        await until(lambda: controller._turnstile._budget.waiting == 0)


async def test_who_waits_finds_its_place_again_over_another_link(place):
    budget = RestartBudget(1, settle=0.3)
    url = f"unix://{place}/c"
    async with Controller(listen=url, restarts=budget) as controller, Agent("a", join=url) as a:
        await a.start("web", SLEEP, instances=4, restart=AGAIN)
        await a.signal("SIGKILL", "web")
        await until(lambda: controller._turnstile._budget.waiting == 3)
        controller._links["a"].session.end("a test has cut it")
        await until(lambda: up((a,)))
        assert controller._turnstile._budget.waiting == 0


async def test_a_restart_that_waits_for_a_person_has_no_turn():
    def careful(request, fleet):
        return ask() if asking else None

    asking = []
    budget = RestartBudget(1, settle=0.0)
    async with Controller(restarts=budget, approval=[careful]) as controller, Agent("a", join=controller) as a:
        await a.start("web", SLEEP, instances=3, restart=AGAIN)
        asking.append(True)
        await a.signal("SIGKILL", "web")
        await until(lambda: len(controller.door.gate.open) == 3)
        host = a._engine.inner.host
        await until(lambda: {p.phase.detail for p in host.processes.values()} == {"held"})
        assert controller._turnstile._budget.under_way == 0
        for approval in await controller.approvals():
            await controller.approve(approval.approval)
        await until(lambda: up((a,)))
        with pytest.raises(Denied):
            await a.start("new", SLEEP)
