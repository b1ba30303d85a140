"""The rules hold in every story, the same seed tells the same one, and every deliberate mistake is noticed."""

import logging
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from procctl.testing import simulate as command
from procctl.testing.simulation import Faults, simulate

from .mutants import MUTANTS, made

SEEDS = int(os.environ.get("PROCCTL_SEEDS", "80"))
"""So many in each of the two tests that go through seeds; `nox -s simulate` goes through 100,000."""
BOUND = 1000
"""Seeds within which a mistake is noticed."""


@pytest.fixture(autouse=True)
def nothing_left():
    """In the place of the look at this program's children and descriptors: nothing here is real."""


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("procctl.gate").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("procctl.gate").setLevel(logging.NOTSET)


@pytest.mark.parametrize("first", [0, 1_000_000])
def test_never_two(first):
    counts = Counter()
    for seed in range(first, first + SEEDS):
        outcome = simulate(seed)
        assert "" == outcome.broken, "\n".join((f"seed {seed}", *outcome.lines))
        counts.update(outcome.counts)
    for word in (
        "spawns",
        "agent crashes",
        "controller crashes",
        "partitions",
        "deadlines",
        "failed commits",
        "reboots",
        "answers",
        "freed",
    ):
        assert counts[word] > SEEDS / 10, word


@pytest.mark.parametrize("seed", [3, 14])
def test_the_same_seed_is_the_same_story(seed):
    here = [simulate(seed).digest, simulate(seed).digest]
    code = f"from procctl.testing.simulation import simulate; print(simulate({seed}).digest)"
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
    assert {there.strip()} == set(here)
    assert simulate(seed + 1).digest not in here


@pytest.mark.parametrize("mistake", MUTANTS, ids=lambda mistake: mistake.name)
def test_a_mistake_is_noticed(mistake):
    with made(mistake):
        broken = next((o for seed in _seeds(mistake.first) if (o := simulate(seed)).broken), None)
    assert broken is not None, f"{mistake.name} is not noticed within {BOUND} seeds"
    assert "" == simulate(broken.seed).broken


def _seeds(first):
    """The one that is known to notice it, and if that tells another story by now, all others."""
    return [first, *(seed for seed in range(BOUND) if seed != first)]


def test_there_are_enough_mistakes():
    assert len(MUTANTS) == len({mistake.name for mistake in MUTANTS}) >= 20


def test_where_both_guards_stop_nothing_is_promised():
    """What the promise assumes is needed: when it is broken, the simulation sees two."""
    assert any(simulate(seed, Faults(freeze=True)).broken for seed in range(BOUND))


def test_the_command(capsys):
    assert 0 == command.main(["--seeds", "3", "--from", "7"])
    assert capsys.readouterr().out.startswith("3 seeds, 0 virtual hours, ")
    with made(next(mistake for mistake in MUTANTS if mistake.name == "runs out early")):
        assert 1 == command.main(["--seeds", "20"])
    said = capsys.readouterr().out
    assert re.search(r"seed \d+: I3: lease", said)
    assert re.search(r"lease \d+ of \w+ for c", said)
