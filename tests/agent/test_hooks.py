"""Programs with hooks: paused, resumed, talked with; and what happens with those that do not answer."""

import anyio
import pytest
from helpers import SLEEP, alive, becomes, deadline, program, texts, until

from procctl import Agent, Controller, Denied, HooksSpec, Refused, RestartSpec, State, StopSpec, ready
from procctl.agent.features import Features, probe
from procctl.agent.ground import Ground

from .talking import OBEDIENT, talker

pytestmark = pytest.mark.anyio

ALWAYS = RestartSpec(policy="always", delay=(0.01, 0.01))

NODE = """
const work = []
process.on('message', (msg) => {
  switch (msg) {
    case 'startRequest': console.log('begin'); process.send('workerStarted'); break
    case 'stopRequest': console.log('pause'); process.send('workerStopped'); break
  }
})
"""


# a life -----------------------------------------------------------------------------------------------------------


async def test_a_program_of_node_is_paused_and_resumed():
    async with Agent() as agent:
        with deadline():
            mail = await agent.start("mail", [program("node"), "-e", NODE], hooks=True)
            pid = mail.pid
            assert (mail.state, mail.item.detail, mail.item.ready) == (State.RUNNING, "up", True)
            assert await mail.stop() is None
            assert (mail.state, mail.item.detail, mail.pid) == (State.STOPPED, "idle", pid)
            await mail.start()
            assert (mail.state, mail.pid, mail.item.restarts) == (State.RUNNING, pid, 0)
            record = await mail.kill()
            assert (record.signal, await texts(mail)) == ("SIGKILL", ["begin", "pause", "begin"])


async def test_leaving_the_block_ends_what_is_idle():
    async with Agent() as agent:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True)
            await mail.stop()
            assert alive(mail.pid)
    assert not alive(mail.pid)


async def test_delete_refuses_what_is_idle_and_says_what_to_do():
    async with Agent() as agent:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True)
            await mail.stop()
            with pytest.raises(Refused) as refused:
                await mail.delete()
            assert (refused.value.code, refused.value.hint) == ("still-running", "procctl stop --hard mail")
            assert (await mail.stop(hard=True)).signal == "SIGTERM"
            await mail.delete()


async def test_a_restart_is_a_new_program():
    async with Agent() as agent:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True)
            pid = mail.pid
            await mail.stop()
            await mail.restart()
            assert (mail.state, mail.pid != pid, alive(pid)) == (State.RUNNING, True, False)


async def test_an_end_while_idle_is_recorded_and_not_undone():
    async with Agent() as agent:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True, restart=ALWAYS)
            await mail.stop()
            await mail.signal("KILL")
            await becomes(mail, lambda item: item.detail == "exited")
            assert (mail.exit.signal, mail.item.restarts) == ("SIGKILL", 0)


async def test_what_waits_for_it_to_stop_is_answered():
    async with Agent() as agent, anyio.create_task_group() as group:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True)
            group.start_soon(mail.wait, "stopped")
            await anyio.sleep(0.05)
            await agent.stop("mail")


async def test_what_depends_on_what_is_idle_resumes_it():
    async with Agent() as agent:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True)
            await mail.stop()
            await agent.start("web", SLEEP, depends_on={"mail": "started"})
            assert (await mail.refresh()).detail == "up"


@pytest.mark.parametrize("less", [set(), {"epoll"}, {"pidfd", "epoll", "procfs"}], ids=lambda s: ",".join(sorted(s)))
async def test_with_less_of_a_kernel(less):
    features = Features(**{name: has and name not in less for name, has in probe().as_dict().items()})
    async with Agent(_ground=Ground(features=features)) as agent:
        with deadline():
            mail = await agent.start("mail", OBEDIENT, hooks=True)
            for _ in range(3):
                await mail.stop()
                await mail.start()
            assert mail.state is State.RUNNING


# no answer --------------------------------------------------------------------------------------------------------


async def test_a_program_that_knows_no_hooks_is_a_failure():
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused) as refused:
                await agent.start("web", SLEEP, hooks=HooksSpec(timeout=0.1))
            assert refused.value.code == "no-answer"
            web = await agent.process("web")
            await web.wait("stopped")
            assert "did not answer startRequest within 0.1 s" in web.item.why.text


DEAF = talker("say('workerStarted'); time.sleep(1000)")
BUSY = talker("""
say("workerStarted")
for message in lines():
    if message == "stopRequest":
        say({"procctl": "refused", "action": "stop", "why": "mid-batch"})
""")


async def test_who_does_not_answer_a_stop_is_ended():
    async with Agent() as agent:
        with deadline(20):
            web = await agent.start("web", DEAF, hooks=HooksSpec(timeout=2))
            record = await web.stop()
            assert (record.signal, record.by != "", web.item.detail) == ("SIGTERM", True, "exited")
            assert "did not answer stopRequest within 2 s" in web.item.why.text


