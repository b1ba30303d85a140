"""What a file declares, against what there is."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.process import Process
from ..core.specs import ProcessSpec
from ..service.fleet import Fleet
from .service import AgentService

__all__ = ["declare"]


async def declare(fleet: Fleet, service: AgentService, specs: Sequence[ProcessSpec]) -> None:
    """See `procctl.Agent.declare`."""
    wanted = {spec.name: spec for spec in specs}
    journal = service.journal
    before = journal.declared if journal is not None else frozenset()
    for name in sorted(before - wanted.keys()):
        await _drop(fleet, _of(service, name))
    new = []
    for spec in specs:
        known = _of(service, spec.name)
        if known and all(p.spec == spec for p in known) and len(known) == spec.instances:
            continue
        await _drop(fleet, known)
        new += await fleet.add(spec, start=False)
    if journal is not None:
        journal.declare(frozenset(wanted))
    for process in new:
        await process.start(until="accepted")


def _of(service: AgentService, name: str) -> list[Process]:
    return [p for p in service.host.processes.values() if p.spec.name == name]


async def _drop(fleet: Fleet, processes: Sequence[Process]) -> None:
    for p in processes:
        await fleet.stop(uuid=p.uuid)
        await fleet.delete(uuid=p.uuid)
