"""A mistake in a program's own call ends that call, and nothing else."""

import pytest
from helpers import SLEEP, deadline

from procctl import Agent, Controller, Denied, Refused, connect, deny, hosts
from procctl.errors import BadConfig

pytestmark = pytest.mark.anyio

MISTAKES = [
    ("expected a text at $.name", lambda fleet: fleet.stop(5)),
    ("expected a text at $.name", lambda fleet: fleet.start(b"web")),
    ("expected a text at $.name", lambda fleet: fleet.delete(["web"])),
    ("expected a text at $.hostname", lambda fleet: fleet.process("web", hostname=5)),
    ("expected a number or None at $.grace", lambda fleet: fleet.stop("web", grace="5s")),
    ("expected a whole number at $.pid", lambda fleet: fleet.adopt("z", "x")),
    ("expected a text at $.signal", lambda fleet: fleet.signal(15, "web")),
    ("at until, got 'up'", lambda fleet: fleet.wait("web", until="up")),
    ("expected a number or None at deadline", lambda fleet: fleet.ask("x", name="web", timeout="5s")),
    ("expected a text or None at $.spec.env.A, got 5", lambda fleet: fleet.start("w", SLEEP, env={"A": 5})),
    ("expected a StopSpec at $.spec.stop", lambda fleet: fleet.start("w", SLEEP, stop={"grace": 1})),
    ("expected a dict at $.spec.depends_on", lambda fleet: fleet.start("w", SLEEP, depends_on="web")),
    ("expected 'always' or", lambda fleet: fleet.start("w", SLEEP, restart="sometimes")),
    ("expected a text at $.slot", lambda fleet: fleet.free(5)),
]


@pytest.mark.parametrize(("text", "call"), MISTAKES)
async def test_an_argument_of_another_type(text, call):
    async with Agent("a") as agent:
        web = await agent.start("web", SLEEP, restart="always")
        with deadline(), pytest.raises(Refused) as caught:
            await call(agent)
        assert ("bad-request", True) == (caught.value.code, text in caught.value.message)
        await web.refresh()
        assert ("running", ["web"]) == (web.item.state, [p.name for p in await agent.processes()])


async def test_a_stream_as_well():
    async with Agent("a") as agent:
        for stream in (agent.logs(5), agent.logs("web", tail="5"), agent.events(since=7)):
            with pytest.raises(Refused, match="expected a"):
                async with stream:
                    pass
        assert [] == await agent.processes()


async def test_a_permit_as_well():
    async with Agent("a") as agent:
        with pytest.raises(BadConfig, match=r"expected a number at \$.stop.steps\[0\]\[1\], got '5s'"):
            agent.permit("import", grace="5s")
        assert [] == await agent.processes()


async def test_over_a_link_and_at_a_controller(place):
    async with Controller(listen=f"unix://{place}/c.sock") as controller, Agent("a", join=controller) as agent:
        await agent.start("web", SLEEP)
        async with connect(controller.urls[0]) as fleet:
            for target in (fleet, controller):
                with deadline(), pytest.raises(Refused, match=r"expected a text or None at \$.spec.env.A, got 5"):
                    await target.start("w", SLEEP, env={"A": 5})
            assert ["web"] == [p.name for p in await fleet.processes()]


BLOCKS = [
    (Agent, {"name": 5}, "expected a text at name, got 5"),
    (Agent, {"name": b"x"}, "expected a text at name, got b'x'"),
    *((Agent, {"name": name}, "is no name of a host") for name in ("../q", "n*", "a b", "a/b", "x\n", "é", "x" * 300)),
    (Agent, {"name": "a", "join": 5}, "expected a URL or a Controller at join, got 5"),
    (Agent, {"name": "a", "join": Agent("b")}, "expected a URL or a Controller at join"),
    (Agent, {"name": "a", "listen": [5]}, "expected a URL or a listener at listen, got 5"),
    (Agent, {"name": "a", "listen": 5}, "expected a URL or a listener at listen, got 5"),
    (Agent, {"name": "a", "approval": print}, "expected a list of policies at approval"),
    (Agent, {"name": "a", "approval": [5]}, "the approval policy 5 is no function"),
    (Agent, {"name": "a", "state_dir": 5}, "expected a path at state_dir, got 5"),
    (Agent, {"name": "a", "auth": 5}, "expected an Auth at auth, got 5"),
    (Agent, {"name": "a", "token": 5}, "expected a text at token, got 5"),
    (Controller, {"name": "a/b"}, "'a/b' is no name of a host"),
    (Controller, {"approval": 5}, "expected a list of policies at approval, got 5"),
    (Controller, {"reach": 5}, "expected a Reach or None at reach, got 5"),
    (Controller, {"reach": {"silent_after": 1}}, "expected a Reach or None at reach"),
    (Controller, {"restarts": 5}, "expected a RestartBudget or None at restarts, got 5"),
    (Controller, {"auth": 5}, "expected an Auth or None at auth, got 5"),
    (Controller, {"state_dir": 5}, "expected a path at state_dir, got 5"),
    (Controller, {"listen": [5]}, "expected a URL or a listener at listen, got 5"),
]


@pytest.mark.parametrize(("block", "arguments", "text"), BLOCKS)
async def test_a_block_that_cannot_be_made(block, arguments, text):
    with pytest.raises(BadConfig) as caught:
        block(**arguments)
    assert text in caught.value.message


async def test_a_controller_looks_at_the_names_of_agents_too():
    async with Controller() as controller:
        agent = Agent("a", join=controller)
        agent.name = "n*"  # as one that is not procctl's may say
        with deadline(), pytest.raises(Refused, match=r"'n\*' is no name of a host .letters, digits"):
            async with agent:
                pass
        assert () == await controller.hosts()


async def test_a_url_that_is_none():
    with pytest.raises(BadConfig, match="expected a text at url, got 5"):
        async with connect(5):
            pass


@pytest.mark.parametrize("patterns", [(), (5,), (["north"],)])
async def test_a_policy_of_hosts_that_names_none(patterns):
    with pytest.raises(BadConfig, match=r"hosts\(\)"):
        hosts(*patterns)


async def test_a_policy_that_denies_with_a_number():
    async with Agent("a", approval=[lambda request, fleet: deny(5)]) as agent:
        with deadline(), pytest.raises(Denied, match=r"deny\(\) takes the reason as a text, got 5"):
            await agent.start("web", SLEEP)


async def test_a_command_that_is_none():
    async with Agent("a") as agent:
        with pytest.raises(BadConfig, match="the command of web is 5"):
            await agent.start("web", 5)


async def test_a_start_with_a_command_takes_force_as_well():
    async with Controller() as controller, Agent("a", join=controller) as one, Agent("b", join=controller) as other:
        with deadline():
            await one.start("web", SLEEP, mode="one")
            web = await other.start("web", SLEEP, mode="one", force=True)
            assert ("running", "stopped") == (web.state.word, (await one.process("web")).state.word)
            with pytest.raises(BadConfig, match="expected True or False at force"):
                await other.start("w", SLEEP, force="yes")
