"""Is anything left of it? One pass over the system's processes for all who ask in the same turn.

A descendant is known by its process group or session, by the mark in its environment (`MARK`, which survives
double forks and setsid, though not a program that clears or overwrites its environment), or by having been seen
below the process before it ended. What was read of a process is remembered for a moment, so that a pass over a quiet
machine is a listing of /proc and little more.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Collection, Iterable
from functools import cache

import anyio.lowlevel
from attrs import define, field, frozen

from ..aio.clock import boot_clock
from ..aio.thread import in_thread
from ..aio.wake import Wake
from ..core.records import Stray
from .features import Features
from .procfs import EXITING, KERNEL, MARK, Facts, facts_of, lineage_of
from .spare import with_spare

logger = logging.getLogger("procctl.agent")

__all__ = ["Census", "Kin"]

REMEMBER = 5.0
"""Seconds for which what was read of a pid is remembered: far less than it takes to come round to the same pid."""
PASSES = 5
"""Passes at most for one answer, as long as everybody can be told. Another is made when somebody who was listed was
gone before being read, and may have forked meanwhile; whom who is read alive has forked, a later look sees."""
_YOUNG = 2.0
"""Seconds for which a process may still be between fork and exec, with an environment that is not its own yet; and for
which an end that was begun is waited for."""
_EXEC = (0.002, 0.05)
"""First and longest pause, in seconds, for an exec that was under way to come through."""
_TICKS = os.sysconf("SC_CLK_TCK")
_AGAIN = 0.5
"""Seconds after which it is looked again, where there was no descriptor to look with."""
_INLINE = 200
"""Unknown processes that are read on the loop; more are read in a thread."""
_FEW = 32
"""Unknown processes that are read in the very call that asks."""
_CROWD = 0.005
"""Seconds in which a second one that asks is not answered at once, but with those who ask in the same turn."""


@frozen
class Kin:
    """Whose descendants are looked for: its uuid, its former pid, what was seen below it (pid, start time), and when it
    began itself."""

    uuid: str
    pid: int
    seen: frozenset[tuple[int, int]] = frozenset()
    start: int = 0


_Entry = tuple[Facts, frozenset[str] | None]
"""What was read of a process, and the uuids in its mark."""


@define
class _Seen:
    """What one pass has met: whose descendants live, who of those whom was still in the group or session that somebody
    led, who cannot be told yet, and whether somebody listed was gone."""

    found: dict[str, list[Stray]] = field(factory=dict)
    led: set[str] = field(factory=set)
    unclear: set[int] = field(factory=set)
    gone: bool = False


class Census:
    """Looks for the descendants of what has ended.

    Args:
        features: Of this kernel.
        ours: The pids of the children that run: they are watched themselves and are nobody's strays.
    """

    def __init__(self, features: Features, ours: Callable[[], Iterable[int]]) -> None:
        self._features = features
        self._ours = ours
        self._asked: list[tuple[Kin, Callable[[tuple[Stray, ...]], None]]] = []
        self.spared: dict[int, int] = {}
        """What was detached, by pid: its start. Nothing in its session is anybody's stray."""
        self._strays_of: dict[tuple[int, int], str] = {}
        """Whose those are that were found before (pid, start): while they end, their mark cannot be read any more."""
        self._unled: dict[str, tuple[int, int]] = {}
        """Whose number was that of no group or session any more when they were looked for, so that it may be others'
        by now."""
        self._known: dict[int, _Entry] = {}
        self._forget_at = 0.0
        self._calm_from = 0.0
        self._busy = False
        self._wake = Wake()

    def ask(self, kin: Kin, done: Callable[[tuple[Stray, ...]], None]) -> None:
        """Look soon; `done` is called on the loop with what is alive of it."""
        now = anyio.current_time()
        if self._features.procfs and not self._busy and now >= self._calm_from:
            self._calm_from = now + _CROWD
            try:
                strays = self._at_once(kin)
            except OSError:
                strays = None  # no descriptor to look with: until there is one, `run` tries again
            if strays is not None:
                done(strays)
                return
        self._busy = True
        self._asked.append((kin, done))
        self._wake.set()

    def _at_once(self, kin: Kin) -> tuple[Stray, ...] | None:
        """The answer without waiting; None where much has to be read, or somebody's exec has to be waited for."""
        ours = set(self._ours())
        found: list[Stray] = []
        led: set[str] = set()
        read: set[int] = set()
        for _ in range(PASSES):
            pids = [pid for pid in self._present(ours) if pid not in read]
            if sum(pid not in self._known for pid in pids) > _FEW:
                return None
            seen = self._pass([kin], pids)
            if seen.unclear:
                return None
            found += seen.found.get(kin.uuid, ())
            led |= seen.led
            read.update(pids)
            if not seen.gone:
                break
        self._remember_led([kin], led, {kin.uuid} if found else set())
        return tuple(found)

    def _remember_led(self, kin: list[Kin], led: set[str], found: Collection[str]) -> None:
        """While somebody is in it, the number of a group or session is given to nobody else; then it may be."""
        for who in kin:
            if who.uuid in led or who.uuid not in found:
                self._unled.pop(who.uuid, None)
            else:
                self._unled[who.uuid] = who.pid, who.start

    def _leads(self, who: Kin) -> bool:
        """Whether whoever is in the group or session of this number belongs to this one, which has ended. Number 0 is
        that of no process: of kernel threads, and of what came here from another pid namespace."""
        if who.pid <= 1 or self._unled.get(who.uuid) == (who.pid, who.start):
            return False
        owner = facts_of(who.pid)
        return owner is None or owner.started == who.start

    async def run(self) -> None:
        """Never returns; cancelled to end it."""
        while True:
            await self._wake.wait()
            await anyio.lowlevel.checkpoint()  # all who ask in this turn of the loop share a pass
            asked, self._asked = self._asked, []
            strays = await self._strays_at_last([who for who, _ in asked])
            self._busy = bool(self._asked)
            for who, done in asked:
                done(tuple(strays.get(who.uuid, ())))

    async def _strays_at_last(self, kin: list[Kin]) -> dict[str, list[Stray]]:
        """The same when it can be seen: what cannot be looked at is not known to be empty."""
        while True:
            try:
                return await self._strays(kin)
            except OSError as error:
                logger.warning("cannot look for what is left of what has ended: %s; trying again", error.strerror)
                await anyio.sleep(_AGAIN)

    async def _strays(self, kin: list[Kin]) -> dict[str, list[Stray]]:
        """Passes until one has read all that it has listed.

        Who is in the middle of an exec, or of its end, is asked again until it can be told, or for some seconds.
        """
        ours = set(self._ours())
        if not self._features.procfs:
            return await in_thread(_portable, kin, ours)
        found: dict[str, list[Stray]] = {}
        led: set[str] = set()
        read: set[int] = set()
        turn, pause, limit = 0, _EXEC[0], anyio.current_time() + _YOUNG
        while True:
            turn += 1
            pids = [pid for pid in self._present(ours) if pid not in read]
            if len(pids) - len(self._known) > _INLINE:
                seen = await in_thread(self._pass, kin, pids)
            else:
                seen = self._pass(kin, pids)
            for uuid, strays in seen.found.items():
                found.setdefault(uuid, []).extend(strays)
            led |= seen.led
            read.update(set(pids) - seen.unclear)
            if seen.unclear and anyio.current_time() < limit:
                await anyio.sleep(pause)
                pause = min(_EXEC[1], 2 * pause)
            elif not seen.gone or turn >= PASSES:
                self._remember_led(kin, led, found)
                return found

    def signal(self, kin: Kin, pid: int, number: int) -> None:
        """Send a signal to a descendant, if it still is one: the number may have a new owner by now.

        With pidfds the descriptor is opened first and the check made after, so what is checked is what is signalled.
        """
        fd = None
        try:
            if self._features.pidfd:
                fd = os.pidfd_open(pid)
            found = self._pass([kin], [pid]).found if self._features.procfs else _portable([kin], set())
            if all(stray.pid != pid for stray in found.get(kin.uuid, ())):
                return
            if fd is not None:
                signal.pidfd_send_signal(fd, number)
            else:
                os.kill(pid, number)
        except OSError:
            pass  # gone, not ours to end, or not to be looked at now: the next look reports it
        finally:
            if fd is not None:
                os.close(fd)

    def _present(self, ours: set[int]) -> list[int]:
        now = anyio.current_time()
        present = {int(entry) for entry in with_spare(lambda: os.listdir("/proc")) if entry.isdecimal()}
        if now >= self._forget_at:
            self._known.clear()
            self._forget_at = now + REMEMBER
        for pid in self._known.keys() - present:
            del self._known[pid]
        for place in [place for place in self._strays_of if place[0] not in present]:
            del self._strays_of[place]
        return sorted(present - ours - {os.getpid()})

    def _pass(self, kin: list[Kin], pids: list[int]) -> _Seen:
        """Who of these is whose."""
        by_uuid = {who.uuid: who for who in kin}
        by_pid = {who.pid: who for who in kin}
        leads = cache(self._leads)  # asked only where somebody is in a group or session of that number
        by_seen = {place: who for who in kin for place in who.seen}
        settled = (boot_clock() - _YOUNG) * _TICKS
        seen = _Seen()
        for pid in pids:
            entry = self._known.get(pid) or _read(pid, settled)
            if entry is None:
                seen.gone = True
                continue
            facts, lineage = entry
            if pid == 1 or facts.flags & KERNEL:  # never anybody's
                self._known[pid] = entry
                continue
            if self.spared and (self.spared.get(pid) == facts.started or facts.session in self.spared):
                continue
            place = pid, facts.started
            of_numbers = (by_pid.get(facts.group), by_pid.get(facts.session))
            who = next((who for who in of_numbers if who is not None and leads(who)), None)
            if who is not None:
                seen.led.add(who.uuid)
            who = who or by_seen.get(place) or by_uuid.get(self._strays_of.get(place, ""))
            if who is None and lineage is None:
                seen.unclear.add(pid)
                continue
            if who is None:
                who = next((by_uuid[uuid] for uuid in lineage or () if uuid in by_uuid), None)
            if who is not None:
                self._known.pop(pid, None)  # it is to be seen dead
                self._strays_of[place] = who.uuid
                seen.found.setdefault(who.uuid, []).append(Stray(pid, facts.name, facts.group != who.pid))
            elif facts.started <= settled:
                self._known[pid] = entry
        return seen


