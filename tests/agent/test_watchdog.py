"""Programs that have promised to say something now and then."""

import sys

import anyio
import pytest
from helpers import SLEEP, deadline

from procctl import Agent, RestartSpec, State
from procctl.core.specs import WatchdogSpec

pytestmark = pytest.mark.anyio


PROMISED = """
import signal, time
from procctl import child
with child.attach_blocking() as parent:
    said = []
    signal.signal(signal.SIGUSR1, lambda *_: said.append(1))
    for _ in range(3):
        parent.alive()
        time.sleep(0.05)
    while True:
        if said:
            parent.alive()
        time.sleep(0.02)
"""


async def test_a_program_that_has_promised_to_speak_and_does_not_is_not_responding():
    async with Agent("a") as agent:
        watchdog = WatchdogSpec(every=0.5)
        web = await agent.start("web", [sys.executable, "-c", PROMISED], watchdog=watchdog)
        async with agent.events() as events:
            event = await anext(events)
            while getattr(event, "new", None) != State.NOTRESPONDING:
                event = await anext(events)
            assert (event.old, event.process.detail, event.process.pid) == (1, "watchdog-lost", web.pid)
            await web.signal("SIGUSR1")
            event = await anext(events)
            assert (event.old, event.new, event.process.detail) == (4, 1, "up")


async def test_a_silent_program_is_killed_and_started_again_where_that_is_declared():
    async with Agent("a") as agent:
        watchdog = WatchdogSpec(every=0.3, on_silence="kill")
        restart = RestartSpec(policy="on-failure", delay=(0.0, 0.1))
        web = await agent.start("web", SLEEP, watchdog=watchdog, restart=restart)
        first = web.pid
        with deadline():
            while (await web.refresh()).restarts < 1 or not web.pid:
                await anyio.sleep(0.01)
        assert (web.pid != first, web.exit.signal) == (True, "SIGKILL")
