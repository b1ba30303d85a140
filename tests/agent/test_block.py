"""An agent's block: before, after, beside others."""

import asyncio
import os

import anyio
import pytest
from helpers import DEADLINE, SLEEP, deadline, sh, texts

from procctl import Agent, NoSuchTarget, ProcessSpec, Refused, State, ready
from procctl.errors import BadConfig, Closed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("use", ["processes", "info", "start"])
async def test_before_it_is_entered(use):
    agent = Agent()
    with pytest.raises(Closed):
        await (agent.start(all=True) if use == "start" else getattr(agent, use)())


async def test_streams_before_it_is_entered():
    with pytest.raises(Closed):
        async with Agent().events() as events:
            await anext(events)


async def test_after_it_was_left():
    with deadline():
        async with Agent() as agent:
            web = await agent.start("web", SLEEP)
        for use in (agent.processes, web.refresh, web.stop, agent.info):
            with pytest.raises(Closed):
                await use()
        with pytest.raises(Closed):
            async with agent.logs():
                pass


async def test_it_is_entered_once():
    with deadline():
        async with Agent() as agent:
            with pytest.raises(Closed):
                async with agent:
                    pass
            assert await agent.processes() == []
        with pytest.raises(Closed):
            async with agent:
                pass


async def test_a_wait_ends_when_the_block_is_left():
    seen = []

    async def wait(agent):
        seen.append((await agent.wait("web"))[0].exit.signal)

    with deadline():
        async with anyio.create_task_group() as group:
            async with Agent() as agent:
                await agent.start("web", SLEEP)
                group.start_soon(wait, agent)
                await anyio.sleep(0.05)
    assert seen == ["SIGTERM"]


async def test_a_follower_ends_when_the_block_is_left():
    async def follow(agent):
        try:
            async with agent.logs(follow=True) as lines:
                async for _ in lines:
                    pass
        except Closed:
            pass

    with deadline(5):
        async with anyio.create_task_group() as group:
            async with Agent() as agent:
                group.start_soon(follow, agent)
                await agent.start("web", sh("echo one; exec sleep 1000"))
                await anyio.sleep(0.05)


async def test_several_agents_in_one_program():
    with deadline():
        async with Agent("one") as one, Agent("two") as two:
            a, b = await one.start("web", SLEEP), await two.start("web", SLEEP)
            await one.stop("web")
            assert (a.pid != b.pid, (await a.refresh()).state, (await b.refresh()).state) == (
                True,
                "stopped",
                "running",
            )


async def test_its_name_is_the_hosts(monkeypatch):
    monkeypatch.setenv("B0_HOST_ID", "from-the-environment")
    with deadline():
        async with Agent() as agent, Agent("given") as other:
            assert ((await agent.info()).name, (await other.info()).name) == ("from-the-environment", "given")


async def test_about_itself():
    with deadline():
        async with Agent("here", config="x.toml") as agent:
            await agent.start("web", SLEEP)
            await agent.add(ProcessSpec(name="idle", command=("true",)), start=False)
            info = await agent.info()
            assert (info.name, info.pid, info.processes, info.running) == ("here", os.getpid(), 2, 1)
            assert (info.urls, info.joined, info.config) == ((), "", "x.toml")


async def test_statistics():
    with deadline():
        async with Agent() as agent:
            await agent.start("busy", sh("while :; do :; done"))
            await agent.start("idle", SLEEP)
            await agent.processes()
            await anyio.sleep(1.1)
            found = {process.name: process.item for process in await agent.processes()}
            assert (found["busy"].cpu > 20, found["idle"].cpu < 20) == (True, True)
            assert (found["busy"].memory > 100_000, found["busy"].uptime >= 1) == (True, True)
            assert [p.item.memory for p in await agent.processes(stats=False)] == [0, 0]
            await agent.kill(all=True)
            assert [p.item.cpu for p in await agent.processes()] == [0, 0]


async def test_shutdown_is_answered_when_all_is_empty():
    with deadline():
        seen = []

        async def ask(agent):
            await agent.shutdown()
            seen.append("answered")

        async with anyio.create_task_group() as group:
            async with Agent() as agent:
                await agent.start("web", SLEEP)
                group.start_soon(ask, agent)
                await agent.asked_to_stop()
                assert seen == []
        assert seen == ["answered"]


@pytest.mark.parametrize("command", ["stop", "kill", "restart", "delete", "start"])
async def test_everything_needs_to_be_said(command):
    with deadline():
        async with Agent() as agent:
            web = await agent.start("web", SLEEP)
            with pytest.raises(Refused) as caught:
                await getattr(agent, command)()
            assert (caught.value.code, (await web.refresh()).state) == ("needs-all", "running")
            await agent.kill(all=True)


async def test_targets():
    with deadline():
        async with Agent("here") as agent:
            for name, group in (("w1", "a"), ("w2", "b"), ("x", "a")):
                await agent.add(ProcessSpec(name=name, command=("true",), group=group), start=False)

            async def names(**target):
                return [process.name for process in await agent.processes(**target)]

            uuid = (await agent.process("x")).uuid
            assert await names(name="w*") == ["w1", "w2"]
            assert await names(group="a") == ["w1", "x"]
            assert await names(name="w*", group="a") == ["w1"]
            assert await names(uuid=uuid) == await names(uuid=uuid[:8]) == ["x"]
            assert (await names(hostname="here"), await names(hostname="there")) == (["w1", "w2", "x"], [])
            with pytest.raises(NoSuchTarget, match="did you mean 'x'"):
                await agent.process("xx")


async def test_a_command_is_no_text():
    with deadline():
        async with Agent() as agent:
            with pytest.raises(BadConfig, match="shlex"):
                await agent.start("web", "sleep 1000")
            with pytest.raises(BadConfig, match="a process has no 'colour'"):
                await agent.start("web", SLEEP, colour="red")


@pytest.mark.parametrize(
    "declared", [{"instances": 0}, {"env": {"A=B": "x"}}, {"group": "*"}, {"name": "all"}, {"command": ("",)}]
)
async def test_a_spec_that_cannot_be(declared):
    with deadline():
        async with Agent() as agent:
            with pytest.raises(Refused) as caught:
                await agent.add(ProcessSpec(**{"name": "web", "command": ("true",), **declared}))
            assert (caught.value.code, await agent.processes()) == ("bad-spec", [])


async def test_a_process_shows_what_is_known_of_it():
    with deadline():
        async with Agent() as agent:
            web = await agent.start("web", SLEEP)
            assert repr(web) == f"<Process web running/up pid={web.pid}>"
            await web.kill()
            assert (web.state, await texts(web)) == (State.STOPPED, [])


def test_under_a_loop_that_anyio_has_not_started():
    async def whole():
        async with Agent() as agent:
            daemon = sh("(setsid sleep 1000 &); trap '' TERM; echo up; while :; do sleep 0.1; done")
            web = await agent.start("web", daemon, ready=ready.log("up"))
            return await asyncio.wait_for(web.stop(grace=0.1), DEADLINE)

    assert asyncio.run(whole()).signal == "SIGKILL"
