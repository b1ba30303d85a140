"""What has to hold when all has healed, and when all has ended. What has to hold at any time is checked at forks."""

from __future__ import annotations

from ...core.states import Phase
from .fleet import VirtualFleet
from .trace import Violation

__all__ = ["decided", "empty"]


def decided(fleet: VirtualFleet) -> None:
    """I5: whoever asks waits for somebody who holds it. What the controller believes to run, runs, and no more.

    Raises:
        Violation: That is not so.
    """
    fleet.trace.note("decided")
    gate = fleet.controller.door.gate
    for host in fleet.hosts:
        if not fleet.runs(host):
            raise Violation("I5", f"{host} never came back")
        for p in fleet.agent(host)._entered.inner.host.processes.values():
            if p.phase is Phase.ASKING and not gate.holders(p.name):
                raise Violation("I5", f"{p.name} on {host} asks, nobody holds it, and nothing happens")
    living = {(child.host, child.name, child.pid) for child in fleet.children()}
    shown = {(item.hostname, item.name, item.pid) for item in fleet.controller.registry.processes() if item.pid}
    if living != shown:
        raise Violation("registry", f"what runs and is not shown, or the other way round: {living ^ shown}")
    silent = [item.name for item in fleet.controller.registry.processes() if item.state == "notresponding"]
    if silent:
        raise Violation("registry", f"{silent} do not respond, although all are here")


def empty(fleet: VirtualFleet) -> None:
    """What agents run has ended with them, where it is to.

    Raises:
        Violation: Something runs.
    """
    left = fleet.children()
    if left and fleet._on_exit == "stop":
        raise Violation("emptiness", f"all agents have ended, and {left} run")
