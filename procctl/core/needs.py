"""What the processes of one host need of each other: what a start waits for, what is started with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .events import Unblocked
from .plan import cycle, hopeless, satisfied
from .process import Process
from .specs import DependsOn, ProcessSpec
from .states import RESTING, Phase

__all__ = ["Needs"]


class Needs:
    """Args: processes: Of the host, by uuid, as they change. names: The uuids of each name, a slot's or a spec's."""

    def __init__(self, processes: Mapping[str, Process], names: Mapping[str, Sequence[str]]) -> None:
        self._processes = processes
        self._names = names

    def blocked(self, p: Process) -> str:
        """What a start of it has to wait for; empty: nothing."""
        for name, condition, others in self._of(p):
            if not others or not all(satisfied(condition, other) for other in others):
                return f"waits for {name} to be {condition}"
        return ""

    def verdict(self, p: Process) -> Unblocked | None:
        """Whether one that waits may go on, or will never; None: it waits on."""
        waits = False
        for name, condition, others in self._of(p):
            if not others:
                return Unblocked(f"depends on {name}, which is not registered")
            for other in others:
                if not satisfied(condition, other):
                    why = hopeless(condition, other)
                    if why:
                        return Unblocked(f"depends on {name} to be {condition}, but {why}")
                    waits = True
        return None if waits else Unblocked()

    def idle(self, p: Process, tried: set[str]) -> list[tuple[Process, Process]]:
        """What it needs and what those need, as far as it is not there: deepest first, each with who needs it.

        Args:
            p: Who is to start.
            tried: What is left out; what is found is added.
        """
        order: list[tuple[Process, Process]] = []
        path = [(p, self._idle(p, tried))]
        while path:  # by hand and not by recursion: a chain may be long
            needer, rest = path[-1]
            other = next(rest, None)
            if other is not None:
                path.append((other, self._idle(other, tried)))
                continue
            path.pop()
            if path:
                order.append((needer, path[-1][0]))
        return order

    def circle(self, spec: ProcessSpec, slots: set[str]) -> tuple[str, ...]:
        """A circle of dependencies that a new spec would close; a slot stands for all of its name."""

        def base(name: str) -> str:
            if name in slots:
                return spec.name
            known = self._names.get(name)
            return self._processes[known[0]].spec.name if known else name

        specs = {p.spec.name: p.spec for p in self._processes.values()} | {spec.name: spec}
        return cycle({name: [base(other) for other in each.depends_on] for name, each in specs.items()})

    def _of(self, p: Process) -> Iterable[tuple[str, DependsOn, list[Process]]]:
        for name, condition in p.spec.depends_on.items():
            yield name, condition, [self._processes[uuid] for uuid in self._names.get(name, ())]

    def _idle(self, p: Process, tried: set[str]) -> Iterator[Process]:
        """What it needs and is neither there nor tried already."""
        for _, condition, others in self._of(p):
            for other in others:
                resting = other.phase in RESTING or other.phase is Phase.IDLE
                if resting and other.uuid not in tried and not satisfied(condition, other):
                    tried.add(other.uuid)
                    yield other
