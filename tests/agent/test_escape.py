"""Descendants that leave their process are found, ended, and reported by name and pid."""

import os
import time

import pytest
from helpers import DEADLINE, alive, deadline, finished, sh, texts

from procctl import Agent, State, StopSpec, ready
from procctl.agent import procfs
from procctl.agent.census import Census, Kin
from procctl.agent.features import probe

pytestmark = pytest.mark.anyio

QUICK = StopSpec(steps=(("SIGTERM", 0.2),))


async def test_a_daemon_that_outlives_its_process(tmp_path):
    command = sh(
        "(setsid sh -c 'echo $$ > pid; exec sleep 1000' &); while ! [ -s pid ]; do sleep 0.01; done; cat pid; exit 4"
    )
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", command, cwd=str(tmp_path))
            await web.wait("stopped")
            daemon = int((await texts(web))[0])
            found = [(stray.pid, stray.name, stray.escaped) for stray in web.exit.escaped]
            assert (web.exit.code, found, alive(daemon)) == (4, [(daemon, "sleep", True)], False)


async def test_a_daemon_of_a_process_that_is_stopped():
    command = sh("(setsid sh -c 'echo $$; exec sleep 1000' &); exec sleep 1000")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, ready=ready.log(r"\d"))
            daemon = int((await texts(web))[0])
            record = await web.stop()
            assert ([stray.pid for stray in record.escaped], alive(daemon)) == ([daemon], False)


async def test_a_daemon_that_ignores_sigterm_is_killed():
    stubborn = 'trap "" TERM; echo $$; while :; do sleep 0.1; done'
    command = sh(f"(setsid sh -c '{stubborn}' &); exec sleep 1000")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, ready=ready.log(r"\d"), stop=QUICK)
            daemon = int((await texts(web))[0])
            record = await web.stop()
            assert (daemon in {stray.pid for stray in record.escaped}, alive(daemon)) == (True, False)


async def test_one_that_stays_in_the_group_is_ended_and_has_not_escaped():
    command = sh("sleep 1000 & echo $!; exit 0")
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", command)
            await web.wait("stopped")
            below = int((await texts(web))[0])
            assert (web.exit.code, web.exit.escaped, alive(below)) == (0, (), False)


async def test_one_without_environment_is_found_below_the_living():
    command = sh("env -i setsid sh -c 'echo $$; exec sleep 1000' & wait")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, ready=ready.log(r"\d"))
            daemon = int((await texts(web))[0])
            record = await web.stop()
            assert ([stray.pid for stray in record.escaped], alive(daemon)) == ([daemon], False)


async def test_one_without_environment_is_killed_with_its_process():
    command = sh("env -i setsid sh -c 'echo $$; exec sleep 1000' & wait")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, ready=ready.log(r"\d"))
            daemon = int((await texts(web))[0])
            await web.kill()
            assert not alive(daemon)


async def test_it_is_not_stopped_before_it_is_empty():
    stubborn = 'trap "" TERM; echo $$; while :; do sleep 0.05; done'
    command = sh(f"(setsid sh -c '{stubborn}' &); exec sleep 1000")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, ready=ready.log(r"\d"), stop=QUICK)
            await web.stop(until="accepted")
            seen = set()
            async with agent.events() as events:
                async for event in events:
                    items = event.processes if hasattr(event, "processes") else (event.process,)
                    seen.update((item.detail, item.state) for item in items)
                    if items[0].state == "stopped":
                        break
            assert ("emptying", "pending") in seen
            assert web.item.why.text.count("SIGKILL")


async def test_the_next_run_begins_when_nothing_of_the_last_is_left(tmp_path):
    lives = "grep -qs '^State:[[:space:]]*[^ZX[:space:]]' /proc/$(cat pid)/status"  # init may be slow to reap it
    command = sh(f"[ -e pid ] && {lives} && echo two; (setsid sleep 1000 & echo $! > pid); sleep 999")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, cwd=str(tmp_path))
            await web.restart()
            assert web.state == State.RUNNING
            await web.kill()
            assert await texts(web) == []


async def test_strangers_are_left_alone():
    import subprocess

    stranger = subprocess.Popen(["setsid", "sleep", "1000"])
    try:
        async with Agent() as agent:
            with deadline():
                web, _ = await finished(agent, "web", ["true"])
                await web.wait("stopped")
                assert (stranger.poll(), web.exit.escaped) == (None, ())
    finally:
        stranger.kill()
        stranger.wait()


async def test_an_agent_below_an_agent_ends_only_its_own():
    async with Agent("outer") as outer, Agent("inner") as inner:
        with deadline():
            one = await outer.start("web", ["sleep", "1000"])
            two = await inner.start("web", ["sleep", "1000"])
            await one.stop()
            assert (alive(two.pid), (await two.refresh()).state) == (True, "running")


@pytest.mark.parametrize("number", [0, -1, 1])
async def test_what_has_no_number_of_its_own_claims_nobody_by_one(number):
    """Kernel threads, and what came from another pid namespace, are in group and session 0."""
    census = Census(probe(), lambda: ())
    seen = census._pass([Kin("none", number)], [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()])
    assert seen.found == {}


def test_an_empty_environment_is_told_from_one_that_is_not_there_yet():
    import subprocess

    stranger = subprocess.Popen(["/bin/sleep", "1000"], env={})
    try:
        limit = time.monotonic() + DEADLINE
        while (lineage := procfs.lineage_of(stranger.pid)) is None:  # its exec is under way: ask again
            assert time.monotonic() < limit
        assert lineage == frozenset()  # it is nobody's
    finally:
        stranger.kill()
        stranger.wait()
    assert procfs.lineage_of(stranger.pid) is None
