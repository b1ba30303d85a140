"""circus, over its own ZeroMQ client."""

from __future__ import annotations

import os
import time
from typing import Any

from drivers.base import Driver, borrow, peer_python

_CIRCUS = """
[circus]
endpoint = ipc://{work}/c.sock
pubsub_endpoint = ipc://{work}/p.sock
check_delay = {delay}
loglevel = CRITICAL
"""
_WATCHER = """
[watcher:c]
cmd = {command}
numprocesses = {n}
warmup_delay = 0
max_retry = -1
copy_env = True
graceful_timeout = 10
"""
_STREAM = """
stdout_stream.class = FileStream
stdout_stream.filename = {logs}/out
"""


class Asker:
    """circus's own client. It has no question for the state of one process by name, and `stats` by pid goes through
    psutil: the cheap and fair question is the watcher's own `status`."""

    def __init__(self, work: object) -> None:
        borrow("circus")
        from circus.client import CircusClient

        self._client = CircusClient(endpoint=f"ipc://{work}/c.sock", timeout=150)

    def send(self, command: str, **options: Any) -> Any:
        return self._client.send_message(command, name="c", **options)

    def status_one(self, i: int) -> str:
        return self.send("status")["status"]

    def status_all(self) -> int:
        return len(self.send("list").get("pids", []))


class D(Driver):
    """circus looks for dead children every check_delay seconds (1 s is its default). For its best restart figure we
    set 0.1 s up to 100 children, 1 s above."""

    name = "circus"
    can = frozenset({"restart", "control", "stop", "warm", "logs", "churn"})

    def boot(self) -> None:
        logs = self.work / "logs"
        logs.mkdir()
        text = _CIRCUS.format(work=self.work, delay=0.1 if self.n <= 100 else 1)
        if self.n:
            text += _WATCHER.format(command=" ".join(self.argv), n=self.n)
            text += _STREAM.format(logs=logs) if self.log else ""
        (self.work / "c.ini").write_text(text)
        with open(os.devnull if self.log else self.work / "daemon.out", "wb") as out:
            self.run(peer_python("circus"), "-m", "circus.circusd", self.work / "c.ini", stdout=out)

    def client(self) -> Asker:
        return Asker(self.work)

    def ready(self) -> None:
        for _ in range(100):
            if self.client().status_all() == self.n:
                return
            time.sleep(0.1)
        raise TimeoutError("circus's API")

    def stop_all(self) -> None:
        self.client().send("stop", waiting=True)

    def start_all(self) -> None:
        self.client().send("start", waiting=True)
