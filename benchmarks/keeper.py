"""From the SIGKILL of an agent to the end of the last of its children, by pidfd, and of their daemons.

    python benchmarks/keeper.py [RUNS] [CHILDREN]

Each run is an agent of its own with so many children; every tenth has started a daemon in a session of its own. All
ends are waited for with one poll, so what is measured is the keeper and the kernel.
"""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import sys
import time

PROGRAM = """
import sys
import anyio
import procctl

async def main(count):
    async with procctl.Agent("here") as agent:
        for i in range(count):
            daemon = "setsid sleep 1000 & " if i % 10 == 0 else ""
            await agent.start(f"p{i}", ["sh", "-c", daemon + "echo up; exec sleep 1000"], until="accepted")
        await agent.wait(until="running")
        async with agent.logs(follow=True) as lines:
            left = count
            async for line in lines:
                left -= line.text == "up"
                if not left:
                    break
        print("up", flush=True)
        await anyio.sleep_forever()

anyio.run(main, int(sys.argv[1]))
"""


def below(mark: str) -> dict[int, int]:
    """Pidfds of all with this mark in their environment, by pid."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if f"\0BENCH={mark}\0".encode() in b"\0" + file.read():
                    found[int(entry)] = os.pidfd_open(int(entry))
        except OSError:
            continue
    return found


def one(number: int, children: int) -> tuple[float, int]:
    """Seconds, and how many there were."""
    mark = f"{os.getpid()}-{number}"
    words = [sys.executable, "-c", PROGRAM, str(children)]
    agent = subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "BENCH": mark})
    assert agent.stdout is not None and agent.stdout.readline() == b"up\n"
    fds = below(mark)
    agent_fd = fds.pop(agent.pid)
    left, poll = set(fds.values()), select.poll()
    for fd in left:
        poll.register(fd, select.POLLIN)
    begun = time.perf_counter()
    agent.kill()
    while left:
        for fd, _ in poll.poll():
            poll.unregister(fd)
            left.discard(fd)
    taken = time.perf_counter() - begun
    agent.wait()
    agent.stdout.close()
    for fd in (*fds.values(), agent_fd):
        os.close(fd)
    return taken, len(fds)


def main(runs: int = 50, children: int = 100) -> None:
    """Print p50, p99 and the longest."""
    taken = []
    for number in range(runs):
        seconds, count = one(number, children)
        taken.append(seconds * 1000)
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    print(
        f"{runs} kills, {count} processes each: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms, max {max(taken):.0f} ms"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
