"""Time, dice and the trace of a story."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from random import Random

from ...core.events import Now

__all__ = ["Clock", "Crash", "Violation", "World"]

SHOWN = 400
"""Lines of a trace that are kept; all of them are in its digest."""


class Violation(Exception):
    """An invariant does not hold. Attributes: rule: Which."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule


class Crash(Exception):
    """A program ends here and now. Args: bury: What follows from that."""

    def __init__(self, bury: Callable[[], None]) -> None:
        super().__init__()
        self.bury = bury


class World:
    """Everything that happens, in its order. Args: seed: Of the dice."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.time = 0.0
        self.counts: Counter[str] = Counter()
        self.late = 0.3
        """The share of delays that are as long as they may be."""
        self.lines: deque[str] = deque(maxlen=SHOWN)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._digest = blake2b(digest_size=16)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Do this in so many seconds of real time."""
        heapq.heappush(self._heap, (self.time + seconds, next(self._order), call))

    def run(self, until: float, check: Callable[[], None]) -> None:
        """All that happens until then; `check` is called after each event."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.time, _, call = heapq.heappop(heap)
            try:
                call()
            except Crash as crash:
                crash.bury()
            check()
        self.time = until

    def note(self, text: str) -> None:
        """Something has happened."""
        line = f"{self.time:10.4f} {text}"
        self._digest.update(line.encode())
        self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of the whole trace."""
        return self._digest.hexdigest()

    def chance(self, share: float) -> bool:
        """Whether what happens in this share of cases happens now."""
        return self.random.random() < share

    def within(self, most: float) -> float:
        """A delay: often none, often as long as it may be, else something in between."""
        dice = self.random.random()
        return most if dice < self.late else 0.0 if dice > 0.85 else self.random.random() * most


class Clock:
    """The clock of one machine, which runs a little too fast or too slow, now so and then so.

    Args:
        world: Has the real time.
        drift: The share of real time by which it may be wrong.
    """

    def __init__(self, world: World, drift: float) -> None:
        self._world = world
        self._drift = drift
        self._real = world.time
        self._shown = 1000.0 * world.random.random()
        self._rate = self._some_rate()

    def _some_rate(self) -> float:
        return 1 + self._drift * self._world.random.choice((-1, -1, 1, 1, 0, self._world.random.uniform(-1, 1)))

    def read(self) -> float:
        """What it shows."""
        return self._shown + (self._world.time - self._real) * self._rate

    def change(self) -> None:
        """It runs at another rate from now on."""
        self._shown, self._real, self._rate = self.read(), self._world.time, self._some_rate()

    def reset(self) -> None:
        """The machine was booted."""
        self._shown, self._real = 10 * self._world.random.random(), self._world.time

    def real(self, seconds: float) -> float:
        """How long its seconds last."""
        return seconds / self._rate

    def now(self) -> Now:
        """The instant that it shows, with a roll of the dice."""
        return Now(self.read(), 1e9 + self._world.time, self._world.random.random())
