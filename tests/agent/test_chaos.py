"""Commands at random on real processes: nothing is orphaned, nothing leaks, and no exit status is wrong."""

import os
from contextlib import suppress
from random import Random

import anyio
import pytest
from helpers import CHAOS, children, deadline, sh

from procctl import Agent, ProcctlError, RestartSpec, StopSpec

COUNT = int(os.environ.get("PROCCTL_CHAOS", CHAOS))
pytestmark = [pytest.mark.anyio, pytest.mark.seconds(20 + COUNT)]
KINDS = {  # what it does by itself, and how it may end when it is told to
    "plain": "exec sleep 1000",
    "code": "trap 'exit 7' TERM; while :; do sleep 0.01; done",
    "deaf": "trap '' TERM; while :; do sleep 0.01; done",
    "brief": "sleep 0.02; exit 9",
    "daemon": "(setsid sleep 1000 &); exec sleep 1000",
    "noisy": "seq 1 2000; exec sleep 1000",
}
ENDS = {
    "plain": {(None, "SIGTERM"), (None, "SIGKILL"), (None, "SIGUSR1")},
    "code": {(7, None), (None, "SIGKILL"), (None, "SIGUSR1"), (None, "SIGTERM")},
    "deaf": {(None, "SIGKILL"), (None, "SIGUSR1"), (None, "SIGTERM")},
    "brief": {(9, None), (None, "SIGTERM"), (None, "SIGKILL"), (None, "SIGUSR1")},
    "daemon": {(None, "SIGTERM"), (None, "SIGKILL"), (None, "SIGUSR1")},
    "noisy": {(None, "SIGTERM"), (None, "SIGKILL"), (None, "SIGUSR1")},
}
"""A signal may come before the shell has set its traps."""


async def one_command(agent, rng):
    name = rng.choice(tuple(KINDS))
    until = rng.choice(("accepted", "settled"))
    match rng.randrange(7):
        case 0 | 1:
            await agent.start(name, until=until)
        case 2:
            await agent.stop(name, grace=rng.choice((None, 0, 0.02)), until=until)
        case 3:
            await agent.kill(name, until=until)
        case 4:
            await agent.restart(name, until=until)
        case 5:
            await agent.signal("USR1", name)
        case 6:
            async with agent.logs(name, tail=5) as lines:
                async for _ in lines:
                    pass


async def commands(agent, rng, count):
    for _ in range(count):
        with anyio.move_on_after(rng.choice((0.001, 0.01, 0.1, 20.0))), suppress(ProcctlError):
            await one_command(agent, rng)


async def whole(rng):
    found = []
    async with Agent() as agent:
        for name, text in KINDS.items():
            restart = RestartSpec(policy=rng.choice(("never", "always")), delay=(0.01, 0.02), limit=None)
            declared = {"restart": restart, "stop": StopSpec(steps=(("SIGTERM", 0.05),))}
            await agent.start(name, sh(text), until="accepted", **declared)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(commands, agent, Random(rng.random()), 6)
        await agent.stop(all=True)
        batch = await agent.processes()
        found = [(p.name, (p.exit.code, p.exit.signal)) for p in batch if p.exit is not None]
        assert [p.name for p in batch if p.pid or p.item.state not in ("stopped", "notstarted")] == []
    return found


@pytest.mark.parametrize("part", range(5))
async def test_chaos(part):
    for seed in range(part, COUNT, 5):
        rng = Random(seed)
        with deadline(60):
            found = await whole(rng)
        wrong = [(name, end) for name, end in found if end not in ENDS[name]]
        assert (seed, wrong, children()) == (seed, [], set())


@pytest.mark.parametrize("part", range(5))
async def test_chaos_with_the_block_cancelled(part):
    for seed in range(part, COUNT, 5):
        rng = Random(seed)
        with deadline(60), anyio.move_on_after(rng.random() * 0.2):
            await whole(rng)
        assert (seed, children()) == (seed, set())
