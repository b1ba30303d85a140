"""honcho, a foreground runner: no control, no restarts. Its output is one stream."""

from __future__ import annotations

import os
import signal

from drivers.base import Driver, peer_python


class D(Driver):
    name = "honcho"
    can = frozenset({"stop", "logs"})

    def boot(self) -> None:
        (self.work / "logs").mkdir()
        lines = "".join(f"c{i}: exec {' '.join(self.argv)}\n" for i in range(self.n))
        (self.work / "Procfile").write_text(lines or "none: exec sleep 1000\n")
        with open(self.work / "logs/out" if self.log else os.devnull, "wb") as out:
            self.run(peer_python("honcho"), "-m", "honcho", "start", "--no-colour", "--no-prefix", stdout=out)

    def stop_all(self) -> None:
        self.processes[0].send_signal(signal.SIGTERM)
