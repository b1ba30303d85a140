"""pm2: fork mode, no interpreter; its daemon starts two at a time, by its own default."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from built import HOME

from drivers.base import Driver


class Node:
    """pm2's own client library, in a node process with which we exchange JSON lines."""

    def __init__(self, home: Path) -> None:
        script = Path(__file__).with_name("d_pm2_client.js")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PM2_HOME": str(home),
            "PM2_MODULE": str(HOME / "pm2/node_modules/pm2"),
            "PM2_DISABLE_VERSION_CHECK": "true",
        }
        self._process = subprocess.Popen(
            ["node", str(script)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home,
            env=env,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out, self._in = self._process.stdin, self._process.stdout
        self("connect")

    def __call__(self, op: str, **options: Any) -> Any:
        self._out.write(json.dumps({"op": op, **options}) + "\n")
        self._out.flush()
        for line in self._in:
            if line.startswith('{"'):
                answer = json.loads(line)
                if "e" in answer:
                    raise OSError(answer["e"])
                return answer["r"]
        raise OSError("pm2's client has ended")

    def close(self) -> None:
        self._out.close()
        self._in.close()
        self._process.wait()


class D(Driver):
    name = "pm2"
    can = frozenset({"restart", "control", "stop", "warm", "logs", "churn"})

    def boot(self) -> None:
        (self.work / "logs").mkdir()
        out = f"{self.work}/logs/out" if self.log else "/dev/null"
        self.node = Node(self.work)
        self.pid = int((self.work / "pm2.pid").read_text())
        if self.n:
            app = {
                "name": "c",
                "script": self.argv[0],
                "args": self.argv[1:],
                "interpreter": "none",
                "exec_mode": "fork",
                "instances": self.n,
                "autorestart": True,
                "max_restarts": 10**9,
                "min_uptime": 0,
                "restart_delay": 0,
                "merge_logs": True,
                "out_file": out,
                "error_file": "/dev/null",
                "pmx": False,
                "vizion": False,
                "automation": False,
                "cwd": str(self.work),
            }
            self.node("start", app=app)

    def roots(self) -> list[int]:
        return [self.pid]

    def measure(self, what: str, seconds: float) -> list[int]:
        node = Node(self.work)
        if (node("all") != self.n) if what == "all" else (node("one", i=0) != "online"):
            raise ValueError("not all are running")
        taken = node("measure", what=what, secs=seconds, n=self.n)
        node.close()
        return taken

    def stop_all(self) -> None:
        self.node("stop")

    def start_all(self) -> None:
        self.node("restart")

    def close(self) -> None:
        try:
            self.node("kill")
            self.node.close()
        finally:
            if os.path.exists(f"/proc/{self.pid}"):
                os.kill(self.pid, 9)
