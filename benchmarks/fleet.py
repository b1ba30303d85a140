"""What a controller costs with many agents: in simulation, and over real connections on this machine.

    python benchmarks/fleet.py [--quick] [--seconds 30] [--json FILE]

Each line of the tables is a process of its own. See README.md for what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import loopback
import virtual
from table import markdown, number

SIMULATED = ((5_000, 20), (10_000, 1), (10_000, 20), (10_000, 100), (25_000, 20), (50_000, 20))
CONNECTED = (("unix", 2_000), ("http", 2_000))
QUICK = ((1_000, 1), (1_000, 20))
QUICKLY = (("unix", 100),)
GOAL = 50_000
"""Heartbeats in a second of CPU time."""
PATIENCE_MS = 100.0
"""Milliseconds in which 99 of 100 commands are answered."""


def _one(what: str, *arguments: Any) -> dict[str, Any]:
    """A measurement in a process of its own."""
    command = [sys.executable, __file__, "--one", what, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    print(what, *arguments, json.dumps(figures), file=sys.stderr, flush=True)
    return figures


def _measure(what: str, arguments: list[str]) -> None:
    agents, processes, seconds = int(arguments[-3]), int(arguments[-2]), float(arguments[-1])
    if what == "virtual":
        figures: Any = anyio.run(virtual.simulate, agents, processes, seconds)
    else:
        figures = anyio.run(loopback.measure, arguments[0], agents, processes, seconds)
    print(json.dumps(figures._asdict()))


def _simulated(found: list[dict[str, Any]]) -> str:
    head = (
        "agents",
        "processes each",
        "every, s",
        "µs a heartbeat",
        "a second of CPU",
        "of 200 bytes",
        "with a change, µs",
    )
    head += ("kB a process", "CPU", "late, ms", "command p50, ms", "p99, ms")
    rows = [
        (
            f"{f['agents']:,}",
            f"{f['processes']}",
            number(f["every"]),
            number(f["apply_us"]),
            _goal(1e6 / f["apply_us"]),
            _goal(1e6 / f["apply_200_us"]),
            number(f["change_us"]),
            number(f["kB_each"]),
            f"{f['cpu_share']:.0%}",
            number(f["late_ms"]),
            number(f["p50_ms"]),
            _in_time(f["p99_ms"]),
        )
        for f in found
    ]
    return markdown(head, rows)


def _connected(found: list[dict[str, Any]]) -> str:
    head = (
        "connections",
        "agents",
        "all there, s",
        "kB an agent",
        "every, s",
        "µs a heartbeat",
        "CPU",
        "command p50, ms",
        "p99, ms",
    )
    head += ("look p50, ms", "p99, ms")
    rows = [
        (
            f["scheme"],
            f"{f['agents']:,}",
            number(f["greeting_s"]),
            number(f["kB_agent"]),
            number(f["every_s"]),
            number(f["beat_us"]),
            f"{f['cpu_share']:.0%}",
            number(f["p50_ms"]),
            _in_time(f["p99_ms"]),
            number(f["look_p50_ms"]),
            _in_time(f["look_p99_ms"]),
        )
        for f in found
    ]
    return markdown(head, rows)


def _goal(per_second: float) -> str:
    return number(per_second) if per_second >= GOAL else f"**{number(per_second)}**"


def _in_time(ms: float) -> str:
    return number(ms) if ms <= PATIENCE_MS else f"**{number(ms)}**"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a small fleet: does it work?")
    parser.add_argument("--seconds", type=float, default=30.0, help="of heartbeats and commands, for each line")
    parser.add_argument("--json", type=Path, help="keep every figure")
    options = parser.parse_args()
    if options.one:
        return _measure(options.one[0], options.one[1:])
    seconds = 3.0 if options.quick else options.seconds
    simulated = [_one("virtual", a, p, seconds) for a, p in (QUICK if options.quick else SIMULATED)]
    connected = [_one("loopback", s, a, 20, seconds) for s, a in (QUICKLY if options.quick else CONNECTED)]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {load}\n")
    print(f"In simulation:\n\n{_simulated(simulated)}\n\nOver connections:\n\n{_connected(connected)}")
    if options.json:
        options.json.write_text(json.dumps({"virtual": simulated, "loopback": connected}, indent=1))
    return None


if __name__ == "__main__":
    main()
