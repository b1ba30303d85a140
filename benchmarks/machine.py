"""What this machine allows, by `limits.c`: the figures that all others are held against."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from built import Built
from procfs import end_all

__all__ = ["WAYS", "Machine", "figures"]

WAYS = ("vfork", "posix")
"""To spawn; and there is ``whole``, with all that a supervisor needs."""


def figures(command: Sequence[object], timeout: float = 120.0) -> dict[str, float]:
    """Run a program that prints lines of a name and a value."""
    words = [str(word) for word in command]
    text = subprocess.run(words, stdout=subprocess.PIPE, timeout=timeout, check=True, text=True).stdout
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}


class Machine:
    """Takes figures as often as it is asked, and gives the median of each.

    Args:
        built: The programs.
        n: How many children are spawned.
    """

    def __init__(self, built: Built, n: int) -> None:
        self.taken: list[dict[str, float]] = []
        self._built = built
        self._n = n

    def spawns(self, ways: Sequence[str] = WAYS) -> None:
        """So many children started and stopped, in each of these ways."""
        for how in ways:
            self._with_children(how, "spawn", how, self._n)

    def deaths(self, kills: int) -> None:
        """So many children killed and replaced."""
        self._with_children("", "death", kills)

    def links(self, seconds: float = 0.5) -> None:
        """A question and its answer over a unix socket: of one child, and of all."""
        self._add("one", "rtt", "unix", 64, 64, seconds)
        self._add("all", "rtt", "unix", 64, 64 * self._n, seconds)

    def all(self, name: str) -> list[float]:
        """Every value of one figure, in the order in which they were taken."""
        return [taken[name] for taken in self.taken if name in taken]

    def limits(self) -> dict[str, float]:
        """What a supervisor is held against, in seconds; of the two ways to spawn the better one by its median."""
        return {
            "spawn": min(median(self.all(f"{how}_running_s")) for how in WAYS),
            "stop": min(median(self.all(f"{how}_stop_s")) for how in WAYS),
            "restart": median(self.all("restart_median_us")) / 1e6,
            "restart_p99": median(self.all("restart_p99_us")) / 1e6,
            "rtt_one": median(self.all("one_rtt_median_us")) / 1e6,
            "rtt_all": median(self.all("all_rtt_median_us")) / 1e6,
        }

    def _with_children(self, prefix: str, *command: object) -> None:
        with tempfile.TemporaryDirectory(prefix="limits-") as folder:
            fifo = str(Path(folder, "fifo"))
            try:
                self._add(prefix, *command, self._built.child, fifo)
            finally:
                end_all(self._built.child, fifo)

    def _add(self, prefix: str, *command: object) -> None:
        got = figures([self._built.limits, *command])
        self.taken.append({f"{prefix}_{name}" if prefix else name: value for name, value in got.items()})
