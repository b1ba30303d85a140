"""A mistake in a program's own call ends that call, and nothing else."""

import pytest
from helpers import SLEEP, deadline

from procctl import Agent, Controller, Refused, connect
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
