"""Dependencies, restarts and their limits, with real processes."""

import anyio
import pytest
from helpers import SLEEP, deadline, sh, until

from procctl import Agent, Failed, LogSpec, NoSuchTarget, ProcessSpec, Refused, RestartSpec, State, ready

pytestmark = pytest.mark.anyio


def often(policy="always", **declared):
    return RestartSpec(policy=policy, delay=(0.01, 0.02), **declared)


def spec(name, command, **declared):
    return ProcessSpec(name=name, command=tuple(command), **declared)


async def registered(agent, *specs):
    for one in specs:
        await agent.add(one, start=False)


async def details(agent):
    return {process.name: process.item.detail for process in await agent.processes()}


async def test_what_it_depends_on_is_started_first(tmp_path):
    say = "echo {0} >> order; echo up; exec sleep 1000"
    async with Agent() as agent:
        with deadline():
            await registered(
                agent,
                spec(
                    "web", sh(say.format("web")), depends_on={"db": "ready"}, cwd=str(tmp_path), ready=ready.log("up")
                ),
                spec("db", sh("sleep 0.1; " + say.format("db")), cwd=str(tmp_path), ready=ready.log("up")),
            )
            await agent.start("web", until="ready")
            assert (tmp_path / "order").read_text().split() == ["db", "web"]
            assert await details(agent) == {"web": "up", "db": "up"}


async def test_a_one_shot_must_succeed():
    async with Agent() as agent:
        with deadline():
            await registered(
                agent, spec("migrate", sh("exit 1")), spec("web", SLEEP, depends_on={"migrate": "succeeded"})
            )
            with pytest.raises(Refused) as caught:
                await agent.start("web")
            assert caught.value.code == "dependency-failed"
            assert await details(agent) == {"migrate": "exited", "web": "failed"}


@pytest.mark.parametrize(("condition", "code"), [("completed", 1), ("completed", 0), ("succeeded", 0)])
async def test_a_one_shot_that_ends_lets_go_on(condition, code):
    async with Agent() as agent:
        with deadline():
            await registered(
                agent,
                spec("first", sh(f"sleep 0.05; exit {code}")),
                spec("web", SLEEP, depends_on={"first": condition}),
            )
            await agent.start("web")
            assert await details(agent) == {"first": "exited", "web": "up"}


async def test_a_stop_of_what_waits():
    async with Agent() as agent:
        with deadline():
            await registered(
                agent, spec("db", SLEEP, ready=ready.log("never")), spec("web", SLEEP, depends_on={"db": "ready"})
            )
            await agent.start("web", until="accepted")
            assert (await agent.process("web")).item.why.text == "waits for db to be ready"
            await agent.stop("web")
            assert (await details(agent))["web"] == "registered"


async def test_a_dependency_that_is_not_there():
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused, match="nobody"):
                with anyio.fail_after(2):
                    await agent.start("web", SLEEP, depends_on={"nobody": "ready"})


async def test_a_circle_is_refused():
    async with Agent() as agent:
        with deadline():
            await agent.add(spec("a", SLEEP, depends_on={"b": "started"}), start=False)
            with pytest.raises(Refused, match="circle of dependencies: "):
                await agent.add(spec("b", SLEEP, depends_on={"a": "started"}), start=False)


async def test_always_restarts_after_any_end():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("exit 0"), restart=often())
            await until(lambda: agent._engine.inner.host.processes[web.uuid].restarts >= 3)
            await web.stop()


@pytest.mark.parametrize(("code", "detail"), [(0, "exited"), (1, "failed")])
async def test_on_failure_restarts_after_a_failure(code, detail):
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh(f"exit {code}"), restart=often("on-failure", limit=2))
            await web.wait("stopped")
            assert (web.item.detail, web.item.restarts) == (detail, 2 if code else 0)


async def test_the_limit_is_given_up_at():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("exit 9"), restart=often(limit=3))
            await web.wait("stopped")
            assert (web.state, web.item.restarts, web.item.why.code) == (State.STOPPED, 3, "gave-up")
            assert web.item.why.text == "exited with 9; 3 restarts within 300 s are the limit"
            await web.start()  # a person may try again
            assert web.item.restarts == 3
            await web.stop()


