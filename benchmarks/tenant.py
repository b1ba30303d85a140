"""A program that embeds an agent: what the benchmarks measure procctl by.

It takes orders as JSON lines on its standard input, one at a time, answers each by one line on its standard output,
and ends when the input does. The times in an answer are taken around the one call that they belong to.

    tenant.py asyncio|trio [URL...]      listens on the URLs
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from time import monotonic_ns
from typing import Any

import anyio
from client import latencies

from procctl import Agent, LogSpec, ProcessSpec, RestartSpec

Answer = dict[str, Any]

ALWAYS = RestartSpec(policy="always", delay=(0.0, 0.0), limit=None)
"""At once, and for ever."""


async def lines(fd: int) -> AsyncIterator[bytes]:
    os.set_blocking(fd, False)
    kept = b""
    while True:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            await anyio.wait_readable(fd)
            continue
        if not data:
            return
        *whole, kept = (kept + data).split(b"\n")
        for line in whole:
            yield line


class Tenant:
    """Args: agent: What the orders are about."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def obey(self, order: Answer) -> Answer:
        """Do one thing; in the answer `from` and `until` are monotonic nanoseconds."""
        what = order.pop("do")
        return await getattr(self, f"_{what}")(**order)

    async def _add(
        self,
        name: str,
        command: list[str],
        instances: int = 1,
        restart: bool = False,
        log: str = "",
        start: bool = False,
    ) -> Answer:
        spec = ProcessSpec(
            name=name,
            command=tuple(command),
            instances=instances,
            restart=ALWAYS if restart else RestartSpec(),
            logs=LogSpec(file=log or None),
        )
        begin = monotonic_ns()
        await self._agent.add(spec, start=start)
        return {"from": begin, "until": monotonic_ns()}

    async def _start(self, name: str) -> Answer:
        begin = monotonic_ns()
        await self._agent.start(name)
        return {"from": begin, "until": monotonic_ns()}

    async def _stop(self, name: str) -> Answer:
        begin = monotonic_ns()
        await self._agent.stop(name)
        return {"from": begin, "until": monotonic_ns()}

    async def _delete(self, name: str) -> Answer:
        await self._agent.delete(name)
        return {}

    async def _status(self, name: str, count: int, stats: bool, seconds: float) -> Answer:
        return {"ns": await latencies(self._agent, name, count, stats, seconds)}


async def main(urls: list[str]) -> None:
    async with Agent(listen=urls) as agent:
        tenant = Tenant(agent)
        print(json.dumps({"ready": monotonic_ns()}), flush=True)
        async for line in lines(0):
            print(json.dumps(await tenant.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    anyio.run(main, sys.argv[2:], backend=sys.argv[1])
