"""Never two, whatever is killed, stopped or cut off, again and again; and where there are two, the token tells."""

import os
import random
from contextlib import ExitStack, contextmanager

import pytest
from helpers import free_port
from networks.machines import machine

from .faults import FAULTS, KEPT, begin, both_guards_stopped, cable_cut
from .stage import Stage

ROUNDS = int(os.environ.get("PROCCTL_WITNESS", "0"))
"""Of each fault; `nox -s witness` does 500."""
PARTS = 4
SEED = int(os.environ.get("PROCCTL_WITNESS_SEED", "1"))
PATIENCE = 30.0
"""Seconds in which somebody runs again: a lease, a restart, and a machine that has much else to do."""


@contextmanager
def staged(place, backend="asyncio", cables=False, overlap=False):
    """A stage; with cables each agent is on a host of its own."""
    with ExitStack() as stack:
        machines = {}
        if cables:
            for number, name in enumerate(KEPT):
                machines[name] = stack.enter_context(machine(number + 1))
        port = free_port() if cables else 0
        yield stack.enter_context(Stage(place, backend, machines=machines, port=port, overlap=overlap))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_after_the_other(place, backend):
    """Each fault once."""
    dice = random.Random(SEED)
    cables = backend == "asyncio"
    with staged(place, backend, cables) as stage:
        begin(stage, dice)
        for fault in FAULTS:
            if fault is both_guards_stopped or (fault is cable_cut and not cables):
                continue
            stage.runs(within=PATIENCE)
            fault(stage, dice)
        stage.runs(within=PATIENCE)


def test_what_fences_is_safe_where_both_guards_are_stopped(place):
    """This is no lease's fault: it is said that a guard acts in time. The resource refuses the older one then."""
    dice = random.Random(SEED)
    with staged(place, overlap=True) as stage:
        begin(stage, dice)
        both_guards_stopped(stage, dice)
        stage.runs(within=PATIENCE)
        assert stage.log.twos > 0
        assert stage.log.refused > 0


@pytest.mark.skipif(not ROUNDS, reason="nox -s witness")
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_again_and_again(place, fault, part):
    dice = random.Random(f"{SEED} {fault.__name__} {part}")
    with staged(place, ("asyncio", "trio")[part % 2], fault is cable_cut, fault is both_guards_stopped) as stage:
        begin(stage, dice)
        for _ in range(-(-ROUNDS // PARTS)):
            stage.runs(within=PATIENCE)
            fault(stage, dice)
        last = stage.runs(within=PATIENCE)
        log = stage.log
        print(
            f"\n{fault.__name__}: {len(log.tokens)} of {last.token} tokens ran, {log.twos} twos, {log.refused} refused"
        )
        if fault is both_guards_stopped:
            assert (log.twos > 0, log.refused > 0) == (True, True)
