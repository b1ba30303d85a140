"""One backend, measured from its agent's first breath to its end, and the machine in the moments between."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from built import Built
from interpreter import environment
from machine import Machine
from procfs import cpu_seconds, memory
from reports import Reports
from tenancy import Tenancy

__all__ = ["Household", "p99"]

CLIENT = Path(__file__).with_name("client.py")
AMONG = 100
"""How many children run while some of them are killed."""

ASKED = 0.6
"""Seconds for which a question is asked again and again."""


def p99(values: list[float]) -> float:
    """Of few values it is about the worst."""
    return quantiles(values, n=100, method="inclusive")[98]


class Household:
    """Args: built: The programs. backend: asyncio or trio. n: How many children.

    Attributes:
        figures: What was measured, by name; seconds unless the name says otherwise.
        machine: What the machine allowed at the same time.
    """

    def __init__(self, built: Built, backend: str, n: int) -> None:
        self.figures: dict[str, float] = {}
        self.machine = Machine(built, n)
        self._built = built
        self._backend = backend
        self._n = n

    def measure(self, rounds: int = 3, idle: float = 10.0, kills: int = 50) -> None:
        """Take all figures; nothing of it is left running, whatever happens."""
        with tempfile.TemporaryDirectory(prefix=f"house-{self._backend}-") as name:
            folder = Path(name)
            url = f"unix://{folder}/agent.sock"
            with Reports(folder, self._built.child) as reports:
                with Tenancy(self._backend, folder, (url,)) as tenant:
                    self._measure_many(tenant, reports, url, rounds, idle)
                    self._measure_restarts(tenant, reports, kills)

    def _measure_many(self, tenant: Tenancy, reports: Reports, url: str, rounds: int, idle: float) -> None:
        time.sleep(0.5)
        self.figures["pss_empty_MB"] = memory([tenant.pid]).pss
        answer = tenant("add", name="many", command=self._command(reports), instances=self._n)
        self.figures["add"] = (answer["until"] - answer["from"]) / 1e9
        self._start(tenant, reports)  # the first is not warm, and no timers of earlier stops are under way
        self._measure_running(tenant, url, idle)
        self._stop(tenant)
        starts, stops = [], []
        self.machine.spawns()
        for _ in range(rounds):
            starts.append(self._start(tenant, reports))
            stops.append(self._stop(tenant))
            self.machine.spawns()
        for name, taken in (("start", starts), ("stop", stops)):
            self.figures[name] = median(wall for wall, _ in taken)
            self.figures[f"{name}_cpu_us_each"] = median(cpu for _, cpu in taken) * 1e6 / self._n
        tenant("delete", name="many")

    def _start(self, tenant: Tenancy, reports: Reports) -> tuple[float, float]:
        """From the asking to the last child's own report, and the agent's CPU time until it had answered."""
        before = cpu_seconds([tenant.pid])
        answer = tenant("start", name="many")
        used = cpu_seconds([tenant.pid]) - before
        last = max(report.ns for report in reports.need(self._n, 60.0))
        return (last - answer["from"]) / 1e9, used

    def _stop(self, tenant: Tenancy) -> tuple[float, float]:
        before = cpu_seconds([tenant.pid])
        answer = tenant("stop", name="many")
        return (answer["until"] - answer["from"]) / 1e9, cpu_seconds([tenant.pid]) - before

    def _measure_running(self, tenant: Tenancy, url: str, idle: float) -> None:
        time.sleep(1.0)
        self.figures["pss_full_MB"] = memory([tenant.pid]).pss
        self.figures["kB_each"] = (self.figures["pss_full_MB"] - self.figures["pss_empty_MB"]) * 1024 / self._n
        before = cpu_seconds([tenant.pid])
        time.sleep(idle)
        self.figures["idle_cpu_ms_per_s"] = (cpu_seconds([tenant.pid]) - before) * 1e3 / idle
        self.machine.links()
        for stats in (False, True):
            suffix = "_stats" if stats else ""
            within = tenant("status", name="many", count=self._n, stats=stats, seconds=ASKED)["ns"]
            self.figures[f"all_within{suffix}"] = median(within) / 1e9
            self.figures[f"all_link{suffix}"] = median(self._over_link(url, "many", self._n, stats)) / 1e9
            one = self._over_link(url, "many.1", 1, stats)
            self.figures[f"one_link{suffix}"] = median(one) / 1e9
            self.figures[f"one_link{suffix}_per_s"] = len(one) / (sum(one) / 1e9)
        self.machine.links()

    def _over_link(self, url: str, name: str, count: int, stats: bool) -> list[int]:
        command = [sys.executable, str(CLIENT), url, name, str(count), str(int(stats)), str(ASKED)]
        return json.loads(
            subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60, env=environment()).stdout
        )

    def _measure_restarts(self, tenant: Tenancy, reports: Reports, kills: int) -> None:
        reports.drop()
        tenant("add", name="few", command=self._command(reports), instances=AMONG, restart=True, start=True)
        pids = [report.pid for report in reports.need(AMONG, 30.0)]
        time.sleep(0.5)
        self.machine.deaths(kills // 2)
        taken = []
        for i in range(kills):
            begin = time.monotonic_ns()
            os.kill(pids[i % AMONG], signal.SIGKILL)
            (report,) = reports.need(1, 10.0)
            pids[i % AMONG] = report.pid
            taken.append((report.ns - begin) / 1e9)
            time.sleep(random.uniform(0.02, 0.06))
        self.machine.deaths(kills // 2)
        self.figures["restart"] = median(taken)
        self.figures["restart_p99"] = p99(taken)
        tenant("stop", name="few")

    def _command(self, reports: Reports) -> list[str]:
        return [self._built.child, "pause", reports.path]
