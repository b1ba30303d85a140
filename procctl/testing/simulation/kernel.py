"""Programs and the keeper of one machine, as far as leases are concerned. Made up, but to what is promised of them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from ...core.records import Stray
from ...core.terms import Terms
from .world import Clock, World

__all__ = ["Keeper", "Kernel", "Run"]


@define(eq=False)
class Run:
    """One incarnation: a program, and perhaps what it has started.

    Attributes:
        slot, host, uuid: Whose it is.
        token, epoch: Of the lease that it runs on.
        pid: Its number.
        marked: Whether it carries its mark.
        known: Whether the keeper has heard of it.
        alive: Whether the program runs.
        stray: Whether something that it has started does.
        stubborn: Whether it takes no notice of SIGTERM.
        killed: Whether it was.
        ended: Told of its end.
    """

    slot: str
    host: str
    uuid: str
    token: int
    epoch: int
    pid: int
    marked: bool = True
    known: bool = False
    alive: bool = True
    stray: bool = False
    stubborn: bool = False
    killed: bool = False
    ended: list[Callable[[], None]] = field(factory=list)

    @property
    def there(self) -> bool:
        """Whether anything of it is."""
        return self.alive or self.stray


class Kernel:
    """The programs of all machines.

    Args:
        world: Time.
        terms: What is assumed: here it is kept, often to the last moment.
        born, died: Told of each incarnation.
    """

    def __init__(self, world: World, terms: Terms, born: Callable[[Run], None], died: Callable[[Run], None]) -> None:
        self.world = world
        self.terms = terms
        self.runs: list[Run] = []
        self._born = born
        self._died = died
        self._pid = 100
        self.stubborn = 0.3

    def fork(self, host: str, slot: str, uuid: str, token: int, epoch: int) -> Run:
        """A new program."""
        self._pid += 1
        chance = self.world.chance
        run = Run(
            slot, host, uuid, token, epoch, self._pid,
            marked=not chance(0.15), stray=chance(0.2), stubborn=chance(self.stubborn),
        )  # fmt: skip
        self.world.counts["spawns"] += 1
        self.world.note(f"{host} {slot} born, pid {run.pid}, token {token}")
        self.runs.append(run)
        self._born(run)
        if chance(0.2):
            self.world.after(self.world.random.random() * 60, lambda: self.end(run))
        return run

    def end(self, run: Run) -> None:
        """The program ends; what it has started may go on."""
        if run.alive:
            run.alive = False
            self.world.note(f"{run.host} {run.slot} pid {run.pid} ended")
            for tell in run.ended:
                self.world.after(0.01 * self.world.random.random(), tell)
            self._gone(run)

    def term(self, run: Run) -> None:
        """SIGTERM: it takes its time, or no notice."""
        if run.alive and not run.stubborn:
            self.world.after(self.world.random.random() * 8, lambda: self.end(run))

    def kill(self, run: Run, whole: bool = True) -> None:
        """SIGKILL: it is gone before long; with `whole` all that belongs to it."""

        def gone() -> None:
            if whole and run.stray:
                run.stray = False
                self._gone(run)
            run.killed = run.killed or run.alive
            self.end(run)

        self.world.after(self.world.within(self.terms.kill), gone)

    def kill_stray(self, run: Run) -> None:
        """SIGKILL to what it has started."""

        def gone() -> None:
            if run.stray:
                run.stray = False
                self._gone(run)

        self.world.after(self.world.within(self.terms.kill), gone)

    def kill_now(self, run: Run) -> None:
        """All of it is gone at once."""
        alive, run.alive, run.stray = run.alive, False, False
        run.killed = run.killed or alive
        for tell in run.ended if alive else ():
            tell()
        self._gone(run)

    def _gone(self, run: Run) -> None:
        if not run.there and run in self.runs:
            self.runs.remove(run)
            self._died(run)

    def of(self, host: str, uuid: str = "") -> list[Run]:
        """What is there on a host, and of one process."""
        return [run for run in self.runs if run.host == host and uuid in ("", run.uuid)]

    def strays(self, host: str, uuid: str, marked: bool = False) -> tuple[Stray, ...]:
        """What a look finds."""
        found = [run for run in self.of(host, uuid) if run.marked or not marked]
        return tuple(Stray(run.pid, run.slot) for run in found)

    def reboot(self, host: str) -> None:
        """Nothing of it is left."""
        for run in self.of(host):
            run.ended.clear()
            self.kill_now(run)


class Keeper:
    """The keeper of one agent: it enforces deadlines, and may end everything with its agent.

    Args:
        kernel: Kills.
        clock: Of its machine.
        host: Which.
    """

    def __init__(self, kernel: Kernel, clock: Clock, host: str) -> None:
        self._kernel = kernel
        self._clock = clock
        self._host = host
        self.until: dict[str, float] = {}
        self.frozen = False

    def keep(self, uuid: str, until: float | None) -> None:
        """See `core.guard.Keep`."""
        if until is None:
            self.until.pop(uuid, None)
            return
        self.until[uuid] = until
        late = self._kernel.world.within(self._kernel.terms.wake * 0.99)
        self._later(uuid, until, late)

    def _later(self, uuid: str, until: float, late: float) -> None:
        left = max(0.0, self._clock.real(until - self._clock.read()))
        self._kernel.world.after(left + late, lambda: self._look(uuid, until))

    def _look(self, uuid: str, until: float) -> None:
        if self.until.get(uuid) != until or self.frozen:
            return
        if self._clock.read() < until:  # the clock has begun to run slower
            self._later(uuid, until, 1e-6)
            return
        runs = self._kernel.of(self._host, uuid)
        if runs:
            self._kernel.world.counts["deadlines"] += 1
        for run in runs:
            self._kernel.kill(run)
        self._kernel.world.after(0.5, lambda: self._look(uuid, until))  # a fork may have been under way

    def end_all(self) -> None:
        """The agent has died, and with it ends what it ran."""
        self.until.clear()
        for run in self._kernel.of(self._host):
            self._kernel.world.after(self._kernel.world.random.random() * 0.5, lambda run=run: self._kill(run))  # type: ignore[misc]

    def _kill(self, run: Run) -> None:
        if run.there:
            self._kernel.kill_now(run)

    def reset(self) -> None:
        """The machine was booted."""
        self.until.clear()
