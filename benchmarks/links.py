"""Links against bare sockets of the same kind: requests, events to many, output through a controller.

    python benchmarks/links.py [--backend asyncio|trio] [--kinds unix,zmq] [--seconds 2] [--json FILE]

The agent or controller is a process of its own, the clients are this one. Another transport is one line in `KINDS`, and
its bare counterpart one in bare.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import anyio
import bare
from table import markdown, number

import procctl

HERE = Path(__file__).resolve().parent


class Kind(NamedTuple):
    """Attributes: url: Where an owner listens; {} is a folder. bare: Of bare.py. goal: What part of it is aimed at."""

    url: str
    bare: str
    goal: float


KINDS = {
    "unix": Kind("unix://{}/s", "unix", 0.4),
    "zmq": Kind("zmq+ipc://{}/s", "zmq", 0.6),
}
SUBSCRIBERS, EVENTS = 100, 200
DELIVERIES_GOAL = 10_000
LOG_GOAL = 0.25
LINE = b"2026-01-01 00:00:00 INFO a line of a log that is neither short nor long, as most of them are %07d\n"


@contextmanager
def program(name: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """One of ours in a process of its own, when it has said that it is ready."""
    command = [sys.executable, str(HERE / name), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{name} {' '.join(arguments)} did not begin")
            yield process
        finally:
            process.communicate()  # its stdin ends, and so does it, in order: what it runs ends with it


# requests -------------------------------------------------------------------------------------------------------


async def requests(kind: Kind, folder: str, backend: str, seconds: float) -> dict[str, float]:
    """Status of one, one client; and round trips of frames of the same sizes."""
    url = kind.url.format(folder)
    figures = {}
    with program("links.py", "--serve", url, "--backend", backend):
        async with procctl.connect(url) as fleet:
            ask, answer = await sizes(fleet)

            async def status(_: bytes) -> object:
                return await fleet.processes("web")

            figures["status_per_s"] = await bare.rate(status, b"", seconds)
    with program("bare.py", kind.bare, backend, f"{folder}/bare", str(answer)):
        make = bare.KINDS[kind.bare][1]
        assert make is not None
        async with make(f"{folder}/bare") as trip:
            figures["bare_per_s"] = await bare.rate(trip, b"x" * ask, seconds)
    if kind.bare == "zmq":
        with program("bare.py", "pyzmq", backend, f"{folder}/raw", str(answer)):
            figures["pyzmq_per_s"] = bare.raw_rate(f"{folder}/raw", b"x" * ask, seconds)
    return figures


async def sizes(fleet: procctl.Fleet) -> tuple[int, int]:
    """Bytes of a question and of its answer, about."""
    from procctl.wire.codec import unstructure

    (process,) = await fleet.processes("web")
    return 60, len(json.dumps(unstructure(process.item))) + 60


# events ---------------------------------------------------------------------------------------------------------


async def events(kind: Kind, folder: str, backend: str, seconds: float) -> dict[str, float]:
    """Events to a hundred clients, each over a link of its own; every one counts what it got."""
    url = kind.url.format(folder)
    counts = [0] * SUBSCRIBERS
    ends = []

    async def subscriber(index: int, *, task_status: Any) -> None:
        async with procctl.connect(url) as fleet, fleet.events() as stream:
            async for event in stream:
                if isinstance(event, procctl.Lost):
                    raise RuntimeError(f"subscriber {index} lost {event.count}")
                if type(event).__name__ == "Snapshot":
                    task_status.started()
                    continue
                counts[index] += 1
                if counts[index] == EVENTS:
                    ends.append(monotonic())
                    return

    with program("links.py", "--serve", url, "--backend", backend) as server:
        async with anyio.create_task_group() as group:
            for index in range(SUBSCRIBERS):
                await group.start(subscriber, index)
            assert server.stdin is not None
            begun = monotonic()
            server.stdin.write(f"{EVENTS}\n")
            server.stdin.flush()
    return {"deliveries_per_s": sum(counts) / (max(ends) - begun)}


# output ---------------------------------------------------------------------------------------------------------


async def output(kind: Kind, folder: str, backend: str, seconds: float) -> dict[str, float]:
    """Output of a process that writes without a pause, through a controller; and a bare stream of the same bytes.

    Who writes is never held up, so what is not read in time is lost, and said to be: it does not count.
    """
    url = kind.url.format(folder)
    file = Path(folder, "log")
    file.write_bytes(b"".join(LINE % n for n in range(10_000)))
    flood = ["sh", "-c", f"while cat {file}; do :; done"]  # ends when nobody reads
    with program("links.py", "--control", url, "--backend", backend):
        with program("links.py", "--join", url, "--backend", backend):
            async with procctl.connect(url) as fleet:
                job = await fleet.start("job", flood)
                async with fleet.logs("job", follow=True) as items:
                    got, begun = 0, monotonic()
                    async for line in items:
                        got += 0 if line.lost else len(line.text) + 1
                        if monotonic() - begun > seconds:
                            break
                rate = got / (monotonic() - begun) / 1e6
                await job.kill()
    return {"logs_MB_per_s": rate, "bare_logs_MB_per_s": await bare_stream(f"{folder}/stream", flood, seconds)}


async def bare_stream(path: str, flood: list[str], seconds: float) -> float:
    """From the process's pipe over one unix socket to a reader of lines, MB/s."""
    with program("bare.py", "stream", "asyncio", path, json.dumps(flood)):
        async with await anyio.connect_unix(path) as stream:
            got, begun, kept = 0, monotonic(), ""
            async for piece in stream:
                *lines, kept = (kept + piece.decode()).split("\n")
                got += sum(len(line) + 1 for line in lines)
                if monotonic() - begun > seconds:
                    break
            return got / (monotonic() - begun) / 1e6


