"""Whole fleets under every fault keep the rules; the same seed tells the same story; a mistake is noticed."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from simulation.mutants import MUTANTS, made

from procctl.testing import stories
from procctl.testing.virtual.story import tell

BACKENDS = ("asyncio", "trio")
SEEDS = int(os.environ.get("PROCCTL_STORIES", "3"))
"""So many on each backend; `nox -s stories` goes through 500."""

BOUND = 40
"""Seeds within which a mistake is noticed."""
MISTAKES = {
    "force starts when the stop is sent": 0,
    "told before it is put down": 0,
    "a lease counted from the first asking": 0,
    "given back before it is empty": 1,
    "what could not be put down is given": 1,
}
"""And a seed that is known to notice it."""


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_rules_hold(backend):
    counts = Counter()
    for seed in range(SEEDS):
        outcome = tell(seed, backend)
        assert "" == outcome.broken, "\n".join((f"seed {seed}", *outcome.lines))
        counts.update(outcome.counts)
    assert all(counts[word] for word in ("starts", "crashes", "partitions", "severed")), counts


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_seed_is_the_same_story(backend):
    here = tell(3, backend, chaos=30).digest
    code = f"from procctl.testing.virtual.story import tell; print(tell(3, {backend!r}, chaos=30).digest)"
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
    assert there.strip() == here
    assert tell(4, backend, chaos=30).digest != here


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(name):
    """Some of those that the other simulation notices, too: what is between them and the fleet hides nothing."""
    (mistake,) = (mutant for mutant in MUTANTS if mutant.name == name)
    with made(mistake):
        broken = next((o for seed in _seeds(MISTAKES[name]) if (o := tell(seed)).broken), None)
    assert broken is not None, f"{name} is not noticed within {BOUND} seeds"
    assert "" == tell(broken.seed).broken


def _seeds(first):
    """The one that is known to notice it, and if that tells another story by now, all others."""
    return [first, *(seed for seed in range(BOUND) if seed != first)]


def test_the_command(capsys):
    assert 0 == stories.main(["--seeds", "1", "--from", "7"])
    assert capsys.readouterr().out.startswith("1 seeds, 0.0 virtual hours, ")
    with made(next(mutant for mutant in MUTANTS if mutant.name == "force starts when the stop is sent")):
        assert 1 == stories.main(["--seeds", str(BOUND)])
    assert "I1: " in capsys.readouterr().out.splitlines()[-2]
