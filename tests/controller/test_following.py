"""Output of a whole fleet, through agents that leave, are lost, and come back."""

import anyio
import pytest
from helpers import SLEEP, deadline, sh, until
from link.proxying import proxy

from procctl import Agent, Auth, Controller, NoSuchTarget, Refused, connect
from procctl.link.tokens import add_line, line_of, new_token

pytestmark = pytest.mark.anyio

TALK = sh("i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done")


@pytest.fixture
async def fleet(place):
    """A controller, and an agent whose link can be cut."""
    async with (
        Controller(listen=f"unix://{place}/c") as controller,
        proxy(place / "c", place / "p") as between,
        Agent("far", join=f"unix://{place}/p") as far,
    ):
        yield controller, far, between


async def lines_of(lines, name, count):
    found = []
    while len(found) < count:
        line = await anext(lines)
        if line.lost or line.name == name:
            found.append(line)
    return found


async def test_a_link_that_is_cut_loses_nothing(fleet):
    controller, far, between = fleet
    await far.start("web", TALK)
    with deadline():
        await known(controller, "web")
        async with controller.logs(follow=True) as lines:
            found = []
            for _ in range(4):
                found += await lines_of(lines, "web", 30)
                between.cut()
            found += await lines_of(lines, "web", 30)
    assert [(line.text, line.lost) for line in found] == [(str(i), 0) for i in range(1, 151)]


async def known(controller, name):
    while not await controller.processes(name):
        await anyio.sleep(0.01)


async def test_another_run_of_an_agent_is_a_gap(place):
    """Also for a client over a socket, and while another host goes on."""
    url = f"unix://{place}/c"
    async with Controller(listen=url), Agent("near", join=url) as near, connect(url) as client:
        await near.start("steady", TALK)
        with deadline():
            async with client.logs(follow=True) as lines:
                for run in range(3):
                    async with Agent("far", join=url) as far:
                        await far.start("web", sh(f"echo run {run}; exec sleep 1000"))
                        found = await lines_of(lines, "web", 1 if run == 0 else 2)
                        assert [line.text for line in found if not line.lost] == [f"run {run}"]
                        assert [line.lost for line in found if line.lost] == ([-1] if run else [])
                    await lines_of(lines, "steady", 5)


async def test_a_host_that_joins_later_is_followed(place):
    async with Controller() as controller, Agent("a", join=controller) as a:
        await a.start("web", sh("echo from a; exec sleep 1000"))
        await known(controller, "web")
        with deadline():
            async with controller.logs("web", follow=True) as lines:
                assert (await anext(lines)).text == "from a"
                async with Agent("b", join=controller) as b:
                    await b.start("other", sh("echo nothing; exec sleep 1000"))
                    await b.start("web", sh("echo from b; exec sleep 1000"))
                    line = await anext(lines)
                    assert (line.hostname, line.text) == ("b", "from b")


async def test_a_fleet_without_hosts_can_be_followed():
    async with Controller() as controller:
        with deadline():
            async with controller.logs(follow=True) as lines, Agent("a", join=controller) as a:
                await a.start("web", sh("echo hello; exec sleep 1000"))
                assert (await anext(lines)).text == "hello"
        with pytest.raises(NoSuchTarget):
            async with controller.logs("web", follow=True) as lines:
                await anext(lines)


async def test_a_cursor_that_is_none_is_refused(fleet):
    controller, far, _ = fleet
    await far.start("web", SLEEP)
    await known(controller, "web")
    with deadline(), pytest.raises(Refused, match="no cursor"):
        async with controller.logs("web", follow=True, since="nonsense") as lines:
            await anext(lines)


async def test_it_ends_with_the_controller():
    async with anyio.create_task_group() as group:
        ended = anyio.Event()
        entered = anyio.Event()

        async def follow(controller):
            async with controller.logs(follow=True) as lines:
                entered.set()
                assert [line async for line in lines] == []
            ended.set()

        async with Controller() as controller:
            group.start_soon(follow, controller)
            await entered.wait()
        with deadline():
            await ended.wait()


async def test_events_tell_of_hosts_that_are_lost_and_come_back(fleet):
    controller, far, between = fleet
    web = await far.start("web", SLEEP)
    await known(controller, "web")
    await until(lambda: controller.registry.processes("web")[0].pid)
    with deadline():
        async with controller.events() as events:
            await anext(events)
            between.cut()
            seen = [await anext(events) for _ in range(2)]
            assert [event.process.state for event in seen] == ["notresponding", "running"]
            await web.stop()
            while (await anext(events)).process.state != "stopped":
                pass


async def test_hosts_say_when_they_were_heard(fleet):
    controller, _, between = fleet
    (host,) = await controller.hosts()
    assert (host.name, host.state, host.transport, host.features["procfs"]) == ("far", "joined", "unix", True)
    between.refusing = True
    between.cut()
    with deadline():
        while (await controller.hosts())[0].state == "joined":
            await anyio.sleep(0.01)
        (lost,) = await controller.hosts("f*")
        assert (lost.heard >= host.heard, await controller.hosts("x")) == (True, ())
        between.refusing = False
        while (await controller.hosts())[0].state == "lost":
            await anyio.sleep(0.01)


async def test_a_refusal_later_on_is_told(place, caplog):
    """An agent that is not let in any more tries again, ever more seldom, and says why once."""
    made = new_token("web", frozenset({"agent", "viewer"}), None)
    add_line(place / "t", line_of(made))
    url = f"unix://{place}/c?as=nobody"
    async with (
        Controller(listen=url, auth=Auth(token_file=place / "t")) as controller,
        Agent("web", join=url, token=made.token),
        connect(url, token=made.token, patience=0.3) as client,
    ):
        (place / "t").write_text("")
        controller._links["web"].session.end("for the test")
        await until(lambda: "does not let us in again" in caplog.text)
        assert await client.hosts() != ()
        (place / "t").write_text(line_of(made))
        await until(lambda: "web" in controller._links)
    assert caplog.text.count("does not let us in again") == 1
    assert made.token not in caplog.text
