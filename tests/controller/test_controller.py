"""Several agents as one fleet."""

import sys

import anyio
import pytest
from helpers import SLEEP, sh

import procctl
from procctl import Agent, Controller, Denied, Failed, NoSuchTarget, ProcessSpec, Refused, State

pytestmark = pytest.mark.anyio


@pytest.fixture
async def fleet():
    async with Controller() as controller, Agent("a.x", join=controller) as a, Agent("b.x", join=controller) as b:
        while len(controller.registry.hosts) < 2:
            await anyio.sleep(0.01)
        yield controller, a, b


async def seen(look):
    """Wait until the controller has heard of it."""
    while True:
        try:
            if value := await look():
                return value
        except NoSuchTarget:
            pass
        await anyio.sleep(0.01)


async def test_a_start_goes_to_its_host(fleet):
    controller, a, b = fleet
    web = await controller.start("web", SLEEP, hostname="b.x")
    assert (web.hostname, len(await a.processes()), len(await b.processes())) == ("b.x", 0, 1)
    assert (await web.stop()).signal == "SIGTERM"


async def test_an_add_must_mean_one_host_or_each(fleet):
    controller, a, b = fleet
    spec = ProcessSpec(name="web", command=tuple(SLEEP))
    with pytest.raises(Refused):
        await controller.add(spec, hostname="*.x")
    with pytest.raises(Refused):
        await controller.add(spec, hostname="nowhere")
    found = await controller.add(spec, hostname="*.x", each=True)
    assert sorted(p.hostname for p in found) == ["a.x", "b.x"]
    assert [len(await agent.processes()) for agent in (a, b)] == [1, 1]


async def test_targets_over_hosts(fleet):
    controller, _, _ = fleet
    for host in ("a.x", "b.x"):
        await controller.start("web", SLEEP, hostname=host)
    assert {i.hostname for i in await controller.stop("web", hostname="a.*")} == {"a.x"}
    assert {i.hostname for i in await controller.start("web")} == {"a.x", "b.x"}
    assert {p.state for p in await controller.processes("w*")} == {State.RUNNING}
    with pytest.raises(NoSuchTarget, match="did you mean 'web'"):
        await controller.stop("wep")
    await controller.kill(all=True)


async def test_one_in_the_fleet(fleet):
    controller, _, _ = fleet
    await controller.start("web", SLEEP, hostname="a.x", mode="one")
    with pytest.raises(Denied, match=r"web runs on a\.x"):
        await controller.start("web", SLEEP, hostname="b.x", mode="one")
    await controller.stop("web", hostname="a.x")
    (item,) = await controller.start("web", hostname="b.x")
    assert item.state == "running"


async def test_one_on_each_host(fleet):
    controller, _, _ = fleet
    for host in ("a.x", "b.x"):
        await controller.start("web", SLEEP, hostname=host, mode="one", scope="host")
    assert [p.state for p in await controller.processes("web")] == [State.RUNNING] * 2


async def test_force_displaces(fleet):
    controller, a, _ = fleet
    first = await controller.start("web", SLEEP, hostname="a.x", mode="one")
    await controller.start("web", SLEEP, hostname="b.x", mode="force")
    assert ((await a.process("web")).item.state, (await a.process("web")).exit.signal) == ("stopped", "SIGTERM")
    assert (await first.refresh()).why.text.startswith("stopped by")


async def test_many_is_the_default(fleet):
    controller, _, _ = fleet
    for host in ("a.x", "b.x"):
        assert (await controller.start("web", SLEEP, hostname=host)).state == State.RUNNING


