"""procctl against its own goals: one command, a minute or two, everything in one run.

The machine's own limits are taken first, last, and between the rounds of each backend, beside whose figures they
stand: a machine's speed changes within seconds. Each backend is a process of its own.

    python benchmarks/house.py [--quick] [--backend asyncio|trio] [--rounds R] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from pathlib import Path
from time import monotonic

import imports
from built import build
from household import Household
from machine import WAYS, Machine
from procfs import busy
from table import lines, markdown, number, ratio

IMPORT_GOAL = 2.0


def drift(machines: list[Machine]) -> str:
    """How far the machine's own figures went up and down during the run."""
    parts = []
    for name, what in (
        ("vfork_running_s", "spawn (vfork)"),
        ("posix_running_s", "spawn (posix_spawn)"),
        ("whole_running_s", "spawn with a session, two pipes and a pidfd"),
        ("vfork_stop_s", "stop"),
        ("restart_median_us", "restart"),
    ):
        values = [value for machine in machines for value in machine.all(name)]
        unit = 1e3 if name.endswith("_s") else 1e-3
        parts.append(f"{what} {number(min(values) * unit)} to {number(max(values) * unit)} ms")
    return "; ".join(parts)


def import_rows(taken: dict[str, float]) -> list[list[str]]:
    """What importing costs, raw and without the interpreter's own start."""
    rows = []
    for what, start in (("with the interpreter's start", 0.0), ("without", taken["nothing"])):
        limit, agent, child = (taken[name] - start for name in ("asyncio", "agent", "child"))
        cells = [what, number(limit * 1e3), number(agent * 1e3), ratio(agent, limit, IMPORT_GOAL)]
        loop, block = (number((taken[name] - start) * 1e3) for name in ("loop", "block"))
        rows.append([*cells, f"≤ {IMPORT_GOAL:g}x", number(child * 1e3), loop, block])
    return rows


def measure_machine(machine: Machine) -> None:
    """As it is without us, before and after everything."""
    machine.spawns((*WAYS, "whole"))
    machine.deaths(25)


def run(backends: list[str], n: int, rounds: int) -> dict[str, object]:
    """Measure everything and print it."""
    begun = monotonic()
    built = build()
    alone = Machine(built, n)
    homes = {backend: Household(built, backend, n) for backend in backends}
    before = busy()
    measure_machine(alone)
    imported = imports.import_seconds()
    foreign = imports.foreign_modules()
    for home in homes.values():
        home.measure(rounds)
    measure_machine(alone)
    after = busy()

    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} CPUs, {n} children\n")
    heads = [cell for backend in backends for cell in ("C", backend, "ratio")]
    cells = lines(n, [(home.machine.limits(), home.figures) for home in homes.values()])
    print(markdown(["figure", "unit", *heads, "goal"], cells))
    heads = [
        "import, ms",
        "asyncio",
        "procctl.Agent",
        "ratio",
        "goal",
        "procctl.child",
        "an empty loop",
        "an Agent's block",
    ]
    print("\n" + markdown(heads, import_rows(imported)))
    print(f"\n`import procctl.child` loads beside the standard library: {', '.join(foreign) or 'nothing'}.")
    print(f"C during this run: {drift([alone, *(home.machine for home in homes.values())])}.")
    print(f"Others used {before:.0%} of the CPUs before this run and {after:.0%} after it.")
    print(f"{monotonic() - begun:.0f} s. A ratio in bold misses its goal.")
    return {
        "n": n,
        "busy": (before, after),
        "machine": alone.taken,
        "imports": imported,
        "foreign": foreign,
        "backends": {
            backend: {"limits": home.machine.limits(), "machine": home.machine.taken, "figures": home.figures}
            for backend, home in homes.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 children instead of 1000")
    parser.add_argument("--backend", choices=("asyncio", "trio"), help="only this one")
    parser.add_argument("--rounds", type=int, default=3, help="of starting and stopping all (3)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write all figures there")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all blocks are left
    backends = [options.backend] if options.backend else ["asyncio", "trio"]
    figures = run(backends, 200 if options.quick else 1000, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
