"""``python -m procctl.testing.simulate --seeds N --from S --jobs J``: leases under faults, seed after seed.

It says how many seeds, virtual hours, crashes and starts there were, and ends with 1 at the first rule that does not
hold, with the seed and the end of its trace. The same seed gives the same trace.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from .simulation import Outcome, simulate

__all__ = ["main"]

_CHUNK = 50
_COUNTED = (
    *("controller crashes", "agent crashes", "reboots", "spawns"),
    *("partitions", "deadlines", "commits", "failed commits", "answers", "freed"),
)


def _chunk(seeds: range) -> list[Outcome]:
    logging.getLogger("procctl.gate").setLevel(logging.CRITICAL)  # that disks fail is no news here
    return [simulate(seed) for seed in seeds]


def _all(seeds: range, jobs: int) -> Iterator[Outcome]:
    chunks = [seeds[i : i + _CHUNK] for i in range(0, len(seeds), _CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from _chunk(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for outcomes in pool.map(_chunk, chunks):
            yield from outcomes


def summary(seeds: int, seconds: float, counts: Counter[str], took: float) -> str:
    """What has been gone through, in one line."""
    parts = ", ".join(f"{counts[word]:,} {word}" for word in _COUNTED)
    return f"{seeds:,} seeds, {seconds / 3600:,.0f} virtual hours, {parts}; {took:,.0f} s"


def main(arguments: list[str] | None = None) -> int:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m procctl.testing.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many; default: 1000")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="S", help="the first; default: 0")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="so many at a time; default: 1")
    options = parser.parse_args(arguments)
    begun, seconds, done = time.monotonic(), 0.0, 0
    counts: Counter[str] = Counter()
    for outcome in _all(range(options.first, options.first + options.seeds), options.jobs):
        done += 1
        seconds += outcome.seconds
        counts.update(outcome.counts)
        if outcome.broken:
            print("\n".join(outcome.lines))
            print(f"seed {outcome.seed}: {outcome.broken}")
            print(summary(done, seconds, counts, time.monotonic() - begun))
            return 1
        if done % 5000 == 0:
            print(summary(done, seconds, counts, time.monotonic() - begun), file=sys.stderr, flush=True)
    print(summary(done, seconds, counts, time.monotonic() - begun))
    return 0


if __name__ == "__main__":
    sys.exit(main())
