"""When commands are answered, and that the same one is carried out once."""

import anyio
import pytest
from helpers import SLEEP, STUBBORN, deadline, sh

from procctl import Agent, ProcessSpec, Refused, StopSpec, ready
from procctl.abc import Call
from procctl.core.messages import Add, Restart, Start, Status, Stop

pytestmark = pytest.mark.anyio

LATE = sh("sleep 0.2; echo up; exec sleep 1000")


@pytest.mark.parametrize(
    ("until", "detail", "is_ready"),
    [("accepted", "asking", None), ("settled", "up", False), ("running", "up", False), ("ready", "up", True)],
)
async def test_a_start_is_answered(until, detail, is_ready):
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", LATE, ready=ready.log("up"), until=until)
            found = web.item.detail if until != "accepted" or web.item.detail != "starting" else "asking"
            assert (found, web.item.ready) == (detail, is_ready)


@pytest.mark.parametrize("until", ["stopped", "exit"])
async def test_a_start_is_answered_at_its_end(until):
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("exit 3"), until=until)
            assert web.exit.code == 3


@pytest.mark.parametrize(("until", "detail"), [("accepted", "stopping"), ("settled", "exited"), ("stopped", "exited")])
async def test_a_stop_is_answered(until, detail):
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", STUBBORN, ready=ready.log("up"), stop=StopSpec(steps=(("SIGTERM", 0.1),)))
            await web.stop(until=until)
            assert web.item.detail == detail


async def test_waits():
    async with Agent() as agent:
        with deadline():
            (web,) = await agent.add(ProcessSpec(name="web", command=tuple(LATE), ready=ready.log("up")), start=False)
            seen = []

            async def wait(until):
                await agent.wait("web", until=until)
                seen.append(until)

            async with anyio.create_task_group() as group:
                group.start_soon(wait, "running")
                group.start_soon(wait, "ready")
                await anyio.sleep(0.05)
                assert seen == []
                await web.start()
            assert seen == ["running", "ready"]
            await web.kill()
            await agent.wait("web", until="stopped")


async def test_a_wait_for_what_will_not_be():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("sleep 0.1"), ready=ready.log("never", timeout=0.05), until="running")
            with pytest.raises(Refused) as caught:
                await web.wait("ready")
            assert caught.value.code == "not-ready"


async def test_a_wait_ends_when_its_target_is_deleted():
    async with Agent() as agent:
        with deadline():
            (web,) = await agent.add(ProcessSpec(name="web", command=("true",)), start=False)
            async with anyio.create_task_group() as group:
                group.start_soon(expect_gone, web)
                await anyio.sleep(0.05)
                await web.delete()


async def expect_gone(web):
    with pytest.raises(Refused) as caught:
        await web.wait("running")
    assert caught.value.code == "no-such-target"


async def test_the_same_key_is_the_same_command():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            call = Call(request=Restart(name="web"), key="k1")
            pending = [agent.submit(call) for _ in range(3)]
            replies = [await one.wait() for one in pending]
            again = await agent.submit(call).wait()
            await web.refresh()
            assert (replies[0], replies[0], web.item.restarts) == (replies[1], again, 1)
            assert web.pid == replies[0].items[0].pid


async def test_another_key_is_another_command():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            for key in ("k1", "k2"):
                await agent.submit(Call(request=Restart(name="web"), key=key)).wait()
            assert (await web.refresh()).restarts == 2


async def test_an_add_that_is_sent_twice_adds_once():
    async with Agent() as agent:
        with deadline():
            spec = ProcessSpec(name="web", command=tuple(SLEEP))
            uuid = "12345678-1234-4234-8234-123456789abc"
            call = Call(request=Add(spec=spec, uuid=uuid), key="k")
            replies = [await agent.submit(call).wait() for _ in range(2)]
            assert replies[0] == replies[1]
            assert [process.uuid for process in await agent.processes()] == [uuid]


async def test_a_deadline_is_answered_with_what_there_is():
    async with Agent() as agent:
        with deadline():
            await agent.start("web", STUBBORN, ready=ready.log("up"), stop=StopSpec(steps=(("SIGTERM", 1e6),)))
            reply = await agent.submit(Call(request=Stop(name="web"), deadline=0.1)).wait()
            assert [(miss.target, miss.code) for miss in reply.misses] == [("web", "timeout")]
            await agent.kill("web")


async def test_submits_take_effect_in_their_order():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            requests = [Stop(name="web"), Start(name="web"), Stop(name="web"), Start(name="web"), Status(name="web")]
            pending = [agent.submit(Call(request=request)) for request in requests]
            replies = [await one.wait() for one in pending]
            assert [[miss.code for miss in reply.misses] for reply in replies] == [[], ["superseded"], [], [], []]
            assert (await web.refresh()).detail == "up"


async def test_what_an_agent_does_not_answer():
    from procctl.core.messages import Goodbye

    async with Agent() as agent:
        with deadline():
            assert (await agent.submit(Call(request=Goodbye())).wait()).code == "unknown-command"
