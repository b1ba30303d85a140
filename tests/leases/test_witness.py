"""Never two, with real programs and an independent witness, whatever is killed or stopped."""

import os
import random
import signal
import time

import pytest
from agent.surviving import keeper_of, keepers, keepers_of
from helpers import DEADLINE, alive

from procctl.core.terms import Terms

from .stage import TERMS, Stage, clock

ROUNDS = int(os.environ.get("PROCCTL_WITNESS", "3"))
"""Random faults in a row; `nox -s witness` does 500."""
HOLD = Terms(**TERMS).hold(TERMS["ttl"])


@pytest.fixture
def stage(place):
    with Stage(place) as made:
        yield made


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
    stage.check()


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
    assert stage.last().pid == second.pid
    stage.check()


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
        later = stage.last().time + longer["ttl"]
        assert stage.becomes(lambda seen: seen.time > later).pid == first.pid
        stage.check()


def test_without_a_controller_everything_on_a_lease_ends_and_begins_anew(stage):
    """The keeper hangs, so it is the agent that sees to it."""
    stage.controller()
    stage.agent("a", keep=True)
    first = stage.runs()
    keeper = keeper_of(stage.folder)
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
    stage.check()


@pytest.mark.skipif(ROUNDS < 10, reason="nox -s witness")
def test_random_faults(stage):
    dice = random.Random(int(os.environ.get("PROCCTL_WITNESS_SEED", "1")))
    stage.controller()
    kept = {"a": True, "b": False, "c": True}
    for name, keep in kept.items():
        stage.agent(name, keep=keep, stubborn=dice.random() < 0.5)
    for _ in range(ROUNDS):
        who = dice.choice(["controller", *kept])
        length = dice.choice([0.05, 0.5, TERMS["ttl"], 2 * TERMS["ttl"]]) * dice.random()
        if dice.random() < 0.5:
            stage.signal(who, signal.SIGSTOP)
            time.sleep(length)
            stage.signal(who, signal.SIGCONT)
        else:
            stage.kill(who)
            time.sleep(length)
            if who == "controller":
                stage.controller()
            else:
                stage.agent(who, keep=kept[who], stubborn=dice.random() < 0.5)
        for keeper in keepers_of(stage.folder):
            if dice.random() < 0.1:
                os.kill(keeper, signal.SIGKILL)
        stage.check()
    stage.runs()
    assert len({seen.token for seen in stage.seen()}) > ROUNDS / 10
    assert keepers() != []
    stage.check()
