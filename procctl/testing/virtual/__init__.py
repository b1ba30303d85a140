"""A fleet that is made up from the ground: the whole agent and the whole controller, and below them no machine, no
network and no time but what a seed says.

Agents, controller, sessions, lines, journals and everything that decides are those of any program. Made up are
programs, keepers, disks, the wires between hosts, and clocks.
"""

from .child import FakeChild, Script
from .fleet import VirtualFleet
from .time import VirtualLoop, run_virtual, virtual_backend
from .trace import Violation

__all__ = ["FakeChild", "Script", "Violation", "VirtualFleet", "VirtualLoop", "run_virtual", "virtual_backend"]
