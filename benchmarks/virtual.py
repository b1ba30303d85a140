"""A controller with many agents that are not there: frames go in and answers come out, without connections between.

Everything that a heartbeat costs a controller besides its connection is done by the real parts: the frame is decoded by
a link's ledger, applied by the controller, and answered; commands go the whole way and back.
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable
from statistics import quantiles
from time import perf_counter, thread_time
from typing import Any, NamedTuple

import anyio

from procctl import Controller, Reach
from procctl.abc import Call, Caller, Pending
from procctl.aio.clock import loop_clock
from procctl.core import messages as m
from procctl.core.digest import text_of
from procctl.core.records import Item, Why
from procctl.wire.codec import request_out
from procctl.wire.envelope import dump
from procctl.wire.ledger import Called, Ledger

__all__ = ["Figures", "simulate"]

AGENT = Caller(name="virtual", identity="here", roles=frozenset({"owner"}))
QUIET = Reach(silent_after=3600.0)
"""The agents are made one after the other, and not heard meanwhile."""
TICK = 0.01
"""Seconds between two looks at whose heartbeat is due."""
PADDED = 200
"""Bytes of a heartbeat that is made as long as one with more to say."""


class Figures(NamedTuple):
    """Attributes: apply_us: CPU time of a heartbeat, decoded, applied and answered. kB_each: Memory of a process."""

    agents: int
    processes: int
    every: float
    frame: int
    apply_us: float
    apply_200_us: float
    change_us: float
    kB_each: float
    kB_agent: float
    beats: int
    late_ms: float
    cpu_share: float
    p50_ms: float
    p99_ms: float
    commands: int


class Session:
    """The end of a link that a controller holds, with nobody at the other one: it does as it is told, at once."""

    prompt = True

    transport = "virtual"
    silent = 0.0
    beat = 20.0

    def __init__(self, host: str, number: int) -> None:
        self.address = host
        self.caller = AGENT
        self.gone = anyio.Event()
        self.heard = 0.0
        self.number = number
        self.paced = 0.0

    def pace(self, beat: float) -> None:
        self.paced = beat

    def end(self, why: str) -> None:
        self.gone.set()

    def submit(self, call: Call) -> Pending:
        """A command for its processes."""
        pending = Pending()
        item = _item(self.number, 0)
        answer = m.Batch(items=(item,))
        _LATER(lambda: pending.settle(answer))
        return pending


_CLOCK: Callable[[], float] = perf_counter
"""As sessions have it, see `loop_clock`."""
_LATER: Callable[[Callable[[], None]], None] = lambda call: call()  # noqa: E731


class Agent:
    """One of them: its link, and what it says next."""

    __slots__ = ("beat", "digest", "host", "ledger", "link", "session")

    def __init__(self, controller: Controller, number: int) -> None:
        self.host = f"host-{number:05}.example.com"
        self.session = Session(self.host, number)
        hello = m.Hello(name=self.host, role="agent", heartbeat=5.0, epoch=f"{number:012x}", version="1")
        attached: Any = controller._attach(self.session, hello)  # type: ignore[arg-type]
        self.link = attached[0]
        self.ledger = Ledger()
        self.beat = 0
        self.digest = ""

    def quiet(self) -> bytes:
        """The next heartbeat of one that has nothing to say."""
        self.beat += 1
        text = '{"id":%d,"by":"%s","command":"heartbeat","beat":%d,"digest":"%s"}'
        return (text % (self.beat, self.host, self.beat, self.digest)).encode()

    def put(self, frame: bytes) -> list[bytes]:
        """What a link does with a frame."""
        self.session.heard = _CLOCK()
        got = self.ledger.receive(frame)
        assert isinstance(got, Called), got
        reply = self.link.submit(Call(request=got.request, caller=AGENT)).reply
        return self.ledger.reply(got.id, reply)


def _uuid(number: int, index: int) -> str:
    return f"{number:08x}-0000-4000-8000-{index:012x}"


def _item(number: int, index: int, pid: int = 4711) -> Item:
    return Item(
        name=f"worker-{index}",
        uuid=_uuid(number, index),
        hostname=f"host-{number:05}.example.com",
        pid=pid + index,
        status=1,
        state="running",
        detail="up",
        timestamp=1_700_000_000.25 + number,
        uptime=1000,
        why=Why(code="running", text="started by deploy", by="deploy", since=1_700_000_000.25 + number),
        ready=True,
    )


def _resident() -> float:
    """Bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def simulate(agents: int, processes: int, seconds: float) -> Figures:
    """That many agents with so many processes each, heard as often as the controller tells them to."""
    global _LATER, _CLOCK
    _CLOCK = loop_clock()
    async with Controller(reach=QUIET) as controller, anyio.create_task_group() as group:
        waiting: list[Callable[[], None]] = []
        _LATER = waiting.append
        empty = _resident()
        fleet = []
        for number in range(agents):
            fleet.append(Agent(controller, number))
            if number % 1000 == 0:
                await anyio.sleep(0)
        await anyio.sleep(0.1)
        joined = _resident()
        for number, agent in enumerate(fleet):
            items = tuple(_item(number, index) for index in range(processes))
            agent.beat = 1
            agent.put(dump({"id": 1, **request_out(m.Heartbeat(beat=1, whole=True, items=items))}))
            agent.digest = text_of(controller.registry.hosts[agent.host].digest)
            if number % 100 == 0:
                await anyio.sleep(0)
        gc.collect()
        full = _resident()
        every = controller._attendance.pace(2.5).every
        assert controller.registry.count == agents * processes

        apply_us = _cost(fleet, lambda agent: agent.quiet())
        apply_200_us = _cost(fleet, _padded)
        change_us = _cost(fleet[: max(1, agents // 10)], lambda agent: _changed(agent, processes))
        assert all(host.whole and not host.differs for host in controller.registry.hosts.values())

        run = _Run(controller, fleet, every, waiting)
        group.start_soon(run.commands)
        begin, cpu = perf_counter(), thread_time()
        with anyio.move_on_after(seconds):
            await run.heartbeats()
        took, used = perf_counter() - begin, thread_time() - cpu
        group.cancel_scope.cancel()
    cuts = quantiles(run.latencies, n=100)
    return Figures(
        agents=agents,
        processes=processes,
        every=every,
        frame=len(fleet[0].quiet()),
        apply_us=apply_us,
        apply_200_us=apply_200_us,
        change_us=change_us,
        kB_each=(full - joined) / 1e3 / max(1, agents * processes),
        kB_agent=(joined - empty) / 1e3 / agents,
        beats=run.beats,
        late_ms=run.late * 1e3,
        cpu_share=used / took,
        p50_ms=cuts[49] * 1e3,
        p99_ms=cuts[98] * 1e3,
        commands=len(run.latencies),
    )


def _padded(agent: Agent) -> bytes:
    frame = agent.quiet()
    return frame[:-1] + b',"trace":"' + b"x" * (PADDED - len(frame) - 11) + b'"}'


def _changed(agent: Agent, processes: int) -> bytes:
    agent.beat += 1
    item = _item(agent.session.number, 0, pid=agent.beat)
    return dump({"id": agent.beat, "by": agent.host, **request_out(m.Heartbeat(beat=agent.beat, items=(item,)))})


def _cost(fleet: list[Agent], frame: Callable[[Agent], bytes]) -> float:
    """Microseconds of CPU time of one heartbeat: the least of three passes over (some of) the fleet."""
    best = float("inf")
    chosen = fleet[:: max(1, len(fleet) // 10_000)]
    for _ in range(3):
        frames = [(agent, frame(agent)) for agent in chosen]
        begin = thread_time()
        for agent, data in frames:
            agent.put(data)
        best = min(best, (thread_time() - begin) / len(frames))
    for agent in chosen:
        agent.digest = text_of(agent.link._above.registry.hosts[agent.host].digest)
    return best * 1e6


class _Run:
    """Heartbeats at their pace, and commands beside them."""

    def __init__(
        self, controller: Controller, fleet: list[Agent], every: float, waiting: list[Callable[[], None]]
    ) -> None:
        self.beats = 0
        self.late = 0.0
        self.latencies: list[float] = []
        self._controller = controller
        self._fleet = fleet
        self._every = every
        self._waiting = waiting
        self._dice = random.Random(1)

    async def heartbeats(self) -> None:
        """The agents take turns, evenly over the interval."""
        begin, per_second = perf_counter(), len(self._fleet) / self._every
        while True:
            due = int((perf_counter() - begin) * per_second)
            self.late = max(self.late, (due - self.beats) / per_second - TICK)
            for _ in range(min(due - self.beats, 200)):  # not more at a time than a loop would read
                agent = self._fleet[self.beats % len(self._fleet)]
                agent.put(agent.quiet())
                self.beats += 1
            answers, self._waiting[:] = list(self._waiting), []
            for answer in answers:
                answer()
            await anyio.sleep(0 if due - self.beats > 0 else TICK)

    async def commands(self) -> None:
        """One after the other: by uuid, by host and name, by host alone; of each host one process answers."""
        while True:
            number = self._dice.randrange(len(self._fleet))
            host = self._fleet[number].host
            begin = perf_counter()
            match self._dice.randrange(3):
                case 0:
                    await self._controller.restart(uuid=_uuid(number, 0))
                case 1:
                    await self._controller.stop("worker-0", hostname=host)
                case 2:
                    await self._controller.processes(hostname=host)
            self.latencies.append(perf_counter() - begin)
            await anyio.sleep(0.02)
