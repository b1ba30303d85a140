"""runit: a supervisor process for each child; `sv` takes many services in one run."""

from __future__ import annotations

import signal

from drivers import d_s6
from drivers.d_s6 import RUNIT, spawned

SV = str(RUNIT / "sv")


class Asker:
    def __init__(self, folders: list[str]) -> None:
        self._folders = folders

    def status_one(self, i: int) -> str:
        spawned(SV, "status", self._folders[i % len(self._folders)])
        return "run"

    def status_all(self) -> int:
        spawned(SV, "status", *self._folders)
        return len(self._folders)


class D(d_s6.D):
    name = "runit"
    prelude = ""
    scan = (str(RUNIT / "runsvdir"),)
    logger = "echo s999999999 >{logs}/config; exec svlogd -b 65536 {logs}"

    def client(self) -> object:
        return Asker(self.folders)

    def stop_all(self) -> None:
        spawned(SV, "down", *self.folders)

    def start_all(self) -> None:
        spawned(SV, "up", *self.folders)

    def close(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGHUP)  # runsvdir sends TERM to every runsv, then ends
        self.wait(20.0)
