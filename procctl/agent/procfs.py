"""What the kernel says of processes, by /proc (proc(5)).

Where there is no descriptor left to look with, that is an error: what cannot be looked at is not gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from attrs import frozen

from .spare import EXHAUSTED, with_spare

__all__ = ["EXITING", "KERNEL", "MARK", "Facts", "below", "facts_of", "lineage_of"]

MARK = "PROCCTL_LINEAGE"
"""Environment variable: the uuids of the process and of those that it runs under, separated by slashes."""
_MARK_BYTES = MARK.encode() + b"="
KERNEL = 0x00200000
"""PF_KTHREAD among the flags of /proc/PID/stat: a thread of the kernel, which never has an environment."""
EXITING = 0x00000004
"""PF_EXITING among them: it ends, and has lost its environment before it has closed its files."""


@frozen
class Facts:
    """One process: from /proc/PID/stat (proc(5)). `flags` are the kernel's."""

    pid: int
    name: str
    state: str
    parent: int
    group: int
    session: int
    flags: int
    started: int


def facts_of(pid: int) -> Facts | None:
    """What the kernel says of a process; None if there is none.

    Raises:
        OSError: Nothing can be opened (an errno of `EXHAUSTED`).
    """
    try:
        text = with_spare(lambda: _first(f"/proc/{pid}/stat"))
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return None
    head, _, tail = text.rpartition(b")")
    parts = tail.split()
    name = head.partition(b"(")[2].decode(errors="replace")
    parent, group, session, flags, started = (int(parts[i]) for i in (1, 2, 3, 6, 19))
    return Facts(pid, name, parts[0].decode(), parent, group, session, flags, started)


def _first(path: str, size: int = 1024) -> bytes:
    """The beginning of a file; a file object would take twice the time."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def below(pid: int) -> frozenset[tuple[int, int]]:
    """The living descendants of a living process as (pid, start time), by /proc/PID/task/TID/children."""
    found: set[tuple[int, int]] = set()
    todo = [pid]
    while todo:
        for child in _children(todo.pop()):
            try:
                facts = facts_of(child)
            except OSError:
                continue  # it is looked for again when all has ended
            if facts is not None:
                found.add((child, facts.started))
                todo.append(child)
    return frozenset(found)


def _children(pid: int) -> Iterator[int]:
    folder = f"/proc/{pid}/task"
    try:
        threads = os.stat(folder).st_nlink - 2
        tasks = (
            [str(pid)] if threads == 1 else with_spare(lambda: os.listdir(folder))
        )  # a listing costs twice what a stat does
    except OSError:
        return
    for task in tasks:
        try:
            yield from map(int, with_spare(lambda: _children_of(pid, task)).split())  # noqa: B023
        except OSError:
            continue


def _children_of(pid: int, task: str) -> bytes:
    return _first(f"/proc/{pid}/task/{task}/children", 1 << 16)


def lineage_of(pid: int) -> frozenset[str] | None:
    """The uuids in a process's mark; None where there is no environment to read for the moment: in the middle of an
    exec, or at its end. What is not ours to read has none, and so has what was started with an empty environment."""
    try:
        text = with_spare(lambda: _environ(pid))
        if not text and _has_environment(pid):
            text = with_spare(lambda: _environ(pid)) or b"\0"  # an exec may have come through in between
    except PermissionError:
        return frozenset()
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return None
    if not text:
        return None
    _, found, rest = (b"\0" + text).partition(b"\0" + _MARK_BYTES)
    return frozenset(rest.partition(b"\0")[0].decode(errors="replace").split("/")) if found else frozenset()


def _environ(pid: int) -> bytes:
    return _first(f"/proc/{pid}/environ", 1 << 18)


def _has_environment(pid: int) -> bool:
    """Whether a process has an environment, be it an empty one: where it ends, field 51 of /proc/PID/stat (proc(5)), is
    0 until an exec has put it there."""
    text = with_spare(lambda: _first(f"/proc/{pid}/stat"))
    return int(text.rpartition(b")")[2].split()[48]) != 0
