"""The times of a lease that runs out, and what may be concluded from them. Pure.

An agent counts from the moment at which it asked, by its own clock; the gate from the moment at which it was asked, by
its own. Both clocks may run too fast or too slow by `drift`; whoever has to end a program may wake late by `wake`, and
SIGKILL takes up to `kill` to do its work. All of it fits between the agent's count and the gate's:

    hold = (1 - drift) * (ttl / (1 + drift) - wake - kill)
"""

from __future__ import annotations

from attrs import frozen

from .value import Value

__all__ = ["Terms"]


@frozen(kw_only=True, eq=False, repr=False)
class Terms(Value):
    """What is assumed, and how long a lease lasts. All but `drift` are seconds.

    Attributes:
        ttl: For so long after it was given or renewed, the gate gives nobody else the slot.
        drift: By this share of real time a clock may run too fast or too slow.
        wake: Whoever guards a deadline acts on it within this.
        kill: What was sent SIGKILL is gone within this.
        renew: Between two renewals.
    """

    ttl: float = 30.0
    drift: float = 0.002
    wake: float = 2.0
    kill: float = 2.0
    renew: float = 5.0

    def hold(self, ttl: float) -> float:
        """For so long after it asked an agent may let a program run on a lease of `ttl` seconds."""
        return (1 - self.drift) * (ttl / (1 + self.drift) - self.wake - self.kill)

    @property
    def beat(self) -> float:
        """So often a guard looks at its deadlines."""
        return min(self.renew, self.wake) / 4
