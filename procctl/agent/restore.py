"""What an earlier agent has left is taken over: its records are read, its programs found, each is told to the core.

Found by the keeper's descriptor, which also tells how a program has ended meanwhile; else by pid, start and boot. A
program whose spawn was recorded and its pid not is found by its marks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import evolve

from ..core.records import Ident
from ..core.states import Phase
from .exits import End, of_status
from .features import Features
from .found import Found
from .identity import boot_id, open_pidfd, start_of, still_there
from .journal import Kept
from .keeping import Thing
from .procfs import facts_of

if TYPE_CHECKING:
    from .service import AgentService

__all__ = ["Ended", "restore", "search"]

Ended = Mapping[tuple[str, int, int], int | None]
"""See `Keeping.ended`."""

P = Phase
_EXEC = (0.02, 0.3)
"""Pause and whole time, in seconds, in which a child that was being spawned gets its own environment."""


def restore(
    service: AgentService, kept: list[Kept], found: Mapping[str, Found], survives: bool, known: Callable[[], None]
) -> None:
    """Take over. When it returns, every process is in its phase, and what has ended meanwhile is about to be told.

    `survives`: whether programs outlive an agent that is killed. `known` is called when all are registered, and before
    anything is done to any.
    """
    for record in kept:
        service.restore(record.process, survives)
    known()
    for record in sorted(kept, key=lambda record: record.process.phase is P.WAITING):
        service.resume(record.process.uuid, found.get(record.process.uuid))


def search(kept: list[Kept], held: list[Thing], ended: Ended, features: Features) -> dict[str, Found]:
    """The runs of all, by uuid. Blocks; for a thread. Descriptors that nobody needs are closed."""
    by_key = {thing.key: thing for thing in held if thing.kind == "pid"}
    channels = {thing.key: thing for thing in held if thing.kind == "channel"}
    by_run = {key: (pid, start, status) for (key, pid, start), status in ended.items()}
    found: dict[str, Found] = {}
    missing: list[Kept] = []
    for record in kept:
        p = record.process
        thing = by_key.pop(_key(record), None)
        if thing is not None and (p.pid or p.phase is P.STARTING):
            ident = Ident(thing.pid, thing.start, boot_id())
            found[p.uuid] = Found(ident=ident, pidfd=thing.fds[0] if thing.fds else None)
        elif p.pid:
            found[p.uuid] = _by_record(record, ended, features)
        elif p.phase is P.STARTING and (place := by_run.get(_key(record))) is not None:
            pid, start, status = place
            found[p.uuid] = Found(ident=Ident(pid, start, boot_id()), end=_end(status))
        elif p.phase is P.STARTING and p.adopts is None:
            missing.append(record)
        if thing is not None and p.uuid not in found:
            _close(thing)
    found |= _by_mark(missing, features)
    for record in kept:
        uuid = record.process.uuid
        if uuid in found and _key(record) in channels and (fds := channels[_key(record)].fds):
            found[uuid] = evolve(found[uuid], channel=fds[0])
            del channels[_key(record)]
    for thing in (*by_key.values(), *channels.values()):
        _close(thing)
    return found


def _key(record: Kept) -> str:
    """By which the keeper holds its run."""
    p = record.process
    return f"{p.uuid}.{p.runs + 1 if p.phase is P.STARTING else p.runs}"


def _close(thing: Thing) -> None:
    for fd in thing.fds:
        os.close(fd)


def _by_record(record: Kept, ended: Ended, features: Features) -> Found:
    """Without a keeper: alive, or a zombie that tells, or what a keeper has put down, or unknown."""
    ident = record.ident or Ident(record.process.pid)
    if still_there(ident):
        try:
            return Found(ident=ident, pidfd=open_pidfd(ident, features))
        except OSError:
            pass  # it has ended just now
    if still_there(ident):
        return Found(ident=ident)
    return Found(ident=ident, end=_end(ended.get((_key(record), ident.pid, ident.start))))


def _end(status: int | None) -> End:
    return End(None, None) if status is None else of_status(status)


def _by_mark(missing: list[Kept], features: Features) -> dict[str, Found]:
    """Programs that were being spawned, when nothing more was recorded: by what is in their environment."""
    found: dict[str, Found] = {}
    wanted = {record.process.uuid: record for record in missing}
    limit = time.monotonic() + _EXEC[1]
    while wanted and features.procfs:
        for pid, uuid, mark in _marked(wanted):
            record = wanted.get(uuid)
            if record is None or not record.mark or record.mark not in mark.split("/"):
                continue
            ident = Ident(pid, start_of(pid), boot_id())
            try:
                found[uuid] = Found(ident=ident, pidfd=open_pidfd(ident, features))
                del wanted[uuid]
            except OSError:
                continue
        if time.monotonic() > limit:
            break
        time.sleep(_EXEC[0])
    return found


def _marked(wanted: Iterable[str]) -> Iterable[tuple[int, str, str]]:
    """Leaders of sessions with a process's own variables: pid, uuid, and the runs of agents that it is below."""
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        pid = int(entry)
        facts = facts_of(pid)
        if facts is None or facts.session != pid or facts.state in "ZX":
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
                pairs = dict(part.split(b"=", 1) for part in file.read(1 << 18).split(b"\0") if b"=" in part)
        except OSError:
            continue
        uuid = pairs.get(b"PROCCTL_UUID", b"").decode(errors="replace")
        if uuid in wanted:
            yield pid, uuid, pairs.get(b"PROCCTL_AGENT", b"").decode(errors="replace")
