"""procctl on asyncio: an agent embedded in a process of its own (`tenant`), asked over a unix socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import anyio
from interpreter import environment

from drivers.base import Driver
from procctl import Fleet, connect
from procctl.errors import PeerGone

TENANT = Path(__file__).parents[1] / "tenant.py"


class Asker:
    """The protocol as any program can speak it, a JSON object a line; the answer is decoded whole."""

    def __init__(self, path: Path, n: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._n = n
        self._asked = 0

    def _ask(self, name: str) -> list[dict[str, Any]]:
        self._asked += 1
        request = {"id": self._asked, "command": "status", "name": name, "stats": False}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        (items,) = json.loads(self._lines.readline())["status"].values()
        return items

    def status_one(self, i: int) -> str:
        (item,) = self._ask(f"c.{i + 1}" if self._n > 1 else "c")
        return item["state"]

    def status_all(self) -> int:
        return sum(item["state"] == "running" for item in self._ask("c"))


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

    def client(self) -> Asker:
        return Asker(self.work / "agent.sock", self.n)

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
