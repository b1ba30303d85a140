"""A link is lost and comes back: every request is answered once, every stream goes on where it was."""

import anyio
import pytest
from helpers import SLEEP, deadline, sh

from procctl import Agent, Controller, PeerGone, ProcessSpec, connect
from procctl.core.happenings import Snapshot

from .proxying import proxy

pytestmark = pytest.mark.anyio


@pytest.fixture
async def both(place):
    async with Agent("here", listen=[f"unix://{place}/a"]) as agent, proxy(place / "a", place / "p") as between:
        yield agent, between


@pytest.fixture
def url(place):
    return f"unix://{place}/p"


async def test_a_request_that_waits_is_answered_over_the_next_link(both, url):
    agent, between = both
    web = await agent.start("web", SLEEP)
    async with connect(url) as fleet, anyio.create_task_group() as group:
        group.start_soon(wait_for_end, fleet)
        await anyio.sleep(0.1)
        between.cut()
        await anyio.sleep(0.1)
        await web.kill()
    assert between.connections == 2


async def wait_for_end(fleet):
    assert (await fleet.wait("web"))[0].exit.signal == "SIGKILL"


async def test_a_request_while_there_is_no_link_waits_for_one(both, url):
    _, between = both
    async with connect(url) as fleet:
        between.refusing = True
        between.cut()
        async with anyio.create_task_group() as group:
            group.start_soon(fleet.start, "web", SLEEP)
            await anyio.sleep(0.2)
            between.refusing = False
        assert (await fleet.process("web")).item.state == "running"


async def test_commands_are_carried_out_once(both, url):
    agent, between = both
    web = await agent.start("web", SLEEP)
    done = []

    async def restart(fleet):
        await fleet.restart("web")
        done.append(1)

    async with connect(url) as fleet, anyio.create_task_group() as group:
        for i in range(10):
            group.start_soon(restart, fleet)
            await anyio.sleep(0.005 * i)
            between.cut()
            await anyio.sleep(0.02)
        while len(done) < 10:
            await anyio.sleep(0.01)
    assert (len(done), (await web.refresh()).restarts <= 10, web.item.state) == (10, True, "running")


async def test_adds_are_carried_out_once(both, url):
    agent, between = both
    async with connect(url) as fleet, anyio.create_task_group() as group:
        for i in range(20):
            group.start_soon(lambda name: fleet.start(name, SLEEP), f"p{i}")
            await anyio.sleep(0.003)
            if i % 3 == 0:
                between.cut()
    assert sorted(p.name for p in await agent.processes()) == sorted(f"p{i}" for i in range(20))
    await agent.kill(all=True)


async def test_output_goes_on_without_loss_or_doubling(both, url):
    agent, between = both
    await agent.start(
        "web", sh("i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; [ $((i % 5)) = 0 ] && sleep 0.01; done")
    )
    found = []
    async with connect(url) as fleet, fleet.logs("web", follow=True) as lines:
        async for line in lines:
            found.append((line.text, line.lost))
            if len(found) % 60 == 0:
                between.cut()
            if line.text == "400":
                break
    assert found == [(str(n), 0) for n in range(1, 401)]


async def test_output_of_an_outage_is_there_even_if_none_was_read_before(both, url):
    agent, between = both
    web = await agent.start("web", sh('echo "run $PROCCTL_FENCE"; exec sleep 1000'))
    async with (
        connect(url) as fleet,
        fleet.logs("web", follow=True, tail=0) as lines,
        anyio.create_task_group() as group,
    ):
        found = []

        async def read():
            found.append((await anext(lines)).text)

        group.start_soon(read)
        await anyio.sleep(0.1)
        between.refusing = True
        between.cut()
        await web.restart()
        await anyio.sleep(0.1)
        between.refusing = False
        with anyio.move_on_after(3):
            while not found:
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert found == ["run 2"]


async def test_a_line_over_two_links_is_one_line(both, url):
    agent, between = both
    await agent.start("web", sh("printf one; sleep 0.3; echo two; exec sleep 1000"))
    async with connect(url) as fleet, fleet.logs("web", follow=True) as lines, anyio.create_task_group() as group:

        async def cut():
            await anyio.sleep(0.15)
            between.cut()

        group.start_soon(cut)
        assert (await anext(lines)).text == "onetwo"


async def test_events_go_on_without_loss_or_doubling(both, url):
    agent, between = both
    found = []
    async with connect(url) as fleet, fleet.events() as events:
        assert isinstance(await anext(events), Snapshot)
        for i in range(30):
            await agent.add(ProcessSpec(name=f"p{i}", command=("true",)), start=False)
            if i % 7 == 0:
                between.cut()
        while len(found) < 30:
            found.append((await anext(events)).process.name)
    assert found == [f"p{i}" for i in range(30)]


