"""``python -m procctl.testing.crashes [--every N] [--jobs J] [--backend trio]``: a kill between any two steps.

Each scene of `procctl.testing.virtual.scenes` is played once for each of its steps and each program, which is killed
there. It says how many that were, and ends with 1 at the first after which a rule does not hold, with the end of its
trace.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from .outcome import Outcome
from .virtual.scenes import SCENES, WHO, play, steps_of
from .virtual.time import Backend

__all__ = ["main"]

Kill = tuple[str, str, int]
"""The scene, who is killed, and before which step."""


def _kills(every: int, backend: Backend) -> Iterator[Kill]:
    for scene in SCENES:
        steps = steps_of(scene, backend)
        for number, who in enumerate(WHO):
            for step in range(number % every, steps + 1, every):
                yield scene, who, step


def _played(kill: Kill, backend: Backend) -> tuple[Kill, Outcome]:
    return kill, play(*kill, backend)[0]


def main(arguments: list[str] | None = None) -> int:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m procctl.testing.crashes", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth step; default: 1")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="so many at a time; default: 1")
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio", help="default: asyncio")
    options = parser.parse_args(arguments)
    begun, done = time.monotonic(), 0
    kills = _kills(options.every, options.backend)
    with ProcessPoolExecutor(options.jobs) as pool:
        for (scene, who, step), outcome in pool.map(partial(_played, backend=options.backend), kills, chunksize=10):
            done += 1
            if outcome.broken:
                print("\n".join(outcome.lines))
                print(f"{scene}, {who} killed before step {step}: {outcome.broken}")
                return 1
    print(f"{len(SCENES)} scenes, {done:,} kills, {options.backend}; {time.monotonic() - begun:,.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
