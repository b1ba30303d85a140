"""Leases under every fault that a seed can think of: hosts, a controller, a network and clocks, in no time at all.

What decides is the code that decides outside of here, and no copy of it: `core.guard`, `core.host`, `core.process`,
`core.gate`, `link.doorkeeper`, `agent.top`, `agent.sweep`, `controller.links`. What is made up are the kernel, the
keeper, the wires, the disk and the time. One seed is one story: the same seed gives the same trace.
"""

from ..outcome import Outcome
from .story import Faults, Violation, simulate

__all__ = ["Faults", "Outcome", "Violation", "simulate"]
