"""A defect of ours ends the block with one InternalError, and no child remains."""

import anyio
import pytest
from helpers import SLEEP, STUBBORN, children, deadline, sh

from procctl import Agent, Denied, ready
from procctl.errors import InternalError, ProcctlError

pytestmark = pytest.mark.anyio

PLACES = [
    "procctl.agent.output.ring.Ring.write",
    "procctl.agent.census.Census._present",
    "procctl.agent.spawner.Spawner._spawn",
    "procctl.agent.tools.end_of",
    "procctl.agent.bodies.child.Child._spawned",
    "procctl.agent.bodies.child.Child._ended",
]


def broken(*_, **__):
    raise ZeroDivisionError("provoked")


@pytest.mark.parametrize("place", PLACES)
async def test_a_defect_in_a_part_ends_the_block(place, monkeypatch):
    with deadline():
        with pytest.raises(InternalError, match="provoked") as caught:
            async with Agent() as agent:
                await agent.start("web", STUBBORN, ready=ready.log("up"))
                await agent.start("many", SLEEP, instances=5)
                monkeypatch.setattr(place, broken)
                await agent.start("last", sh("echo hello; exit 3"), until="accepted")
                await anyio.sleep_forever()
        assert (type(caught.value.__cause__), children()) == (ZeroDivisionError, set())


@pytest.mark.parametrize("place", ["procctl.core.host.Host.feed", "procctl.agent.hands.Hands.perform"])
async def test_a_defect_where_a_command_is_decided(place, monkeypatch):
    with deadline():
        with pytest.raises(InternalError, match="provoked"):
            async with Agent() as agent:
                await agent.start("web", SLEEP)
                monkeypatch.setattr(place, broken)
                with pytest.raises(ProcctlError, match="provoked"):
                    await agent.stop("web")
                await anyio.sleep_forever()
        assert children() == set()


async def test_a_defect_while_the_block_is_left(monkeypatch):
    with deadline():
        with pytest.raises(InternalError, match="provoked"):
            async with Agent() as agent:
                await agent.start("web", SLEEP)
                monkeypatch.setattr("procctl.agent.census.Census._present", broken)
        assert children() == set()


async def test_an_exception_of_the_body_beats_a_defect(monkeypatch, caplog):
    with deadline():
        with pytest.raises(ValueError, match="mine"):
            async with Agent() as agent:
                await agent.start("web", SLEEP)
                monkeypatch.setattr("procctl.agent.census.Census._present", broken)
                raise ValueError("mine")
        assert (children(), [r.levelname for r in caplog.records]) == (set(), ["ERROR"])


async def test_a_defect_of_a_policy_is_a_denial(caplog):
    def policy(request, fleet):
        raise ZeroDivisionError("provoked")

    with deadline():
        async with Agent(approval=[policy]) as agent:
            with pytest.raises(Denied):
                await agent.start("web", SLEEP)