async def test_who_refuses_is_ended():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", BUSY, hooks=True)
            assert (await web.stop()).signal == "SIGTERM"
            assert "refused to stop: mid-batch" in web.item.why.text


async def test_or_killed():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", BUSY, hooks=HooksSpec(on_timeout="kill"))
            assert (await web.stop()).signal == "SIGKILL"


async def test_or_let_be_and_the_command_says_why():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", BUSY, hooks=HooksSpec(on_timeout="fail"))
            with pytest.raises(Refused, match="refused to stop: mid-batch") as refused:
                await web.stop()
            assert (refused.value.code, (await web.refresh()).detail) == ("no-answer", "up")


async def test_a_program_that_ends_before_it_begins_is_restarted_by_its_policy():
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused) as refused:
                await agent.start("web", talker("sys.exit(3)"), hooks=True, restart=ALWAYS)
            assert refused.value.code == "not-running"
            web = await agent.process("web")
            await becomes(web, lambda item: item.restarts >= 2)
            await web.kill()


# never two --------------------------------------------------------------------------------------------------------


async def test_what_is_idle_keeps_its_lease_and_is_ended_before_it_is_displaced():
    async with Controller() as controller, Agent("a", join=controller) as a, Agent("b", join=controller) as b:
        with deadline():
            here = await a.start("mail", OBEDIENT, hooks=True, mode="one")
            await here.stop()
            with pytest.raises(Denied):
                await b.start("mail", OBEDIENT, hooks=True, mode="one")
            there = await b.process("mail")
            await there.start(force=True)
            assert (there.state, alive(here.pid)) == (State.RUNNING, False)
            assert (await here.refresh()).detail == "exited"


# readiness and shutdown, as pm2 has them --------------------------------------------------------------------------


async def test_ready_by_a_message():
    say = talker("time.sleep(0.1); say('ready'); print('said', flush=True); time.sleep(1000)")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", say, ready=ready.message())
            assert web.item.ready is True
            await web.restart(until="ready")


async def test_another_message_is_none():
    say = talker("say('ready?'); say({'ready': True}); time.sleep(1000)")
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused, match="not ready within"):
                await agent.start("web", say, ready=ready.message("ready", timeout=0.2))


async def test_shutdown_is_a_message():
    body = "say('ready'); print(next(lines()), flush=True); sys.exit(7)"
    async with Agent() as agent:
        with deadline():
            stop = StopSpec(steps=(("shutdown", 5.0),))
            web = await agent.start("web", talker(body), ready=ready.message(), stop=stop)
            record = await web.stop()
            assert (record.code, await texts(web)) == (7, ["shutdown"])


# what it says, and is asked ---------------------------------------------------------------------------------------


async def test_status_and_metrics_are_in_the_item_and_the_text_is_an_event():
    body = """
say({"procctl": "status", "text": "warming"})
say({"procctl": "metrics", "values": {"jobs": 3, "load": 0.5}})
obey()
"""
    async with Agent() as agent, agent.events() as events:
        with deadline():
            web = await agent.start("web", talker(body), hooks=True)
            assert (web.item.said, web.item.metrics) == ("warming", {"jobs": 3.0, "load": 0.5})
            async for event in events:
                if event.type == "changed" and event.process.said == "warming":
                    break
            await web.kill()
            assert (web.item.said, web.item.metrics) == ("", {})


async def test_questions_are_answered_by_the_program():
    body = 'obey(sum={"data": {"total": 3}}, no={"refused": "not today"})'
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", talker(body), hooks=True)
            assert await web.ask("sum", [1, 2]) == {"total": 3}
            with pytest.raises(Refused, match="not today"):
                await web.ask("no")
            with pytest.raises(Refused) as refused:
                await web.ask("silence", timeout=0.1)
            assert refused.value.code == "timeout"
            plain = await agent.start("plain", SLEEP)
            with pytest.raises(Refused) as refused:
                await plain.ask("sum")
            assert refused.value.code == "no-channel"
            assert '{"procctl": "request", "id": 1, "action": "sum", "data": [1, 2]}' in await texts(web)


async def test_questions_through_a_controller():
    body = 'obey(who={"data": os.environ["PROCCTL_NAME"]})'
    async with Controller() as controller, Agent("a", join=controller), Agent("b", join=controller):
        with deadline():
            await until(lambda: len(controller.registry.hosts) == 2)
            for host in "ab":
                await controller.start(f"web-{host}", talker(body), hooks=True, hostname=host)
            answers = await controller.ask("who", name="web-*")
            assert sorted((a.hostname, a.data) for a in answers) == [("a", '"web-a"'), ("b", '"web-b"')]
