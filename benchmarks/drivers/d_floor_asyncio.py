"""Our own bare loop in `floor.py`, on asyncio: how near a Python process can come; not a peer."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from interpreter import environment

from drivers.base import Driver

FLOOR = Path(__file__).parents[1] / "floor.py"


class Asker:
    """JSON lines over a unix socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def ask(self, **request: Any) -> Any:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(self._lines.readline())

    def status_one(self, i: int) -> str:
        return self.ask(op="one", i=i)["state"]

    def status_all(self) -> int:
        return sum(child["state"] == "running" for child in self.ask(op="all"))


class D(Driver):
    name = "floor_asyncio"
    can = frozenset({"restart", "control", "stop", "warm", "logs", "churn"})
    backend: ClassVar[str] = "asyncio"

    def boot(self) -> None:
        logs = self.work / "logs"
        logs.mkdir()
        command = (sys.executable, FLOOR, self.backend, self.path, self.n, logs if self.log else "-", *self.argv)
        self.run(*command, env=environment())

    @property
    def path(self) -> Path:
        return self.work / "f.sock"

    def client(self) -> Asker:
        return Asker(self.path)

    def ready(self) -> None:
        for _ in range(200):
            try:
                self.client()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the socket")

    def stop_all(self) -> None:
        self.client().ask(op="stop")

    def start_all(self) -> None:
        self.client().ask(op="start")
