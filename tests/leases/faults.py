"""What befalls controllers, agents, keepers and cables, and how it is over again."""

import os
import signal
import time
from contextlib import suppress

from .stage import TERMS

KEPT = {"a": True, "b": False, "c": True}
"""The agents, and whether what they run lives on without them."""


def begin(stage, dice):
    """All of them."""
    stage.controller()
    for name in KEPT:
        agent(stage, dice, name)


def agent(stage, dice, name, remembers=True):
    """Begin this one, or begin it again."""
    stage.agent(name, keep=KEPT[name], stubborn=dice.random() < 0.5, remembers=remembers)


def struck(stage, dice):
    """Whom it hits: mostly the host that holds the slot."""
    last = stage.log.read()
    return last.host if last is not None and dice.random() < 0.7 else dice.choice(list(KEPT))


def some_time(dice):
    """How long a fault lasts: a moment, or longer than a lease."""
    time.sleep(dice.choice([0.05, 0.5, TERMS["ttl"], 2 * TERMS["ttl"]]) * dice.random())


def agent_killed(stage, dice):
    name = struck(stage, dice)
    stage.kill(name)
    some_time(dice)
    agent(stage, dice, name, remembers=KEPT[name] or dice.random() < 0.5)


def agent_stopped(stage, dice):
    _stopped(dice, stage.programs[struck(stage, dice)].pid)


def controller_killed(stage, dice):
    stage.kill("controller")
    some_time(dice)
    stage.controller()


def controller_stopped(stage, dice):
    _stopped(dice, stage.programs["controller"].pid)


def keeper_killed(stage, dice):
    for pid in stage.keepers(struck(stage, dice)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    some_time(dice)


def keeper_stopped(stage, dice):
    _stopped(dice, *stage.keepers(struck(stage, dice)))


def cable_cut(stage, dice):
    machine = stage.machines[struck(stage, dice)]
    machine.cut()
    some_time(dice)
    machine.heal()


def both_guards_stopped(stage, dice):
    """Against A2: nobody ends what runs there, and another begins meanwhile."""
    name = stage.runs().host
    guards = stage.programs[name].pid, stage.keeper(name)
    for pid in guards:
        os.kill(pid, signal.SIGSTOP)
    stage.becomes(lambda seen: seen.host != name)
    time.sleep(0.2)
    for pid in guards:
        os.kill(pid, signal.SIGCONT)


def _stopped(dice, *pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    some_time(dice)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


FAULTS = (
    *(agent_killed, agent_stopped, keeper_killed, keeper_stopped),
    *(controller_killed, controller_stopped, cable_cut, both_guards_stopped),
)
