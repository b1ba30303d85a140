"""Process supervisors side by side. See README.md.

bench.py run [--systems a,b] [--rounds R] [--ns 10,100,1000] [--only start,restart,...] [--out FILE]
bench.py report FILE
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import workloads
from built import HOME, Built, build
from comparison import report
from life import driver_class
from workloads import WORKLOADS, Options

SYSTEMS = ("procctl", "procctl_trio", "floor_asyncio", "floor_trio")
RESULTS = HOME / "results.jsonl"
PEERS = ("supervisor", "circus", "honcho", "pm2", "s6", "runit")


class Round:
    """One turn of everything. Args: number: Of the round. file: Takes the figures, a JSON object a line."""

    def __init__(self, number: int, built: Built, options: Options, file: IO[str]) -> None:
        self._number = number
        self._built = built
        self._options = options
        self._file = file

    def run(self, systems: list[str]) -> None:
        """All systems, in an order that moves on by one each round."""
        turn = self._number % len(systems)
        order = systems[turn:] + systems[:turn]
        if "limits" in self._options.only:
            self._job("limits", "all", lambda put: workloads.limits(self._built, put, self._options))
        if set(self._options.only) - {"limits", "logs", "churn"}:
            for n in self._sizes():
                for system in order:
                    if n or "control" in driver_class(system).can:
                        self._main(system, n)
        for what, workload in (("logs", workloads.logs), ("churn", workloads.churn)):
            for system in order:
                if what in self._options.only and what in driver_class(system).can:
                    self._other(system, what, workload)

    def _sizes(self) -> tuple[int, ...]:
        return (0, *self._options.ns) if "memory" in self._options.only else self._options.ns

    def _main(self, system: str, n: int) -> None:
        self._job(system, f"n={n}", lambda put: workloads.main_life(self._built, system, n, put, self._options))

    def _other(self, system: str, what: str, workload: Callable[..., None]) -> None:
        self._job(system, what, lambda put: workload(self._built, system, put, self._options))

    def _job(self, system: str, what: str, act: Callable[[workloads.Put], None]) -> None:
        def put(metric: str, n: int, value: Any) -> None:
            row = {"round": self._number, "system": system, "metric": metric, "n": n, "value": value}
            self._file.write(json.dumps({**row, "load": os.getloadavg()[0]}) + "\n")
            self._file.flush()

        begin = time.monotonic()
        note = "ok"
        try:
            act(lambda metric, n, value: put(metric, n, round(value, 6)))
        except Exception as error:
            note = repr(error)
            put("failed", 0, f"{what}: {note}")
        taken, load = time.monotonic() - begin, os.getloadavg()[0]
        print(f"round {self._number} {system:13} {what:8} {taken:6.1f} s  load {load:.1f}  {note}", flush=True)


def words(text: str) -> list[str]:
    return text.split(",")


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, words(text)))


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = whole.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--systems", type=words, default=list(SYSTEMS), help=f"also {', '.join(PEERS)}")
    run.add_argument("--only", type=words, default=list(WORKLOADS), help=", ".join(WORKLOADS))
    run.add_argument("--rounds", type=int, default=3)
    run.add_argument("--first-round", type=int, default=0, help="to add to a file")
    run.add_argument("--ns", type=numbers, default=(10, 100, 1000), help="numbers of children")
    run.add_argument("--idle", type=float, default=20, help="seconds watched (reported for 20)")
    run.add_argument("--seconds", type=float, default=2, help="for each figure of control")
    run.add_argument("--kills", type=int, default=50)
    run.add_argument("--log-mb", type=int, default=256)
    run.add_argument("--log-cap", type=float, default=30, help="seconds after which a slow reader's rate is taken")
    run.add_argument("--out", type=Path, default=RESULTS)
    commands.add_parser("report").add_argument("file", type=Path, nargs="?", default=RESULTS)
    return whole


def main() -> None:
    given = parser().parse_args()
    if given.command == "report":
        return report(given.file)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that lives are closed
    options = Options(
        only=frozenset(given.only),
        seconds=given.seconds,
        idle=given.idle,
        kills=given.kills,
        log_mb=given.log_mb,
        log_cap=given.log_cap,
        ns=given.ns,
    )
    built = build()
    with open(given.out, "a") as file:
        for turn in range(given.first_round, given.first_round + given.rounds):
            Round(turn, built, options, file).run(given.systems)


if __name__ == "__main__":
    main()
