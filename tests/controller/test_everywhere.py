"""A fleet over every transport, agents and clients on different ones: each verb, each kind of loss."""

import signal
import subprocess
import sys

import anyio
import pytest
from helpers import SLEEP, becomes, deadline, sh, until

import procctl
from procctl import Agent, Controller, Denied, NoSuchTarget, PeerGone, ProcessSpec, Refused, State, connect

from .reaching import WAYS, Keys, each_unix, each_way, each_wire, listening

pytestmark = pytest.mark.anyio


@pytest.fixture
def keys(place):
    made = Keys(place)
    made.add("web-01", {"agent"})
    made.add("ann", {"viewer"})
    made.add("bob", {"operator"})
    return made


def several(way):
    """A way, and another one beside it."""
    return way, WAYS[1] if way is not WAYS[1] else WAYS[0]


async def seen(look):
    """Wait until a controller knows it."""
    with deadline():
        while True:
            try:
                if value := await look():
                    return value
            except NoSuchTarget:
                pass
            await anyio.sleep(0.01)


@each_way
async def test_every_verb(place, keys, way):
    """The agent comes over one transport, and the client over another; and the other way round."""
    ways = several(way)

    def controller(**options):
        return Controller(auth=keys.auth, approval=[careful], **options)

    def careful(request, fleet):
        return procctl.ask() if request.slot.startswith("held") else None

    for order in (1, -1):
        async with listening(controller, *ways, folder=place, what="c") as (_, urls):
            agents, clients = urls[::order]
            async with (
                Agent("web-01", join=agents, auth=keys("web-01")),
                connect(clients, auth=keys("owner")) as fleet,
            ):
                await verbs(fleet)


async def verbs(fleet):
    (host,) = await fleet.hosts("web-*")
    assert (host.name, host.state, host.processes) == ("web-01", "joined", 0)
    command = sh("trap 'echo usr' USR1; trap '' TERM; echo up; while :; do sleep 0.05; done")
    spec = ProcessSpec(name="web", command=tuple(command), stop=procctl.StopSpec(steps=(("SIGTERM", 0.1),)))
    (web,) = await fleet.add(spec, start=False)
    assert (web.hostname, web.state) == ("web-01", State.NOTSTARTED)
    async with fleet.events() as events, fleet.logs("web", follow=True) as lines:
        await anext(events)
        assert (await web.start()).state == "running"
        assert (await anext(lines)).text == "up"
        await fleet.signal("SIGUSR1", "web")
        assert (await anext(lines)).text == "usr"
        while (await anext(events)).process.state != "running":
            pass
        pid = web.pid
        await web.restart()
        assert web.pid != pid
        assert (await anext(lines)).text == "up"
    assert (await web.stop(grace=0.05)).signal == "SIGKILL"
    await fleet.start(all=True)
    assert (await web.kill()).signal == "SIGKILL"
    await fleet.wait("web", until="stopped")
    with pytest.raises(Denied) as caught:
        await fleet.start("held", SLEEP)
    assert caught.value.code == "approval-pending"
    await fleet.approve((await fleet.approvals())[0].approval)
    await fleet.wait("held", until="running")
    with pytest.raises(Denied):
        await fleet.restart("held")
    await fleet.deny((await fleet.approvals())[0].approval, "no")
    await fleet.wait("held", until="stopped")
    assert (await fleet.info()).role == "controller"
    await fleet.delete(all=True)
    assert await fleet.processes() == []


@each_way
async def test_several_listeners_of_an_agent(place, keys, way):
    def agent(**options):
        return Agent("a", auth=keys.auth, **options)

    async with listening(agent, *several(way), folder=place, what="a") as (_, urls):
        async with connect(urls[0], auth=keys("owner")) as one, connect(urls[1], auth=keys("owner")) as other:
            await one.start("web", SLEEP)
            assert [p.name for p in await other.processes()] == ["web"]
            (here,) = await other.hosts()
            assert (here.name, here.state, here.running, bool(here.features)) == ("a", "here", 1, True)
            assert await other.hosts("b") == ()


@each_wire
async def test_rights_hold_through_a_controller(place, keys, way):
    if not way.query and way.name == "unix":
        pytest.skip("whoever gets there is the owner")

    def controller(**options):
        return Controller(auth=keys.auth, **options)

    async with listening(controller, way, folder=place, what="c") as (_, (url,)):
        async with Agent("web-01", join=url, auth=keys("web-01")) as agent:
            await agent.start("web", SLEEP)
            async with connect(url, auth=keys("ann")) as ann, connect(url, auth=keys("bob")) as bob:
                await seen(lambda: ann.process("web"))
                (host,) = await ann.hosts()
                assert (host.identity, host.roles) == ("token:web-01", ("agent",))
                for command in (lambda: ann.stop("web"), lambda: bob.start("sh", ["sh"]), lambda: bob.delete("web")):
                    with pytest.raises(Denied) as caught:
                        await command()
                    assert caught.value.code == "forbidden"
                await bob.stop("web")
            with pytest.raises(Denied, match="may not join"):
                async with Agent("web-02", join=url, auth=keys("ann")):
                    pass


