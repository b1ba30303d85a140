"""A control client in a process of its own: how long an answer takes over a link.

client.py URL NAME COUNT STATS SECONDS     prints the nanoseconds of each question as JSON; STATS is 0 or 1
"""

from __future__ import annotations

import json
import sys
from time import monotonic_ns

import anyio

from procctl import Fleet, connect

__all__ = ["ask", "latencies"]


async def latencies(fleet: Fleet, name: str, count: int, stats: bool, seconds: float) -> list[int]:
    """Ask for the same processes again and again; the first answer is not timed but checked."""
    running = sum(1 for process in await fleet.processes(name, stats=stats) if process.pid)
    if running != count:
        raise ValueError(f"{running} of {count} are running")
    taken: list[int] = []
    begin = monotonic_ns()
    end = begin + int(seconds * 1e9)
    while begin < end:
        await fleet.processes(name, stats=stats)
        now = monotonic_ns()
        taken.append(now - begin)
        begin = now
    return taken


async def ask(url: str, name: str, count: int, stats: bool, seconds: float) -> list[int]:
    """The same over a new link."""
    async with connect(url) as fleet:
        return await latencies(fleet, name, count, stats, seconds)


if __name__ == "__main__":
    url, name, count, stats, seconds = sys.argv[1:]
    print(json.dumps(anyio.run(ask, url, name, int(count), stats == "1", float(seconds))))
