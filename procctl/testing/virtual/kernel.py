"""What survives an agent on its host: programs, the keeper that watches over them, the disk, the clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from attrs import Factory, define

from ...agent.exits import End
from .child import FakeChild, Place, Script
from .clock import HostClock
from .disk import Disk
from .power import Power
from .trace import Trace

__all__ = ["HostKernel", "Programs"]

FIRST_PID = 1 << 23
"""Linux gives no number above 2^22 (proc(5), pid_max): a real process is never meant."""
_MOMENT = 0.001
KILLED_WITHIN = 0.5
"""Seconds in which a keeper ends what a dead agent ran."""


@define
class Programs:
    """The programs of a whole fleet.

    Args:
        trace: Where it is told.
        later: Calls in so many seconds of real time.
        scripts: What programs do, by name or slot.
        journal: Whether who gives leases remembers them.

    Attributes:
        born: Told of each new one.
    """

    trace: Trace
    later: Callable[[float, Callable[[], None]], None]
    scripts: dict[str, Script]
    journal: bool
    living: list[FakeChild] = Factory(list)
    tokens: dict[str, int] = Factory(dict)
    pid: int = FIRST_PID
    born: Callable[[FakeChild], None] = lambda child: None

    def script(self, name: str) -> Script:
        """What a program in that slot does."""
        return self.scripts.get(name) or self.scripts.get(name.rpartition(".")[0]) or Script()

    def fork(self, place: Place) -> FakeChild:
        """A new one. I1: it is alone in its slot, where that is for one. I2: its lease's number is above the last."""
        self.pid += 100
        child = FakeChild(place, self.pid, self.script(place.name), self.later, self._gone)
        self.trace.counts["starts"] += 1
        self.trace.note(f"{place.host} {place.name} born, pid {child.pid - FIRST_PID}, token {place.token}")
        if place.exclusive:
            for other in self.living:
                beside = other.name == child.name and (place.exclusive == "fleet" or other.host == child.host)
                if beside and other.place.exclusive and not other.let_go:
                    self.trace.violate("I1", f"{child.name} runs on {child.host} beside the one on {other.host}")
            if self.journal and place.token <= self.tokens.get(place.name, 0) and place.exclusive == "fleet":
                self.trace.violate("I2", f"{child.name} runs on token {place.token}, after {self.tokens[place.name]}")
            self.tokens[place.name] = max(place.token, self.tokens.get(place.name, 0))
        self.living.append(child)
        self.born(child)
        child.begin()
        return child

    def _gone(self, child: FakeChild) -> None:
        self.living.remove(child)
        self.trace.note(f"{child.host} {child.name} pid {child.pid - FIRST_PID} all gone")


class HostKernel:
    """One host.

    Args:
        name: Of it.
        programs: Those of the fleet.
        clock: Its own.
        dice: Its own.

    Attributes:
        boot: Names the boot of its machine.
        ended: How programs have ended that nobody was told of, by uuid and run.
    """

    def __init__(self, name: str, programs: Programs, clock: HostClock, dice: Random) -> None:
        self.name = name
        self.programs = programs
        self.clock = clock
        self.dice = dice
        self.disk = Disk(dice)
        self.ended: dict[tuple[str, int], tuple[int, End]] = {}
        self._boots = 0
        self._deadlines: dict[str, float] = {}
        self._forks: list[tuple[Power, Place]] = []

    @property
    def boot(self) -> str:
        """Which."""
        return f"{self.name}-{self._boots}"

    @property
    def trace(self) -> Trace:
        """Of the fleet."""
        return self.programs.trace

    def children(self, uuid: str = "") -> list[FakeChild]:
        """What is there, and was not let go."""
        return [
            child
            for child in self.programs.living
            if child.host == self.name and not child.let_go and uuid in ("", child.place.uuid)
        ]

    # forks --------------------------------------------------------------------------------------------------------

    def fork_soon(self, power: Power, place: Place, after: float, born: Callable[[FakeChild], None]) -> None:
        """Fork for an agent; if that crashes meanwhile, it has happened, or never does."""
        entry = power, place
        self._forks.append(entry)

        def fork() -> None:
            if entry in self._forks:
                self._forks.remove(entry)
                born(self._fork(place))

        self.programs.later(after, fork)

    def forking(self, power: Power) -> bool:
        """Whether a fork for that agent is under way."""
        return any(who is power for who, _ in self._forks)

    def _fork(self, place: Place) -> FakeChild:
        child = self.programs.fork(place)
        child.tell(lambda end: self._note_end(child, end))
        return child

    def _note_end(self, child: FakeChild, end: End) -> None:
        """Only the keeper has seen it."""
        self.ended[child.place.uuid, child.place.run] = child.pid, end

    # the keeper ---------------------------------------------------------------------------------------------------

    def deadline(self, uuid: str, until: float | None) -> None:
        """What that process runs is ended then, by the host's clock."""
        if until is None:
            self._deadlines.pop(uuid, None)
        else:
            self._deadlines[uuid] = until
            self._watch(uuid, until)

    def _watch(self, uuid: str, until: float) -> None:
        left = self.clock.real(max(0.0, until - self.clock.boot()))
        if math.isfinite(left):
            self.programs.later(left, lambda: self._due(uuid, until))

    def _due(self, uuid: str, until: float) -> None:
        if self._deadlines.get(uuid) != until:
            return
        if self.clock.boot() < until - _MOMENT:  # the clock was slower since
            self._watch(uuid, until)
            return
        for child in self.children(uuid):
            self.trace.counts["deadlines"] += 1
            self.trace.note(f"{self.name} {child.name} is at its deadline")
            child.signal("SIGKILL", tree=True)

    def crashed(self, power: Power, keeps: bool) -> None:
        """An agent was killed."""
        for entry in [entry for entry in self._forks if entry[0] is power]:
            self._forks.remove(entry)
            if self.dice.random() < 0.5:
                self._fork(entry[1])
        self.left()
        if not keeps:
            self._deadlines.clear()
            for child in self.children():
                self.programs.later(self.dice.random() * KILLED_WITHIN, lambda child=child: self._end(child))  # type: ignore[misc]

    def left(self) -> None:
        """There is no agent: what happens to programs is the keeper's to see."""
        for child in self.children():
            child.tell(lambda end, child=child: self._note_end(child, end))  # type: ignore[misc]

    def _end(self, child: FakeChild) -> None:
        child.signal("SIGKILL", tree=True)

    def reboot(self) -> None:
        """The machine loses its power, and gets it back."""
        self._forks.clear()
        for child in [child for child in self.programs.living if child.host == self.name]:
            child.vanish()
        self.ended.clear()
        self._deadlines.clear()
        self._boots += 1
        self.clock.reset()