# the other processes --------------------------------------------------------------------------------------------


async def told() -> str:
    """A line of stdin; empty at its end."""
    return await anyio.to_thread.run_sync(sys.stdin.readline)


async def serve(url: str) -> None:
    """An agent with one process; as many events as its stdin says."""
    async with procctl.Agent("here", listen=[url]) as agent:
        await agent.start("web", ["sleep", "1000"])
        print("ready", flush=True)
        count = int(await told() or 0)
        for number_ in range(count):
            await agent.add(procctl.ProcessSpec(name=f"p{number_}", command=("true",)), start=False)
        await told()


async def control(url: str) -> None:
    """A controller."""
    async with procctl.Controller(listen=[url]):
        print("ready", flush=True)
        await told()


async def join(url: str) -> None:
    """An agent of a controller."""
    async with procctl.Agent("here", join=url):
        print("ready", flush=True)
        await told()


# the report -----------------------------------------------------------------------------------------------------


async def measure(kind: Kind, backend: str, seconds: float) -> dict[str, float]:
    """All figures of one kind on one backend."""
    figures: dict[str, float] = {}
    for what in (requests, events, output):
        with tempfile.TemporaryDirectory(prefix="pl", dir="/tmp") as folder:
            figures |= await what(kind, folder, backend, seconds)
    return figures


def rows(name: str, backend: str, kind: Kind, figures: dict[str, float]) -> list[list[str]]:
    """A line for each goal."""
    status, bare_, events_ = figures["status_per_s"], figures["bare_per_s"], figures["deliveries_per_s"]
    logs, stream = figures["logs_MB_per_s"], figures["bare_logs_MB_per_s"]
    where = [name, backend]
    return [
        [*where, "status of one, requests/s", number(status), number(bare_), share(status / bare_, kind.goal)],
        [*where, "events to 100, deliveries/s", number(events_), number(DELIVERIES_GOAL), share(events_ / DELIVERIES_GOAL, 1)],
        [*where, "output through a controller, MB/s", number(logs), number(stream), share(logs / stream, LOG_GOAL)],
        *([[*where, "blocking pyzmq, round trips/s", number(figures["pyzmq_per_s"]), "", ""]] if "pyzmq_per_s" in figures else []),
    ]  # fmt: skip


def share(value: float, goal: float) -> str:
    """A ratio; in bold if it misses its goal."""
    text = f"{value:.2f}"
    return f"{text} (≥ {goal:g})" if value >= goal else f"**{text}** (≥ {goal:g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("asyncio", "trio"))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seconds", type=float, default=2.0, help="for each rate (2)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    for part in (serve, control, join):
        parser.add_argument(f"--{part.__name__}", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for part in (serve, control, join):
        url = getattr(given, part.__name__)
        if url:
            return anyio.run(part, url, backend=given.backend)
    table: list[list[str]] = []
    kept = {}
    for backend in [given.backend] if given.backend else ["asyncio", "trio"]:
        for name in given.kinds.split(","):
            figures = kept[f"{name} {backend}"] = anyio.run(
                measure, KINDS[name], backend, given.seconds, backend=backend
            )
            table += rows(name, backend, KINDS[name], figures)
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} CPUs\n")
    print(markdown(["link", "loop", "figure", "procctl", "against", "ratio (goal)"], table))
    if given.json:
        given.json.write_text(json.dumps(kept, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
