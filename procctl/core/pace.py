"""How often agents are heard, and how they come back after an outage: slower as the fleet grows. Pure arithmetic.

One processor follows tens of thousands of heartbeats a second, and greets about a thousand agents; a fleet that takes
a tenth of the first, and not much more than the second, leaves room for commands.
"""

from __future__ import annotations

from attrs import frozen

from .value import Value

__all__ = ["HEAVY", "LONGEST", "PER_SECOND", "Pace", "pause", "step"]

OFTEN, LONGEST = 2.5, 30.0
"""Seconds between the heartbeats of one agent: in a small fleet, and in the largest."""
PER_SECOND = 5000
"""Heartbeats of all agents together."""
HEAVY = 12
"""For so many agents counts one whose link is not prompt, as over HTTP: a heartbeat of it takes about a millisecond
(`benchmarks/fleet.py`), so 2,000 of these are a fleet of 24,000."""
GREETED = 1000
"""Agents that come back in one second."""
JITTER = 0.2
"""The share of an interval that is random, so that the agents of a fleet do not fall into step."""


@frozen(eq=False, repr=False)
class Pace(Value):
    """What an agent is told. `every`: seconds between heartbeats; `spread`: within so many seconds it comes back."""

    every: float
    spread: float

    @classmethod
    def of(cls, agents: int, often: float = OFTEN) -> Pace:
        """For a fleet of so many agents, heavy ones counted as such, of which this one does not want to be heard more
        often than `often`."""
        counted = step(agents)
        return cls(min(max(often, counted / PER_SECOND), max(often, LONGEST)), counted / GREETED)


def pause(every: float, roll: float) -> float:
    """Seconds to the next heartbeat; `roll` in [0, 1) is the dice."""
    return every * (1.0 - JITTER * roll)


def step(agents: int) -> int:
    """The size of a fleet, rounded up by an eighth or less: a pace counts for a step, so agents are told seldom."""
    shift = max(0, agents.bit_length() - 4)
    return -(-agents >> shift) << shift
