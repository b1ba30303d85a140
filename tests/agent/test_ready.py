"""When a process counts as ready, and what happens where it never does."""

import anyio
import pytest
from helpers import SLEEP, alive, deadline, free_port, sh, texts, until

from procctl import Agent, Refused, RestartSpec, State, StopSpec, ready

pytestmark = pytest.mark.anyio

ALWAYS = RestartSpec(policy="always", delay=(1000, 1000), jitter=0)


async def test_without_a_check_it_is_ready_when_it_runs():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            assert web.item.ready is True
            await web.kill()
            assert web.item.ready is None


async def test_a_line_of_its_output():
    async with Agent() as agent:
        with deadline():
            web = await agent.start(
                "web", sh("sleep 0.1; echo 'it is now UP.'; exec sleep 1000"), ready=ready.log("UP")
            )
            assert (web.item.ready, await texts(web)) == (True, ["it is now UP."])


async def test_a_line_on_stderr():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("echo up >&2; exec sleep 1000"), ready=ready.log("^up$"))
            assert web.item.ready is True


async def test_a_line_of_an_earlier_run_does_not_count():
    async with Agent() as agent:
        with deadline():
            command = sh('[ "$PROCCTL_FENCE" = 1 ] && echo up; exec sleep 1000')
            web = await agent.start("web", command, ready=ready.log("up", timeout=1000))
            await web.restart()
            await anyio.sleep(0.1)
            assert (await web.refresh()).ready is False
            await web.kill()


async def test_a_port():
    port = free_port()
    listen = f"import socket, time; s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen(); time.sleep(1000)"
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", ["python3", "-S", "-c", listen], ready=ready.tcp(port, every=0.01))
            assert web.item.ready is True
            stream = await anyio.connect_tcp("127.0.0.1", port)
            await stream.aclose()
            await web.kill()


async def test_a_command(tmp_path):
    async with Agent() as agent:
        with deadline():
            check = ready.command(sh('[ "$KEY" = x ] && [ -e up ]'), every=0.02)
            declared = {"cwd": str(tmp_path), "env": {"KEY": "x"}}
            web = await agent.start("web", sh("sleep 0.1; touch up; exec sleep 1000"), ready=check, **declared)
            assert ((tmp_path / "up").exists(), web.item.ready) == (True, True)


async def test_a_command_that_cannot_be_run_fails_at_once():
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused) as caught:
                await agent.start("web", SLEEP, ready=ready.command(["no-such-program-here"], timeout=1000))
            web = await agent.process("web")
            assert (caught.value.code, web.item.detail) == ("not-ready", "failed")
            assert "no-such-program-here" in web.item.why.text


async def test_a_command_that_hangs_is_ended_with_the_check(tmp_path):
    async with Agent() as agent:
        with deadline():
            check = ready.command(sh("echo $$ > pid; exec sleep 1000"), timeout=1000)
            web = await agent.start("web", SLEEP, ready=check, cwd=str(tmp_path), until="running")
            await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
            pid = int((tmp_path / "pid").read_text())
            await web.kill()
            await until(lambda: not alive(pid))


@pytest.mark.parametrize(
    "check",
    [ready.log("never", timeout=0.1), ready.command(["false"], every=0.02, timeout=0.1), ready.tcp(1, timeout=0.1)],
    ids=["log", "command", "tcp"],
)
async def test_what_is_not_ready_in_time_is_stopped_as_a_failure(check):
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused) as caught:
                await agent.start("web", SLEEP, ready=check)
            web = await agent.process("web")
            assert (caught.value.code, web.state, web.item.detail, web.pid) == ("not-ready", State.STOPPED, "failed", 0)
            assert web.item.why.text == "not ready within 0.1 s; killed by SIGTERM"


async def test_what_is_not_ready_in_time_is_tried_again():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP, ready=ready.log("x", timeout=0.1), restart=ALWAYS, until="running")
            await web.wait("exit")
            await until(lambda: agent._engine.inner.host.processes[web.uuid].phase.detail == "backoff")
            item = await web.refresh()
            assert (item.why.code, item.exit.by) == ("backoff", "")
            assert item.why.text.startswith("not ready within 0.1 s; killed by SIGTERM; next try in")


async def test_one_that_ends_before_it_is_ready_is_refused():
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused) as caught:
                await agent.start("web", sh("exit 3"), ready=ready.log("never", timeout=1000))
            assert caught.value.message == "web is exited: exited with 3"


async def test_a_stubborn_one_that_is_not_ready_is_killed():
    async with Agent() as agent:
        with deadline():
            declared = {"stop": StopSpec(steps=(("SIGTERM", 0.1),)), "ready": ready.log("never", timeout=0.2)}
            with pytest.raises(Refused):
                await agent.start("web", sh("trap '' TERM; while :; do sleep 0.05; done"), **declared)
            assert (await agent.process("web")).exit.signal == "SIGKILL"