async def test_min_uptime():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("exit 9"), restart=often(min_uptime=1000))
            await web.wait("stopped")
            assert (web.item.detail, web.item.restarts) == ("failed", 0)


async def test_one_that_is_killed_from_outside_comes_back():
    import os

    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP, restart=often())
            pid = web.pid
            os.kill(pid, 9)
            await until(lambda: agent._engine.inner.host.processes[web.uuid].restarts == 1)
            await web.wait("running")
            assert (web.pid not in (0, pid), web.exit.signal, web.exit.by) == (True, "SIGKILL", "")


async def test_a_back_off_says_when_the_next_try_is():
    async with Agent() as agent:
        with deadline():
            web = await agent.start(
                "web", sh("exit 1"), restart=RestartSpec(policy="always", delay=(500, 500), jitter=0)
            )
            await web.wait("exit")
            await until(lambda: agent._engine.inner.host.processes[web.uuid].phase.detail == "backoff")
            item = await web.refresh()
            assert (item.state, item.why.code, round(item.why.next - item.why.since)) == ("pending", "backoff", 500)
            await web.start()  # at once
            assert web.state == State.RUNNING or web.item.restarts == 1


async def test_a_start_during_a_restart_is_one_start():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            await web.restart(until="accepted")
            await web.start()
            assert (web.state, web.item.restarts) == (State.RUNNING, 1)
            await web.kill()


async def test_restart_of_what_is_stopped_starts_it():
    async with Agent() as agent:
        with deadline():
            (web,) = await agent.add(spec("web", SLEEP), start=False)
            await web.restart()
            assert (web.state, web.item.restarts) == (State.RUNNING, 0)


async def test_partial_success_names_each_that_failed():
    async with Agent() as agent:
        with deadline():
            await registered(agent, spec("a", SLEEP), spec("b", ["no-such-program-here"]), spec("c", ["/no/such"]))
            with pytest.raises(Failed) as caught:
                await agent.start(all=True)
            assert {(name, code) for name, code, _ in caught.value.misses} == {
                ("b", "spawn-failed"),
                ("c", "spawn-failed"),
            }
            assert await details(agent) == {"a": "up", "b": "failed", "c": "failed"}


async def test_a_name_is_there_once():
    async with Agent() as agent:
        with deadline():
            await agent.start("web", SLEEP, instances=2)
            for name in ("web", "web.1"):
                with pytest.raises(Refused) as caught:
                    await agent.add(spec(name, SLEEP))
                assert caught.value.code == "exists"


async def test_delete_is_for_what_does_not_run():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP, logs=LogSpec())
            with pytest.raises(Refused) as caught:
                await web.delete()
            assert (caught.value.code, caught.value.hint) == ("still-running", "procctl stop web")
            await web.stop()
            await web.delete()
            with pytest.raises(NoSuchTarget):
                await web.refresh()
            await agent.start("web", SLEEP)  # the name is free again


async def test_what_follows_a_deleted_process_ends_or_waits_but_never_fails():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", ["echo", "one"])
            await web.wait("stopped")
            async with web.logs(follow=True) as lines:
                assert (await anext(lines)).text == "one"
                await web.delete()
                with anyio.move_on_after(0.1):
                    async for _ in lines:
                        pytest.fail("there is no more")


async def test_a_signal_reaches_the_process():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("trap 'echo got; exit 6' USR1; echo up; while :; do sleep 0.01; done"),
                                    ready=ready.log("up"))  # fmt: skip
            await web.signal("USR1")
            assert (await web.wait()).code == 6
            with pytest.raises(Refused) as caught:
                await web.signal("SIGHUP")
            assert caught.value.code == "not-running"


async def test_no_signal():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            with pytest.raises(Refused, match="'SIGNONE' is no signal"):
                await web.signal("SIGNONE")
            await web.kill()
