"""Whether a program that is simulated still runs, as far as the world can tell.

Python cannot be stopped between two lines as SIGKILL stops a program. But what it does after that moment nobody can
tell if nothing of it gets out; so a crash switches its power off, and its machine, its disk and its wires do nothing
for it any more. What is left of it is cleared away then.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

__all__ = ["Crashed", "Power"]


class Crashed(Exception):
    """Ends the block of a program whose power is off."""


class Power:
    """Of one run of an agent or a controller.

    Attributes:
        on: Whether it runs.
        steps: What it has done outside so far: frames, records, signals, forks.
        down: Set when it does not run any more.
        fuse: It crashes before its next step but so many; None: it does not.
    """

    def __init__(self) -> None:
        self.on = True
        self.steps = 0
        self.fuse: int | None = None
        self.down = anyio.Event()
        self._then: list[Callable[[], None]] = []

    def step(self) -> bool:
        """Something is about to be done outside. Whether it is done."""
        if self.on and self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.off()
        self.steps += self.on
        return self.on

    def then(self, call: Callable[[], None]) -> None:
        """Call this when it goes off."""
        self._then.append(call)

    def begin_anew(self) -> None:
        """What was to be done when it goes off was for an attempt that came to nothing."""
        self._then.clear()

    def off(self) -> None:
        """It crashes here and now. Twice is fine."""
        if self.on:
            self.on = False
            for call in self._then:
                call()
            self.down.set()
