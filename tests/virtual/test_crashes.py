"""A kill between any two steps: what has to hold holds afterwards, and the scene's end has come."""

import os

import pytest
from simulation.mutants import MUTANTS, made

from procctl.testing import crashes
from procctl.testing.virtual.scenes import SCENES, WHO, play, steps_of
from procctl.testing.virtual.time import before_steps, run_virtual

BACKENDS = ("asyncio", "trio")
EVERY = int(os.environ.get("PROCCTL_CRASHES", "24"))
"""Every so many steps; `nox -s stories` goes through all."""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scene", SCENES)
def test_the_rules_hold(scene, backend):
    steps = steps_of(scene, backend)
    assert steps > 50
    for number, who in enumerate(WHO):
        for step in range(number * EVERY // len(WHO), steps + 1, EVERY):
            outcome, played = play(scene, who, step, backend)
            assert "" == outcome.broken, "\n".join((f"{who} killed before step {step}", *outcome.lines))
            assert (outcome.counts.get("crashes", 0) == 1) is (played > step)


@pytest.mark.parametrize("name", ["told before it is put down", "force starts when the stop is sent"])
def test_a_mistake_is_noticed(name, capsys):
    with made(next(mutant for mutant in MUTANTS if mutant.name == name)):
        assert 1 == crashes.main(["--every", "3"])
    assert "killed before step" in capsys.readouterr().out


def test_the_command(capsys):
    assert 0 == crashes.main(["--every", "60"])
    assert capsys.readouterr().out.startswith(f"{len(SCENES)} scenes, ")


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_are_counted(backend):
    import anyio

    async def main():
        count = 0

        def tick():
            nonlocal count
            count += 1

        with before_steps(tick):
            for _ in range(10):
                await anyio.sleep(1)
        counted = count
        await anyio.sleep(1)
        assert count == counted
        return counted

    assert 10 <= run_virtual(main, backend=backend) < 40


def test_steps_are_counted_in_virtual_time_only():
    import anyio

    async def main():
        with before_steps(lambda: None):
            pass

    with pytest.raises(RuntimeError, match="run_virtual"):
        anyio.run(main)
