"""Stopped means verified empty: ask, grace, kill, reap, look."""

import anyio
import pytest
from helpers import SLEEP, STUBBORN, alive, deadline, sh, texts, until

from procctl import Agent, RestartSpec, State, StopSpec, ready

pytestmark = pytest.mark.anyio


async def test_it_is_asked_with_sigterm():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            pid = web.pid
            record = await web.stop()
            assert (record.signal, web.state, web.pid, alive(pid)) == ("SIGTERM", State.STOPPED, 0, False)


async def test_what_it_does_on_sigterm_is_waited_for():
    command = sh("trap 'sleep 0.1; echo saved; exit 5' TERM; echo up; while :; do sleep 0.01; done")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, ready=ready.log("up"))
            record = await web.stop()
            assert (record.code, record.signal, await texts(web, stream="stdout")) == (5, None, ["up", "saved"])


async def test_what_ignores_it_is_killed_after_its_grace():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", STUBBORN, ready=ready.log("up"), stop=StopSpec(steps=(("SIGTERM", 0.1),)))
            assert (await web.stop()).signal == "SIGKILL"


async def test_the_grace_of_a_command_beats_its_own():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", STUBBORN, ready=ready.log("up"), stop=StopSpec(steps=(("SIGTERM", 1e6),)))
            assert (await web.stop(grace=0.1)).signal == "SIGKILL"


async def test_a_grace_of_nothing_still_asks_before_it_kills():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            assert (await web.stop(grace=0)).signal in ("SIGTERM", "SIGKILL")


async def test_steps_are_taken_one_after_the_other():
    command = sh("trap 'echo int' INT; trap 'echo hup' HUP; trap 'echo usr; exit 3' USR1; echo up; "
                 "while :; do sleep 0.01; done")  # fmt: skip
    steps = (("SIGINT", 0.1), ("SIGHUP", 0.1), ("SIGUSR1", 10.0))
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, ready=ready.log("up"), stop=StopSpec(steps=steps))
            record = await web.stop()
            assert (record.code, await texts(web, stream="stdout")) == (3, ["up", "int", "hup", "usr"])


async def test_no_steps_kill_at_once():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP, stop=StopSpec(steps=()))
            assert (await web.stop()).signal == "SIGKILL"


async def test_kill_during_a_long_grace():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", STUBBORN, ready=ready.log("up"), stop=StopSpec(steps=(("SIGTERM", 1e6),)))
            await web.stop(until="accepted")
            assert (await web.kill()).signal == "SIGKILL"


async def test_kill_may_begin_with_another_signal():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            assert (await web.kill("SIGQUIT")).signal == "SIGQUIT"


async def test_a_killed_process_stays_stopped():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP, restart=RestartSpec(policy="always", delay=(0, 0)))
            await web.kill()
            assert (web.state, web.item.restarts) == (State.STOPPED, 0)


async def test_a_stop_while_it_is_being_spawned():
    async with Agent() as agent:
        with deadline():
            for i in range(10):
                web = await agent.start(f"web{i}", SLEEP, until="accepted")
                assert web.item.detail in ("asking", "starting")
                await web.stop()
                assert (web.state, web.pid) == (State.STOPPED, 0) or web.item.detail == "registered"


async def test_a_stop_and_a_start_while_it_is_being_spawned():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP, until="accepted")
            await web.stop(until="accepted")
            await web.start()
            assert web.state == State.RUNNING
            await web.kill()


async def test_two_who_stop_get_the_same_answer():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            found = []
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(lambda: keep(found, web.stop()))
            assert [record.signal for record in found] == ["SIGTERM", "SIGTERM"]
            assert found[0] == found[1]


async def keep(found, awaitable):
    found.append(await awaitable)


async def test_stopping_what_is_stopped_is_no_error():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            record = await web.stop()
            assert await web.stop() == record


async def test_a_stopped_child_ends_too():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            await web.signal("SIGSTOP")
            pid = web.pid
            record = await web.stop(grace=0.1)
            assert (record.signal in ("SIGTERM", "SIGKILL"), alive(pid)) == (True, False)


async def test_the_whole_group_is_asked():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("sleep 1000 & echo $!; wait"), ready=ready.log(r"\d"))
            below = int((await texts(web))[0])
            await web.stop()
            assert not alive(below)


async def test_leaving_the_block_stops_dependants_first(tmp_path):
    def command(name):
        return sh(f"trap 'echo {name} >> {tmp_path}/order; exit 0' TERM; echo up; while :; do sleep 0.01; done")

    with deadline():
        async with Agent() as agent:
            await agent.start("db", command("db"), ready=ready.log("up"))
            await agent.start("web", command("web"), ready=ready.log("up"), depends_on={"db": "ready"})
            await agent.start("proxy", command("proxy"), ready=ready.log("up"), depends_on={"web": "ready"})
    assert (tmp_path / "order").read_text().split() == ["proxy", "web", "db"]


async def test_leaving_the_block_ends_what_would_be_restarted():
    with deadline():
        async with Agent() as agent:
            web = await agent.start("web", sh("exit 1"), restart=RestartSpec(policy="always", delay=(0.01, 0.01)))
            await until(lambda: agent._engine.inner.host.processes[web.uuid].restarts > 2)


async def test_leaving_the_block_withdraws_a_spawn_that_has_begun():
    with deadline():
        async with Agent() as agent:
            await agent.start("web", SLEEP, instances=20, until="accepted")
