"""A controller in a process of its own, and many agents that reach it over sockets of this machine.

Each agent has a real link, says a real hello and sends real heartbeats; behind it there is nothing but a few processes
that it says it has. All of them are one process. As a program, this is the controller, or the agents.
"""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any, NamedTuple

import anyio
from procfs import cpu_seconds
from virtual import _item

import procctl
from procctl.abc import Call, Caller, Pending
from procctl.agent.report import Report
from procctl.aio.timers import Timers
from procctl.core import messages as m
from procctl.core.pace import HEAVY, Pace
from procctl.core.records import Item
from procctl.link.session import Session
from procctl.link.tokens import add_line, line_of, new_token
from procctl.service.urls import options_for, transport_for

__all__ = ["Connected", "measure"]

OWNER = frozenset({"owner"})


class Connected(NamedTuple):
    """Attributes: beat_us: CPU time of the controller for a heartbeat, its connection included."""

    scheme: str
    agents: int
    processes: int
    greeting_s: float
    kB_agent: float
    every_s: float
    beats_per_s: float
    beat_us: float
    cpu_share: float
    p50_ms: float
    p99_ms: float
    look_p50_ms: float
    look_p99_ms: float
    commands: int


class Agent:
    """One agent: what a controller asks of it is done at once."""

    def __init__(self, number: int, processes: int, timers: Timers, dice: random.Random) -> None:
        self.host = f"host-{number:05}.example.com"
        self._items = {item.uuid: item for item in (_item(number, index) for index in range(processes))}
        self._number = number
        self.report = Report(self.host, self._look, timers.after, dice.random)

    def _look(self, uuids: Sequence[str] | None) -> tuple[Item, ...]:
        return tuple(self._items.values() if uuids is None else (self._items[u] for u in uuids if u in self._items))

    def submit(self, call: Call) -> Pending:
        """A command."""
        return Pending.of(m.Batch(items=(_item(self._number, 0),)))

    def stream(self, request: object, caller: Caller) -> Any:
        raise NotImplementedError

    async def run(self, url: str, auth: procctl.Auth, token: str, up: anyio.CapacityLimiter, done: list[str]) -> None:
        """Join, and be there until cancelled."""
        async with anyio.create_task_group() as group:
            async with up:
                connection = await transport_for(url).connect(
                    url, self.host, {**options_for(url, auth), "token": token}
                )
                session = Session(connection, lambda session, hello: (self, m.Welcome(name=self.host, role="agent")))
                await group.start(session.run)
                hello = m.Hello(name=self.host, role="agent", heartbeat=5.0, epoch=f"{self._number:x}", token=token)
                await session.greet(hello)
                self.report.begin(session)
            done.append(self.host)


def _statm(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(scheme: str, agents: int, processes: int, seconds: float) -> Connected:
    """That many agents over connections of this scheme."""
    with tempfile.TemporaryDirectory(prefix="procctl-fleet-") as folder:
        made = new_token("bench", OWNER, None)
        add_line(Path(folder) / "known", line_of(made))
        place = f"unix://{folder}/s" if scheme == "unix" else f"{scheme}://127.0.0.1:0?connections={2 * agents}"
        command = [sys.executable, __file__, place, f"{folder}/known"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout is not None
                url = child.stdout.readline().strip()
                return await _measure(scheme, url, f"{folder}/known", made.token, child.pid, agents, processes, seconds)
            finally:
                child.kill()


async def _measure(
    scheme: str, url: str, known: str, token: str, pid: int, agents: int, processes: int, seconds: float
) -> Connected:
    dice, latencies, looks = random.Random(1), list[float](), list[float]()
    empty, begin = _statm(pid), perf_counter()
    command = [sys.executable, __file__, url, known, str(agents), str(processes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            await anyio.to_thread.run_sync(child.stdout.readline)
            greeting = perf_counter() - begin
            async with procctl.connect(url, token=token) as fleet:
                while (await fleet.info()).processes < agents * processes:
                    await anyio.sleep(0.2)
                await anyio.sleep(3.0)
                full, cpu, begin = _statm(pid), cpu_seconds([pid]), perf_counter()
                await anyio.sleep(seconds)
                used, took = cpu_seconds([pid]) - cpu, perf_counter() - begin
                with anyio.move_on_after(seconds):
                    while True:
                        host = f"host-{dice.randrange(agents):05}.example.com"
                        asked = perf_counter()
                        await fleet.stop("worker-0", hostname=host)
                        latencies.append(perf_counter() - asked)
                        asked = perf_counter()
                        await fleet.processes(hostname=host, stats=False)
                        looks.append(perf_counter() - asked)
                        await anyio.sleep(0.02)
        finally:
            child.kill()
    told = Pace.of(agents * (1 if scheme == "unix" else HEAVY)).every
    every = told * 0.9  # with what of it is by chance
    cuts, looked = quantiles(latencies, n=100), quantiles(looks, n=100)
    return Connected(
        scheme=scheme,
        agents=agents,
        processes=processes,
        greeting_s=greeting,
        kB_agent=(full - empty) / 1e3 / agents,
        every_s=told,
        beats_per_s=agents / every,
        beat_us=used / took / (agents / every) * 1e6,
        cpu_share=used / took,
        p50_ms=cuts[49] * 1e3,
        p99_ms=cuts[98] * 1e3,
        look_p50_ms=looked[49] * 1e3,
        look_p99_ms=looked[98] * 1e3,
        commands=len(latencies),
    )


async def _join(url: str, known: str, agents: int, processes: int) -> None:
    """Be all the agents."""
    timers, dice, up, done = Timers(), random.Random(1), anyio.CapacityLimiter(50), list[str]()
    auth, token = procctl.Auth(token_file=known), Path(known).read_text().split()[1]
    async with anyio.create_task_group() as group:
        group.start_soon(timers.run)
        for number in range(agents):
            group.start_soon(Agent(number, processes, timers, dice).run, url, auth, token, up, done)
        while len(done) < agents:
            await anyio.sleep(0.05)
        gc.freeze()  # no agent is a process with two thousand others, in which a collection takes a fifth of a second
        print("all there", flush=True)


async def _serve(place: str, known: str) -> None:
    async with procctl.Controller(listen=place, auth=procctl.Auth(token_file=known)) as controller:
        print(controller.urls[0], flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        anyio.run(_join, sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        anyio.run(_serve, *sys.argv[1:3])
