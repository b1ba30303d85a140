"""However and whenever a block is left, nothing of it remains, and what the body raised leaves as itself."""

import asyncio

import anyio
import pytest
from helpers import SLEEP, STUBBORN, children, deadline, sh

from procctl import Agent, RestartSpec, StopSpec, ready

pytestmark = pytest.mark.anyio


async def busy(agent):
    """Everything that takes time, one after the other."""
    web = await agent.start("web", SLEEP)
    await agent.start("many", SLEEP, instances=5)
    await agent.start("again", sh("exit 1"), until="accepted", restart=RestartSpec(policy="always", delay=(0.01, 0.01)))
    await agent.start("daemon", sh("(setsid sleep 1000 &); echo up; exec sleep 1000"), ready=ready.log("up"))
    await agent.start("stubborn", STUBBORN, ready=ready.log("up"), stop=StopSpec(steps=(("SIGTERM", 0.02),)))
    await web.restart()
    await agent.stop("many")
    async with agent.logs(follow=True) as lines:
        async for _ in lines:
            pass


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 3, 5, 8, 12, 17, 25, 40, 60, 90, 150])
async def test_cancelled_after_a_while(milliseconds):
    before = children()
    with anyio.move_on_after(milliseconds / 1000) as scope:
        async with Agent() as agent:
            await busy(agent)
    assert (scope.cancelled_caught, children()) == (True, before)


async def test_cancelled_before_it_began():
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with Agent() as agent:
            await agent.start("web", SLEEP)
    assert scope.cancelled_caught


async def test_cancelled_while_it_is_left():
    """Stopping goes on: its own time is bounded by the graces."""
    with deadline():
        with anyio.CancelScope() as scope:
            async with Agent() as agent:
                await agent.start("web", STUBBORN, ready=ready.log("up"), stop=StopSpec(steps=(("SIGTERM", 0.2),)))
                scope.cancel()
        assert children() == set()


async def test_cancelling_a_call_undoes_nothing():
    async with Agent() as agent:
        with deadline():
            with anyio.CancelScope() as scope:
                scope.cancel()
                await agent.start("web", SLEEP)
            web = (await agent.wait("web", until="running"))[0]
            assert web.state == "running"
            with anyio.move_on_after(0.05):
                await agent.stop("web", grace=1000)
            assert (await agent.wait("web", until="stopped"))[0].exit.signal == "SIGTERM"


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3), StopAsyncIteration()])
async def test_an_exception_of_the_body_leaves_as_itself(error):
    with deadline():
        with pytest.raises(type(error)) as caught:
            async with Agent() as agent:
                await agent.start("web", SLEEP)
                raise error
        assert caught.value is error


async def test_a_group_of_the_body_leaves_as_itself():
    group = ExceptionGroup("mine", [ValueError(1)])
    with deadline():
        with pytest.raises(ExceptionGroup) as caught:
            async with Agent():
                raise group
        assert (caught.value is group, caught.value.exceptions[0].args) == (True, (1,))


async def test_a_failing_sibling_task_ends_the_block():
    async def fail():
        await anyio.sleep(0.05)
        raise ValueError("sibling")

    with deadline():
        with pytest.raises(ExceptionGroup) as caught:
            async with anyio.create_task_group() as group:
                group.start_soon(fail)
                async with Agent() as agent:
                    await agent.start("web", SLEEP)
                    await anyio.sleep_forever()
        assert [str(error) for error in caught.value.exceptions] == ["sibling"]


async def test_the_body_may_return_out_of_it():
    async def inside():
        async with Agent() as agent:
            return (await agent.start("web", SLEEP)).name

    with deadline():
        assert await inside() == "web"


async def test_deadlines_of_the_caller_work_in_the_body():
    with deadline():
        async with Agent() as agent:
            with pytest.raises(TimeoutError):
                with anyio.fail_after(0.1):
                    web = await agent.start("web", SLEEP)
                    await web.wait()
            assert (await agent.process("web")).item.state == "running"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.1])
async def test_cancelled_by_asyncio_itself(delay):
    async def block():
        async with Agent() as agent:
            await busy(agent)

    task = asyncio.get_running_loop().create_task(block())
    await asyncio.sleep(delay)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == set()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_timed_out_by_asyncio_itself():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            async with Agent() as agent:
                await busy(agent)
    assert children() == set()