async def test_an_approval():
    async with (
        Controller(approval=[lambda request, fleet: procctl.ask()]) as controller,
        Agent("a", join=controller) as a,
    ):
        with pytest.raises(Denied) as caught:
            await a.start("web", SLEEP)
        assert caught.value.code == "approval-pending"
        (approval,) = await controller.approvals()
        assert (approval.name, approval.hostname) == ("web", "a")
        await controller.approve(approval.approval)
        await a.wait("web", until="running")
        with pytest.raises(Denied):
            await a.restart("web")
        (approval,) = await controller.approvals()
        await controller.deny(approval.approval, "not today")
        await a.wait("web", until="stopped")
        assert "not today" in (await a.process("web")).item.why.text
        with pytest.raises(NoSuchTarget):
            await controller.approve("no such")


async def test_hosts_that_may():
    async with Controller(approval=[procctl.hosts("*.good")]) as controller:
        async with Agent("a.good", join=controller) as good, Agent("a.bad", join=controller) as bad:
            assert (await good.start("web", SLEEP)).state == State.RUNNING
            with pytest.raises(Denied, match=r"a\.bad is not among \*\.good"):
                await bad.start("web", SLEEP)


async def test_output_of_all_hosts(fleet):
    controller, a, b = fleet
    await a.start("web", sh("echo from a; exec sleep 1000"))
    await b.start("web", sh("echo from b; exec sleep 1000"))
    await seen(lambda: two(controller))
    found = set()
    async with controller.logs("web", follow=True) as lines:
        while len(found) < 2:
            line = await anext(lines)
            found.add((line.hostname, line.text))
    assert found == {("a.x", "from a"), ("b.x", "from b")}


async def two(controller):
    return len(await controller.processes("web")) == 2


async def test_events_of_all_hosts(fleet):
    controller, a, b = fleet
    async with controller.events() as events:
        await anext(events)
        await a.add(ProcessSpec(name="one", command=("true",)), start=False)
        first = await anext(events)
        await b.add(ProcessSpec(name="two", command=("true",)), start=False)
        second = await anext(events)
    assert [(e.process.hostname, e.process.name) for e in (first, second)] == [("a.x", "one"), ("b.x", "two")]


async def test_an_agent_leaves_and_comes_back():
    async with Controller() as controller:
        for _ in range(2):
            async with Agent("a", join=controller) as agent:
                await agent.start("web", SLEEP)
                await seen(lambda: controller.process("web"))
            items = [p.item.state for p in await controller.processes()]
            assert "running" not in items


async def test_an_agent_that_is_lost_is_not_responding(place):
    script = f"""
import anyio, sys
from procctl import Agent
async def main():
    async with Agent("lost", join="unix://{place}/c") as agent:
        await agent.add(__import__("procctl").ProcessSpec(name="web", command=("true",)), start=False)
        await anyio.sleep_forever()
anyio.run(main)
"""
    async with Controller(listen=[f"unix://{place}/c"]) as controller:
        child = await anyio.open_process([sys.executable, "-c", script])
        async with child:
            await seen(lambda: controller.process("web"))
            child.kill()
            await child.wait()

            async def lost():
                return [p.state for p in await controller.processes("web")] == [State.NOTRESPONDING]

            await seen(lost)
            with pytest.raises((Refused, procctl.PeerGone, Failed)):
                await controller.start("web")


async def test_a_name_joins_once(fleet):
    controller, _, _ = fleet
    with pytest.raises(Refused, match="has joined already"):
        async with Agent("a.x", join=controller):
            pass


async def test_over_a_socket(place):
    url = f"unix://{place}/c"
    async with Controller(listen=[url]), Agent("a", join=url) as agent, procctl.connect(url) as client:
        await agent.start("web", SLEEP)
        await seen(lambda: client.process("web"))
        assert (await client.stop("web"))[0].exit.signal == "SIGTERM"
        assert (await client.info()).name == "controller"


async def test_an_agent_is_no_controller():
    async with Agent("a", listen=["memory:agent"]):
        with pytest.raises(Refused, match="is an agent, not a controller"):
            async with Agent("b", join="memory:agent"):
                pass


async def test_policies_are_the_controllers():
    async with Controller() as controller:
        with pytest.raises(procctl.errors.BadConfig):
            Agent(join=controller, approval=[procctl.hosts("*")])
