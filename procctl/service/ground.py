"""What an agent or a controller stands on: clocks, dice, timers, what is durable. Simulations give it another."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar, TypeVarTuple, Unpack

from attrs import field, frozen

from ..abc import Store
from ..aio.clock import boot_clock
from ..aio.thread import in_thread
from ..aio.timers import Timers
from ..core.events import Now
from ..core.terms import Terms
from .folder import Role, StateFolder
from .urls import store_for

__all__ = ["Ground", "Held", "Work"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Work(Protocol):
    """How work that blocks is done: see `procctl.aio.thread.in_thread`."""

    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """What the work gives. Raises what it raises. Cancellation: waits for its end."""
        ...


class Held(Protocol):
    """A state folder that one program has to itself."""

    def close(self) -> None:
        """Another may have it. Twice is fine."""


@frozen(kw_only=True)
class Ground:
    """Attributes:
    boot, wall: Clocks, in seconds.
    rng: Dice and ids.
    terms: Of leases.
    timers: Makes what calls later.
    work: Does what blocks.
    folder: Takes a state folder, until it is closed; raises `BadConfig` if it cannot be had.
    store: Opens what is durable, by its URL.
    """

    boot: Callable[[], float] = boot_clock
    wall: Callable[[], float] = time.time
    rng: random.Random = field(factory=random.Random)  # seeded by the system; what it gives is no secret
    terms: Terms = Terms()
    timers: Callable[[], Timers] = Timers
    work: Work = in_thread
    folder: Callable[[Path, Role], Held] = StateFolder
    store: Callable[[str], Store] = store_for

    def now(self) -> Now:
        """The present instant, with a roll of the dice."""
        return Now(self.boot(), self.wall(), self.rng.random())
