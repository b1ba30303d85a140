"""``python -m procctl.testing.stories --seeds N --from S --jobs J [--backend trio]``: whole fleets under faults.

It says how many seeds, virtual hours, starts and faults there were, and ends with 1 at the first rule that does not
hold, with the seed and the end of its trace. The same seed gives the same trace.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from .outcome import Outcome
from .virtual.story import tell

__all__ = ["main", "summary"]

_COUNTED = ("starts", "crashes", "reboots", "partitions", "severed", "deadlines")


def _all(seeds: range, jobs: int, backend: str) -> Iterator[Outcome]:
    told = partial(tell, backend=backend)  # type: ignore[arg-type]
    if jobs == 1:
        yield from map(told, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(told, seeds, chunksize=5)


def summary(seeds: int, seconds: float, counts: Counter[str], took: float) -> str:
    """What has been gone through, in one line."""
    parts = ", ".join(f"{counts[word]:,} {word}" for word in _COUNTED)
    return f"{seeds:,} seeds, {seconds / 3600:,.1f} virtual hours, {parts}; {took:,.0f} s"


def main(arguments: list[str] | None = None) -> int:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m procctl.testing.stories", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many; default: 100")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="S", help="the first; default: 0")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="so many at a time; default: 1")
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio", help="default: asyncio")
    options = parser.parse_args(arguments)
    begun, seconds, done = time.monotonic(), 0.0, 0
    counts: Counter[str] = Counter()
    for outcome in _all(range(options.first, options.first + options.seeds), options.jobs, options.backend):
        done += 1
        seconds += outcome.seconds
        counts.update(outcome.counts)
        if outcome.broken:
            print("\n".join(outcome.lines))
            print(f"seed {outcome.seed}: {outcome.broken}")
            print(summary(done, seconds, counts, time.monotonic() - begun))
            return 1
    print(summary(done, seconds, counts, time.monotonic() - begun))
    return 0


if __name__ == "__main__":
    sys.exit(main())
