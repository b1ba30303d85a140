"""supervisor, over its own XML-RPC on a unix socket."""

from __future__ import annotations

import time
from typing import Any

from drivers.base import Driver, borrow, peer_python

_WITH_CHILDREN = """
[supervisord]
nodaemon=true
minfds={minfds}
minprocs=2000
logfile={work}/s.log
loglevel=error
pidfile={work}/s.pid
childlogdir={work}
[unix_http_server]
file={work}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:c]
command={command}
process_name=%(process_num)d
numprocs={n}
startsecs=0
startretries=1000000
autorestart=true
stdout_logfile={out}
stderr_logfile=NONE
stdout_logfile_maxbytes=0
"""
_EMPTY = """
[supervisord]
nodaemon=true
logfile={work}/s.log
pidfile={work}/s.pid
"""


class Asker:
    """supervisor's own client."""

    def __init__(self, path: str) -> None:
        borrow("supervisor")
        import xmlrpc.client

        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{path}")
        self.api: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport).supervisor

    def status_one(self, i: int) -> str:
        return self.api.getProcessInfo(f"c:{i}")["statename"]

    def status_all(self) -> int:
        return sum(child["statename"] == "RUNNING" for child in self.api.getAllProcessInfo())


class D(Driver):
    """`minfds` is as low as N allows: every spawn closes that many descriptors, one by one."""

    name = "supervisor"
    can = frozenset({"restart", "control", "stop", "warm", "logs", "churn"})

    def boot(self) -> None:
        logs = self.work / "logs"
        logs.mkdir()
        (self.work / "s.conf").write_text(
            (_WITH_CHILDREN if self.n else _EMPTY).format(
                minfds=max(1024, 3 * self.n + 200),
                work=self.work,
                command=" ".join(self.argv),
                n=self.n,
                out=f"{logs}/%(process_num)d" if self.log else "NONE",
            )
        )
        self.run(peer_python("supervisor"), "-m", "supervisor.supervisord", "-c", self.work / "s.conf")

    def client(self) -> Asker:
        return Asker(f"{self.work}/s.sock")

    def ready(self) -> None:
        client = self.client()
        for _ in range(600):
            try:
                if client.status_all() == self.n:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise TimeoutError("supervisor's API")

    def stop_all(self) -> None:
        self.client().api.stopProcessGroup("c", True)

    def start_all(self) -> None:
        self.client().api.startProcessGroup("c", True)
