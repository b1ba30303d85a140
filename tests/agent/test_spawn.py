"""What a program gets when it is started, and what happens where it cannot be."""

import os

import pytest
from helpers import SLEEP, deadline, finished, sh, texts

from procctl import Agent, Refused, State

pytestmark = pytest.mark.anyio


async def test_a_process_runs_and_says_so():
    async with Agent("here") as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            assert (web.state, web.hostname, os.getpgid(web.pid)) == (State.RUNNING, "here", web.pid)
            assert web.item.why.text == f"started by {web.item.why.by}"


async def test_it_runs_in_its_folder(tmp_path):
    async with Agent() as agent:
        with deadline():
            web, record = await finished(agent, "web", ["pwd"], cwd=str(tmp_path))
            assert (record.code, await texts(web)) == (0, [str(tmp_path)])


async def test_without_a_folder_it_runs_in_the_agents():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["pwd"])
            assert await texts(web) == [os.getcwd()]


async def test_its_environment_is_the_agents_and_its_own(monkeypatch):
    monkeypatch.setenv("INHERITED", "yes")
    monkeypatch.setenv("TAKEN", "away")
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(
                agent, "web", sh('echo "$INHERITED ${TAKEN-none} $OWN"'), env={"OWN": "mine", "TAKEN": None}
            )
            assert await texts(web) == ["yes none mine"]


async def test_a_change_of_the_agents_environment_reaches_later_starts(monkeypatch):
    async with Agent() as agent:
        monkeypatch.setenv("LATER", "seen")
        with deadline():
            web, _ = await finished(agent, "web", sh('echo "$LATER"'))
            assert await texts(web) == ["seen"]


async def test_it_is_told_who_it_is():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(
                agent, "web", sh('echo "$PROCCTL_NAME $PROCCTL_UUID $PROCCTL_INSTANCE"; echo "$PROCCTL_AGENT"')
            )
            assert await texts(web) == [f"web {web.uuid} 1", agent._engine.inner.epoch]


async def test_instances_are_told_their_number():
    async with Agent() as agent:
        with deadline():
            spec = {"instances": 3}
            await agent.start("web", sh('echo "$PROCCTL_NAME $PROCCTL_INSTANCE"'), **spec)
            await agent.wait("web")
            found = [await texts(process) for process in await agent.processes("web")]
            assert found == [["web.1 1"], ["web.2 2"], ["web.3 3"]]


async def test_the_fence_grows_with_every_start():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh('echo "$PROCCTL_FENCE"'))
            await web.start()
            await web.wait("stopped")
            first, second = map(int, await texts(web))
            assert 0 < first < second


@pytest.mark.parametrize("name", ["PROCCTL_TOKEN_FILE", "PROCCTL_TOKEN", "PROCCTL_URL", "PROCCTL_AMQP_PASSWORD"])
async def test_credentials_do_not_reach_it(name, monkeypatch):
    monkeypatch.setenv(name, "secret")
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh(f'echo "${{{name}-unset}}"'))
            assert await texts(web) == ["unset"]


async def test_it_inherits_no_descriptor_of_ours():
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        async with Agent() as agent:
            with deadline():
                web, _ = await finished(agent, "web", sh("ls /proc/self/fd | wc -l; readlink /proc/self/fd/0"))
                assert await texts(web) == ["4", "/dev/null"]  # the fourth is that of ls
    finally:
        os.close(reading)
        os.close(writing)


async def test_arguments_arrive_as_they_are():
    odd = ["", "a b", "*", "$HOME", '"', "ü\n"]
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["printf", "<%s>", *odd])
            assert "\n".join(await texts(web)) == "".join(f"<{word}>" for word in odd)


@pytest.mark.parametrize(
    ("command", "cwd", "message"),
    [
        (["no-such-program-here"], None, "cannot run 'no-such-program-here': not found in PATH"),
        (["/no/such/file"], None, "cannot run '/no/such/file': no such file"),
        (["/etc/passwd"], None, "cannot run '/etc/passwd': Permission denied"),
        (["/"], None, "cannot run '/': Permission denied"),
        (["true"], "/no/such/folder", "cannot run 'true' in '/no/such/folder': No such file or directory"),
        (["true"], "/etc/passwd", "cannot run 'true' in '/etc/passwd': Not a directory"),
    ],
)
async def test_what_cannot_be_started_says_why(command, cwd, message):
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused) as caught:
                await agent.start("web", command, cwd=cwd)
            assert (caught.value.code, caught.value.message) == ("spawn-failed", message)
            web = await agent.process("web")
            assert (web.state, web.item.detail, web.item.why.text) == (State.STOPPED, "failed", message)


async def test_a_program_that_appears_later_can_be_started(tmp_path):
    path = tmp_path / "late"
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused):
                await agent.start("late", [str(path)])
            path.write_text("#!/bin/sh\nexit 7\n")
            path.chmod(0o755)
            late = await agent.process("late")
            await late.start()
            assert (await late.wait()).code == 7


async def test_many_start_at_once():
    async with Agent() as agent:
        with deadline():
            await agent.start("web", SLEEP, instances=40)
            running = await agent.processes("web")
            assert len({process.pid for process in running}) == 40
            await agent.kill("web")
