"""Who depends on whom: what a start waits for, and the order in which a whole set ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from .process import Process
from .specs import DependsOn
from .states import Phase

__all__ = ["cycle", "hopeless", "satisfied", "waves"]

P = Phase


def satisfied(condition: DependsOn, process: Process) -> bool:
    """Whether one dependency is as it is expected to be."""
    match condition:
        case "started":
            return process.phase is P.UP
        case "ready":
            return process.phase is P.UP and process.ready is True
        case "completed":
            return process.phase in (P.EXITED, P.FAILED) and process.exit is not None
        case "succeeded":
            return process.phase is P.EXITED and process.exit is not None and process.exit.code == 0


def hopeless(condition: DependsOn, process: Process) -> str:
    """Why a dependency that is not satisfied will not be without somebody's help; empty: it may yet."""
    if process.phase in (P.DENIED, P.FAILED, P.DETACHED):
        return f"{process.name} is {process.phase.detail}: {process.why.text}"
    if process.phase is P.REGISTERED:
        return f"{process.name} is not started"
    if process.phase is P.IDLE and condition in ("started", "ready"):
        return f"{process.name} is idle: {process.why.text}"
    if process.phase is P.EXITED and process.exit is not None:
        if condition == "succeeded":
            return f"{process.name} {process.exit.describe()}"
        return f"{process.name} has ended: {process.why.text}"
    return ""


def cycle(depends_on: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The names of one circle of dependencies, the first repeated at the end; empty if there is none."""
    try:
        TopologicalSorter(depends_on).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()


def waves(processes: Iterable[Process]) -> list[list[Process]]:
    """Processes in the order in which they are to be stopped: first those that nothing else depends on."""
    left = {process.uuid: process for process in processes}
    out: list[list[Process]] = []
    while left:
        needed = {name for process in left.values() for name in process.spec.depends_on}
        wave = [p for p in left.values() if not ({p.name, p.spec.name} & needed)] or list(left.values())
        out.append(wave)
        for process in wave:
            del left[process.uuid]
    return out