UUID = "12345678-1234-4234-8234-123456789abc"


async def agent_that_says(text, url, over, *, task_status):
    async with Agent("here", listen=[url]) as agent:
        (web,) = await agent.add(ProcessSpec(name="web", command=("echo", text)), uuid=UUID)
        await web.wait("stopped")
        task_status.started()
        await over.wait()


async def test_a_restarted_agent_shows_as_a_gap(place, url):
    behind = f"unix://{place}/a"
    first, second = anyio.Event(), anyio.Event()
    async with proxy(place / "a", place / "p"), anyio.create_task_group() as group:
        await group.start(agent_that_says, "one", behind, first)
        async with connect(url) as fleet, fleet.logs("web", follow=True) as lines:
            found = [await anext(lines)]
            first.set()
            while (place / "a").exists():
                await anyio.sleep(0.01)
            await group.start(agent_that_says, "two", behind, second)
            found += [await anext(lines), await anext(lines)]
        second.set()
    assert [(line.text, line.lost) for line in found] == [("one", 0), ("output was lost here", -1), ("two", 0)]


async def test_patience_ends(both, url):
    _, between = both
    async with connect(url, patience=0.2) as fleet:
        between.refusing = True
        between.cut()
        with pytest.raises(PeerGone):
            await fleet.start("web", SLEEP)
        with pytest.raises(PeerGone):
            await fleet.processes()
        with pytest.raises(PeerGone):
            async with fleet.logs() as lines:
                await anext(lines)


async def test_nobody_is_there(place):
    with deadline(), pytest.raises(PeerGone, match="nobody listens on") as caught:
        async with connect(f"unix://{place}/nobody"):
            pass
    assert caught.value.hint == "procctl up starts an agent there, procctl controller a controller"


async def test_an_agent_may_be_there_before_its_controller(place, caplog):
    url = f"unix://{place}/controller"
    with deadline(), pytest.raises(PeerGone, match="nobody listens on"):
        async with Agent("a", join=url):
            pass
    with deadline():
        async with Agent("a", join=url, await_join=False) as agent:
            web = await agent.start("web", SLEEP, mode="one", until="accepted")
            free = await agent.start("free", SLEEP, admission=False)
            assert ("pending", "running") == ((await web.refresh()).state, (await free.refresh()).state)
            assert f"waits for permission to run; the controller {url} is not there" == web.item.why.text
            async with Controller(listen=url) as controller:
                await agent.wait("web", until="running")
                assert ["a"] == [host.name for host in await controller.hosts()]
    assert ["it is tried again until somebody does"] == [
        record.message.partition(": ")[2] for record in caplog.records if record.name.startswith("procctl")
    ]


async def test_an_agent_that_nobody_waits_for_ends_as_any_other(place):
    with deadline():
        async with Agent("a", join=f"unix://{place}/controller", await_join=False) as agent:
            await agent.start("web", SLEEP, until="accepted")


async def test_a_hung_agent_is_noticed(both, url, monkeypatch):
    monkeypatch.setattr("procctl.link.connect.HEARTBEAT", 0.1)
    _, between = both
    async with connect(url, patience=0.3) as fleet:
        await fleet.processes()
        between.hung = True
        between.refusing = True
        with pytest.raises(PeerGone):
            await fleet.processes()


async def test_a_hung_client_is_noticed(both, url, monkeypatch):
    monkeypatch.setattr("procctl.link.connect.HEARTBEAT", 0.1)
    _, between = both
    async with connect(url) as fleet:
        between.hung = True
        await anyio.sleep(0.6)
        between.cut()
        between.hung = False
        assert (await fleet.processes(), between.connections >= 2) == ([], True)


async def test_a_quiet_link_is_kept_up_by_heartbeats(both, url, monkeypatch):
    monkeypatch.setattr("procctl.link.connect.HEARTBEAT", 0.3)
    _, between = both
    async with connect(url) as fleet:
        await anyio.sleep(2)
        assert (await fleet.processes(), between.connections) == ([], 1)


async def test_an_agent_comes_back_to_its_controller(place, url):
    with deadline():
        async with Controller(listen=[f"unix://{place}/a"]) as controller, proxy(place / "a", place / "p") as between:
            async with Agent("here", join=url) as agent:
                await agent.start("web", SLEEP)
                for _ in range(3):
                    between.cut()
                    await agent.restart("web")
                    await controller.wait("web", until="running")
                while (await controller.process("web")).item.restarts < 3:
                    await anyio.sleep(0.01)
                assert (await controller.process("web")).item.state == "running"
