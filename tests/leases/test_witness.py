"""Never two, with real programs and an independent witness, whatever is killed or stopped."""

import os
import signal
import time

import pytest
from helpers import DEADLINE, alive

from procctl.core.terms import Terms

from .stage import TERMS, Stage, clock

HOLD = Terms(**TERMS).hold(TERMS["ttl"])


@pytest.fixture
def stage(place):
    with Stage(place) as made:
        yield made


def kept(stage):
    """One agent, which keeps what it runs: its first run."""
    stage.controller()
    stage.agent("a", keep=True)
    return stage.runs()


def gone(pid, within=DEADLINE):
    """Wait until it is; when it was."""
    limit = time.monotonic() + within
    while alive(pid):
        assert time.monotonic() < limit
        time.sleep(0.005)
    return clock()


def test_another_host_takes_over_from_an_agent_that_is_killed(stage):
    stage.controller()
    stage.agent("a")
    first = stage.runs()
    stage.agent("b")
    killed = clock()
    stage.kill("a")
    second = stage.runs(but=first.token)
    print(f"failover after SIGKILL of the agent: {second.time - killed:.2f} s")
    assert second.time - killed < TERMS["ttl"] + DEADLINE / 2


def test_another_host_takes_over_from_an_agent_that_hangs(stage):
    """Its keeper ends what runs when the deadline has passed, although it ignores SIGTERM."""
    stage.controller()
    stage.agent("a", stubborn=True)
    first = stage.runs()
    stage.agent("b")
    stopped = clock()
    stage.signal("a", signal.SIGSTOP)
    ended = gone(first.pid)
    assert HOLD - TERMS["renew"] - 0.2 < ended - stopped < TERMS["ttl"]
    second = stage.runs(but=first.token)
    assert second.time > ended
    stage.signal("a", signal.SIGCONT)
    time.sleep(0.5)
    assert stage.log.read().pid == second.pid


def test_a_controller_and_an_agent_that_are_killed_and_come_back_soon_end_nothing(place):
    longer = {**TERMS, "ttl": 7.0}
    with Stage(place, "trio", longer) as stage:
        stage.controller()
        stage.agent("a", keep=True)
        first = stage.runs()
        stage.kill("controller")
        stage.controller()
        stage.kill("a")  # the keeper holds what runs, until its deadline
        stage.agent("a", keep=True)
        later = stage.log.read().time + longer["ttl"]
        assert stage.becomes(lambda seen: seen.time > later).pid == first.pid


def test_what_its_keeper_ended_at_its_deadline_runs_again_when_its_agent_is_back(stage):
    first = kept(stage)
    stage.kill("a")
    gone(first.pid)
    stage.agent("a", keep=True)
    assert stage.runs(but=first.token).token > first.token


def test_a_keeper_that_hung_does_not_end_what_was_prolonged_meanwhile(stage):
    first = kept(stage)
    keeper = stage.keeper("a")
    os.kill(keeper, signal.SIGSTOP)
    time.sleep(TERMS["ttl"] + 0.5)
    os.kill(keeper, signal.SIGCONT)
    later = clock() + 0.5
    assert stage.becomes(lambda seen: seen.time > later).pid == first.pid


def test_without_a_controller_everything_on_a_lease_ends_and_begins_anew(stage):
    """The keeper hangs, so it is the agent that sees to it."""
    first = kept(stage)
    keeper = stage.keeper("a")
    os.kill(keeper, signal.SIGSTOP)
    left = clock()
    stage.signal("controller", signal.SIGSTOP)
    assert HOLD - TERMS["renew"] - 0.5 < gone(first.pid) - left < TERMS["ttl"] + 0.1
    os.kill(keeper, signal.SIGCONT)
    stage.kill("controller")
    healed = clock()
    stage.controller()
    second = stage.runs(but=first.token)
    print(f"running again after the controller came back: {second.time - healed:.2f} s")
    assert (second.token > first.token, second.epoch > first.epoch) == (True, True)
