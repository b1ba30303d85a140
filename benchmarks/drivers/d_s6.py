"""s6: a supervisor process for each child; a request is one run of its small tools."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import ClassVar

from built import HOME

from drivers.base import Driver

RUNIT = HOME / "deb/usr/bin"
ENV = {**os.environ, "PATH": f"{os.environ['PATH']}:{RUNIT}"}


def spawned(*argv: str) -> None:
    """One tool, run to its end by the cheapest spawn that Python has; its output is thrown away."""
    away = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    pid = os.posix_spawn(argv[0], argv, ENV, file_actions=[away])
    if os.waitpid(pid, 0)[1]:
        raise OSError(f"{argv} has failed")


class Asker:
    def __init__(self, folders: list[str]) -> None:
        self._folders = folders

    def status_one(self, i: int) -> str:
        spawned("/usr/bin/s6-svstat", self._folders[i % len(self._folders)])
        return "run"

    def status_all(self) -> int:
        for folder in self._folders:
            spawned("/usr/bin/s6-svstat", folder)
        return len(self._folders)


class D(Driver):
    """Run scripts go through /bin/sh, as people write them. They notify readiness: a child that had been ready is
    restarted at once, any other after 1 s."""

    name = "s6"
    can = frozenset({"restart", "control", "stop", "warm", "logs", "churn"})
    prelude: ClassVar[str] = "echo >&3; exec 3>&-; "
    scan: ClassVar[tuple[str, ...]] = ("/usr/bin/s6-svscan", "-c", "2100")
    logger: ClassVar[str] = "exec s6-log -b n20 s268435455 {logs}"

    def boot(self) -> None:
        (self.work / "logs").mkdir()
        scan = self.work / "scan"
        scan.mkdir()
        self.folders = [str(scan / f"c{i}") for i in range(self.n)]
        for folder in self.folders:
            os.mkdir(folder)
            script(f"{folder}/run", f"{self.prelude}exec {' '.join(self.argv)}")
            if self.prelude:
                Path(folder, "notification-fd").write_text("3\n")
            if self.log:
                os.mkdir(f"{folder}/log")
                script(f"{folder}/log/run", self.logger.format(logs=self.work / "logs"))
        self.began = time.monotonic_ns()  # writing the folders is configuration, not start
        self.run(*self.scan, scan, env=ENV)

    def client(self) -> object:
        return Asker(self.folders)

    def stop_all(self) -> None:
        for folder in self.folders:
            spawned("/usr/bin/s6-svc", "-d", folder)

    def start_all(self) -> None:
        for folder in self.folders:
            spawned("/usr/bin/s6-svc", "-u", folder)

    def log_bytes(self) -> int:
        files = (self.work / "logs").iterdir()
        return sum(file.stat().st_size for file in files if file.name == "current" or file.name.startswith("@"))


def script(path: str, text: str) -> None:
    """A program for /bin/sh."""
    Path(path).write_text(f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)
