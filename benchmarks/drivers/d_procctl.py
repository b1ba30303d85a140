"""procctl on asyncio: an agent embedded in a process of its own (`tenant`), asked over a unix socket."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import anyio
from client import ask
from interpreter import environment

from drivers.base import Driver
from procctl import Fleet, connect
from procctl.errors import PeerGone

TENANT = Path(__file__).parents[1] / "tenant.py"


class D(Driver):
    name = "procctl"
    can = frozenset({"restart", "control", "stop", "warm", "logs", "churn"})
    backend: ClassVar[str] = "asyncio"

    def boot(self) -> None:
        (self.work / "logs").mkdir()
        process = self.run(sys.executable, TENANT, self.backend, self.url, stdin=subprocess.PIPE, env=environment())
        if not self.n:
            return
        log = str(self.work / "logs/out") if self.log else ""
        order = {"do": "add", "name": "c", "command": self.argv, "instances": self.n}
        assert process.stdin is not None
        process.stdin.write(json.dumps({**order, "restart": True, "start": True, "log": log}).encode() + b"\n")
        process.stdin.flush()

    @property
    def url(self) -> str:
        return f"unix://{self.work}/agent.sock"

    def ready(self) -> None:
        for _ in range(200):
            try:
                return anyio.run(self._running)
            except PeerGone:
                time.sleep(0.05)
        raise TimeoutError("the agent's socket")

    async def _running(self) -> None:
        async with connect(self.url) as fleet:
            await fleet.wait("c", until="running")

    def measure(self, what: str, seconds: float) -> list[int]:
        if what == "all":
            return anyio.run(ask, self.url, "c", self.n, False, seconds)
        return anyio.run(ask, self.url, "c.1" if self.n > 1 else "c", 1, False, seconds)

    def stop_all(self) -> None:
        anyio.run(self._tell, Fleet.stop)

    def start_all(self) -> None:
        anyio.run(self._tell, Fleet.start)

    async def _tell(self, verb: object) -> None:
        async with connect(self.url) as fleet:
            await verb(fleet, "c")  # type: ignore[operator]

    def close(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
        self.wait(30.0)