@each_way
async def test_a_name_stays_whose_it_was(place, keys, way):
    if way.query == "" and way.name in ("memory", "unix"):
        pytest.skip("all are the owner there")
    keys.add("eve", {"agent"})

    def controller(**options):
        return Controller(auth=keys.auth, **options)

    async with listening(controller, way, folder=place, what="c") as (fleet, (url,)):
        async with Agent("web-01", join=url, auth=keys("web-01")):
            with pytest.raises(Refused, match="has joined already"):
                async with Agent("web-01", join=url, auth=keys("eve")):
                    pass
            assert [h.identity for h in await fleet.hosts()] == ["token:web-01"]
        with pytest.raises(Denied, match="belongs to token:web-01 here, and this is token:eve"):
            async with Agent("web-01", join=url, auth=keys("eve")):
                pass
        async with Agent("eve", join=url, auth=keys("eve")), Agent("web-01", join=url, auth=keys("web-01")):
            assert {h.identity for h in await fleet.hosts()} == {"token:web-01", "token:eve"}


# agents that are programs of their own ----------------------------------------------------------------------------

PROGRAM = """
import sys
import anyio, procctl
async def main(name, url, file):
    async with procctl.Agent(name, join=url, auth=procctl.Auth(token_file=file)) as agent:
        await agent.start("web", ["sleep", "1000"], mode="one")
        await anyio.sleep_forever()
anyio.run(main, *sys.argv[1:])
"""


@pytest.fixture
def program():
    """Begins agents, and sees to their ends and those of what they ran."""
    running = []

    def begin(name, url, file):
        running.append(subprocess.Popen([sys.executable, "-c", PROGRAM, name, url, str(file)]))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
async def fleet(place, keys, way):
    def controller(**options):
        return Controller(auth=keys.auth, **options)

    async with listening(controller, way, folder=place, what="c") as (made, (url,)):
        yield made, url


@each_unix
async def test_an_agent_that_is_killed_and_comes_back(fleet, keys, program, way):
    controller, url = fleet
    agent = program("web-01", url, keys.folder / "web-01.token")
    old = await seen(lambda: controller.process("web"))
    await becomes(old, lambda item: item.state == "running")
    stray, first = old.pid, (await controller.hosts())[0].epoch
    async with connect(url, auth=keys("owner")) as client, anyio.create_task_group() as group:
        answers = []

        async def stop():
            try:
                await client.wait("web", until="stopped")
            except (PeerGone, procctl.Failed) as error:
                answers.append(error)

        group.start_soon(stop)
        await anyio.sleep(0.1)
        agent.kill()
        await until(lambda: answers)
        assert isinstance(answers[0], PeerGone)
        with pytest.raises(PeerGone):
            await client.stop("web")
        (host,) = await client.hosts()
        assert (host.state, host.running) == ("lost", 0)
        assert (await client.process("web")).state == State.NOTRESPONDING
    subprocess.run(["kill", str(stray)], check=False)
    program("web-01", url, keys.folder / "web-01.token")

    async def again():
        (host,) = await controller.hosts()
        pids = [process.pid for process in await controller.processes("web") if process.uuid != old.uuid]
        return host.state == "joined" and host.epoch != first and any(pids)

    await seen(again)
    (web,) = await controller.processes("web")
    await web.stop()


@each_unix
async def test_an_agent_that_hangs_and_goes_on(fleet, keys, program, way, monkeypatch):
    controller, url = fleet
    monkeypatch.setattr("procctl.link.session.MISSED", 0.1)
    agent = program("web-01", url, keys.folder / "web-01.token")
    web = await seen(lambda: controller.process("web"))
    await becomes(web, lambda item: item.state == "running")
    pid, epoch = web.pid, (await controller.hosts())[0].epoch
    agent.send_signal(signal.SIGSTOP)
    await seen_state(controller, "lost")
    agent.send_signal(signal.SIGCONT)
    monkeypatch.setattr("procctl.link.session.MISSED", 3)
    await seen_state(controller, "joined")
    assert ((await controller.hosts())[0].epoch, (await web.refresh()).pid) == (epoch, pid)
    await web.stop()
    agent.terminate()


async def seen_state(controller, state):
    async def look():
        return [host.state for host in await controller.hosts()] == [state]

    await seen(look)
