"""What is done to each system, and what is measured of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

from attrs import frozen
from built import Built
from life import Life, asked_by, gone
from machine import figures
from procfs import cpu_seconds, end_all, memory

__all__ = ["WORKLOADS", "Options", "Put", "churn", "limits", "logs", "main_life"]

WORKLOADS = ("start", "restart", "memory", "control", "stop", "logs", "idle", "churn", "limits")
"""``stop`` includes the warm start."""

LIMITS_PY = Path(__file__).with_name("limits.py")

Put = Callable[[str, int, float], None]
"""Takes a figure: its name, the number of children, its value."""


@frozen(kw_only=True)
class Options:
    """How long, how often, how much.

    Attributes:
        only: Which workloads.
        seconds: For each figure of control.
        idle: Seconds that idle children are watched.
        kills: How many children are killed.
        log_mb: What the writer writes.
        log_cap: Seconds after which a slow reader's rate is taken as it is.
        ns: Numbers of children.
    """

    only: Collection[str]
    seconds: float
    idle: float
    kills: int
    log_mb: int
    log_cap: float
    ns: tuple[int, ...]


def part(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    values = sorted(values)
    return values[min(len(values) - 1, int((len(values) - 1) * share + 0.5))]


def main_life(built: Built, system: str, n: int, put: Put, options: Options) -> None:
    """Start, memory, idle, control, restart, stop and the warm start, in one life."""
    with Life(built, system, n) as life:
        taken, pids = life.boot()
        own = life.own()
        if n:
            if "start" in options.only:
                put("start_s", n, taken)
                put("start_cpu_s", n, cpu_seconds(own))
            life.driver.ready()
        time.sleep(1.5)
        if "memory" in options.only:
            own = life.own()
            size = memory(own)
            put("pss_MB", n, size.pss)
            put("rss_MB", n, size.rss)
            put("own_processes", n, len(own))
        can = {"idle", *life.driver.can} & set(options.only)
        if "idle" in can and n >= 1000:
            _idle(life, n, put, options)
        if "control" in can and n >= 100:
            _control(life, n, put, options)
        if "restart" in can and n == 100:
            _restarts(life, pids, put, options)
        if "stop" in can and n:
            put("stop_s", n, gone(pids, life.driver.stop_all))
            if "warm" in life.driver.can:
                _warm_start(life, n, put)


def _idle(life: Life, n: int, put: Put, options: Options) -> None:
    own = life.own()
    before = cpu_seconds(own)
    time.sleep(options.idle)
    put("idle_cpu_s_per_20s", n, (cpu_seconds(own) - before) * 20 / options.idle)


def _control(life: Life, n: int, put: Put, options: Options) -> None:
    own = life.own()
    for what in ("one", "all"):
        for clients in (1, 8):
            before = cpu_seconds(own)
            taken = asked_by(life.driver, what, clients, options.seconds)
            name = f"ctl_{what}_{clients}c"
            put(f"{name}_median_us", n, part(list(taken), 0.5) / 1e3)
            put(f"{name}_p99_us", n, part(list(taken), 0.99) / 1e3)
            put(f"{name}_per_s", n, len(taken) * clients / (sum(taken) / 1e9))
            put(f"{name}_cpu_us", n, (cpu_seconds(own) - before) * 1e6 / len(taken))


def _restarts(life: Life, pids: list[int], put: Put, options: Options) -> None:
    taken: list[float] = []
    end = time.monotonic() + 25  # a system that looks once a second gets fewer kills
    for i in range(options.kills):
        if time.monotonic() > end:
            break
        begin = time.monotonic_ns()
        os.kill(pids[i % len(pids)], signal.SIGKILL)
        (report,) = life.reports.need(1, 10)
        pids[i % len(pids)] = report.pid
        taken.append((report.ns - begin) / 1e3)
        time.sleep(random.uniform(0.02, max(0.15, 1.2 * taken[-1] / 1e6)))
    put("restart_median_us", len(pids), part(taken, 0.5))
    put("restart_p99_us", len(pids), part(taken, 0.99))
    put("restart_kills", len(pids), len(taken))


def _warm_start(life: Life, n: int, put: Put) -> None:
    time.sleep(1)
    begin = time.monotonic_ns()
    life.driver.start_all()
    put("start_warm_s", n, (max(report.ns for report in life.reports.need(n, 120)) - begin) / 1e9)


def logs(built: Built, system: str, put: Put, options: Options) -> None:
    """One child that writes as fast as it can."""
    total = options.log_mb * 1_000_000
    with Life(built, system, 1, "log", str(total), log=True) as life:
        life.driver.boot()
        (report,) = life.reports.need(1, 20)
        own = life.own()
        before, size, passed = cpu_seconds(own), 0, 0.0
        while size < total and passed < options.log_cap:
            time.sleep(0.005)
            size = life.driver.log_bytes()
            passed = (time.monotonic_ns() - report.ns) / 1e9
        put("log_MB_per_s", 1, size / passed / 1e6)
        put("log_cpu_s_per_GB", 1, (cpu_seconds(own) - before) / max(size / 1e9, 1e-9))


def churn(built: Built, system: str, put: Put, options: Options) -> None:
    """Children that exit at once, restarted with the least delay that the system has."""
    with Life(built, system, 50, "exit") as life:
        life.driver.boot()
        time.sleep(1.5)
        life.reports.drop()
        own = life.own()
        before, begin = cpu_seconds(own), time.monotonic()
        count = len(life.reports.take(10**9, 5))
        put("churn_per_s", 50, count / (time.monotonic() - begin))
        put("churn_cpu_ms_each", 50, (cpu_seconds(own) - before) * 1e3 / max(1, count))


def limits(built: Built, put: Put, options: Options) -> None:
    """What the machine allows, in C and in bare Python."""
    with tempfile.TemporaryDirectory(prefix="limits-") as folder:
        fifo = f"{folder}/fifo"

        def take(prefix: str, n: int, *command: object) -> None:
            try:
                got = figures(command)
            except (subprocess.SubprocessError, OSError) as error:
                print(f"  limits: {error!r}", file=sys.stderr)
                return
            finally:
                end_all(built.child, fifo)
            for name, value in got.items():
                put(prefix + name, n, value)

        python = (sys.executable, LIMITS_PY)
        for n in options.ns * 3:  # the report keeps each round's best
            take("vfork_", n, built.limits, "spawn", "vfork", n, built.child, fifo)
            take("posix_spawn_", n, built.limits, "spawn", "posix", n, built.child, fifo)
            for how in ("popen", "posix", "asyncio", "trio"):
                take(f"py_{how}_", n, *python, "spawn", how, n, built.child, fifo)
        take("", 1, built.limits, "death", 50, built.child, fifo)
        take("churn_", 50, built.limits, "churn", 50, 2, built.child, fifo)
        for mode in ("discard", "read", "splice"):
            size = options.log_mb * 1_000_000
            take(f"pipe_{mode}_", 1, built.limits, "pipe", mode, size, built.child, fifo, f"{folder}/out")
        for kind in ("unix", "tcp"):
            take(f"c_{kind}_64_", 1, built.limits, "rtt", kind, 64, 64, 1)
        for n in (100, 1000):  # "status of all": some 64 bytes a process in the answer
            take("c_unix_all_", n, built.limits, "rtt", "unix", 64, 64 * n, 1)
        for how in _pairs():
            take(f"py_{how}_", 1, *python, "rtt", how, 1)


def _pairs() -> list[str]:
    try:
        import zmq  # noqa: F401
    except ImportError:
        return ["asyncio-unix", "asyncio-tcp", "trio-unix"]
    return ["asyncio-unix", "asyncio-tcp", "trio-unix", "zmq-reqrep", "zmq-dealer-router"]
