"""What an agent stands on: clocks, dice, the kernel's features. Tests and simulations give it another."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

from attrs import field, frozen

from ..aio.clock import boot_clock
from ..core.events import Now
from ..core.terms import Terms
from .features import Features, probe

__all__ = ["Ground", "boot_clock"]


def _features() -> Features:
    """As probed; ``PROCCTL_WITHOUT=pidfd,epoll`` takes some away, to see how it does without."""
    found = probe().as_dict()
    without = os.environ.get("PROCCTL_WITHOUT", "")
    return Features(**{name: has and name not in without.split(",") for name, has in found.items()})


@frozen(kw_only=True)
class Ground:
    """Attributes: boot, wall: Clocks, in seconds. rng: Dice and ids. features: Of this kernel. terms: Of leases."""

    boot: Callable[[], float] = boot_clock
    wall: Callable[[], float] = time.time
    rng: random.Random = field(factory=random.Random)  # seeded by the system; what it gives is no secret
    features: Features = field(factory=_features)
    terms: Terms = Terms()

    def now(self) -> Now:
        """The present instant, with a roll of the dice."""
        return Now(self.boot(), self.wall(), self.rng.random())