def _read(pid: int, settled: float) -> _Entry | None:
    """What is to be known of a process; None if it does not live, or is the kernel's own. Its lineage is None where
    that cannot be told yet."""
    facts = facts_of(pid)
    if facts is None or facts.state in "ZX":
        return None
    if facts.flags & KERNEL:
        return facts, frozenset()
    lineage = lineage_of(pid)
    settling = facts.started > settled or facts.flags & EXITING
    return facts, lineage if lineage is not None or settling else frozenset()


def _lives(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _portable(kin: list[Kin], ours: set[int]) -> dict[str, list[Stray]]:
    """The same by psutil and the process groups, for systems without Linux's /proc."""
    import psutil

    found: dict[str, list[Stray]] = {}
    by_pid = {who.pid: who for who in kin if who.pid > 1 and not _lives(who.pid)}  # else it has a new owner
    by_uuid = {who.uuid: who for who in kin}
    seen = {pid: who for who in kin for pid, _ in who.seen}
    for process in psutil.process_iter():
        if process.pid in ours or process.pid in (0, 1, os.getpid()):
            continue
        try:
            group, session = os.getpgid(process.pid), os.getsid(process.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            lineage = process.environ().get(MARK, "").split("/")
            name = process.name()
        except (OSError, psutil.Error):
            continue
        marked = next((by_uuid[uuid] for uuid in lineage if uuid in by_uuid), None)
        who = by_pid.get(group) or by_pid.get(session) or seen.get(process.pid) or marked
        if who is not None:
            found.setdefault(who.uuid, []).append(Stray(process.pid, name, group != who.pid))
    return found
