"""How a child ended. Right even where the embedding program reaps children itself, or ignores SIGCHLD.

A pidfd that can be read has ended. ``waitid`` with WNOWAIT tells how without reaping, so that ``wait4`` can add what it
used; where somebody else was faster, the kernel may still know (`features.pidfd_info`); else it is unknown, which is
said and never 0. ``Popen.wait`` would report 0 there.
"""

from __future__ import annotations

import os
import signal

from attrs import frozen

from ..core.records import Ident, Usage
from .features import Features, pidfd_info
from .identity import start_of
from .spare import EXHAUSTED, with_spare

__all__ = ["End", "end_of", "end_of_stranger", "of_status", "signal_text"]


@frozen
class End:
    """Both `code` and `signal` None: nobody can tell."""

    code: int | None
    signal: str | None
    usage: Usage | None = None


def signal_text(number: int) -> str:
    """The name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def end_of(
    pid: int, pidfd: int | None, features: Features, closed: bool = False, start: int = 0, reap: bool = True
) -> End | None:
    """Reap a child of ours, if it has ended.

    Args:
        pid: The child.
        pidfd: Its descriptor, or None where there are none.
        features: Of this kernel.
        closed: The descriptor says that it was reaped.
        start: When it began, in ticks; 0: not known. Another part of the program may have reaped it, and have another
            child with its number by now.
        reap: Whether it is ours to reap. Only with a descriptor may it be another part's of this program.

    Returns:
        How it ended; None: it has not, or cannot be told yet.
    """
    if pidfd is None:
        return _by_pid(pid) if not start or start_of(pid) == start else End(None, None)
    try:
        seen = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        status = pidfd_info(pidfd) if features.pidfd_info else None
        if status is not None:
            return of_status(status)
        return End(None, None) if closed or not features.pidfd_info else None
    if seen is None:
        return None
    usage = None
    try:
        reaped, _, used = os.wait4(pid, os.WNOHANG) if reap else (0, 0, None)
        if reaped == pid and used is not None:
            usage = Usage(used.ru_utime, used.ru_stime, used.ru_maxrss * 1024)
    except ChildProcessError:
        pass  # somebody else was faster; how it ended is known all the same
    if seen.si_code == os.CLD_EXITED:
        return End(seen.si_status, None, usage)
    return End(None, signal_text(seen.si_status), usage)


def end_of_stranger(ident: Ident, pidfd: int | None, features: Features, reap: bool) -> End | None:
    """How a process ended that is not our child, or was one of an earlier agent's.

    By its descriptor, if that was opened before it was reaped; by its zombie (field 52 of /proc/PID/stat, proc(5)),
    which the kernel shows to its user and to root; else it is unknown.

    Where it is a child of this program, it is reaped only if an earlier agent has started it: else another part of the
    program waits for it.

    Returns:
        How it ended; None: it has not, or is about to be told.
    """
    if pidfd is not None:
        end = end_of(ident.pid, pidfd, features, reap=reap)
        if end is not None and (end.code is not None or end.signal is not None):
            return end
    try:
        state, start, status = _zombie(ident.pid)
    except OSError:
        return None  # it cannot be looked at for want of a descriptor: later
    if start != ident.start:
        late = pidfd_info(pidfd) if pidfd is not None and features.pidfd_info else None  # reaped since it was asked
        return End(None, None) if late is None else of_status(late)
    if state not in "ZX":
        return None
    return End(None, None) if status is None else of_status(status)


def _zombie(pid: int) -> tuple[str, int, int | None]:
    """State, start and wait status of a process; a status of None is not for us to see."""
    try:
        parts = with_spare(lambda: _stat(pid)).rpartition(b")")[2].split()
        mine = os.geteuid() in (0, os.stat(f"/proc/{pid}").st_uid)
        return parts[0].decode(), int(parts[19]), int(parts[49]) if mine else None
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return "X", 0, None
    except IndexError:
        return "X", 0, None


def _stat(pid: int) -> bytes:
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        return file.read(1024)


def _by_pid(pid: int) -> End | None:
    try:
        reaped, status, used = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return End(None, None)
    if reaped != pid:
        return None
    return of_status(status, Usage(used.ru_utime, used.ru_stime, used.ru_maxrss * 1024))


def of_status(status: int, usage: Usage | None = None) -> End:
    """What a wait status says (wait(2))."""
    if os.WIFSIGNALED(status):
        return End(None, signal_text(os.WTERMSIG(status)), usage)
    return End(os.WEXITSTATUS(status), None, usage)
