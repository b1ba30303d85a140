"""Signals that reach whom they are meant for, or nobody: a number may have a new owner by now.

By pidfd where there is one, so that the kernel tells them apart. Else the number is checked just before: that it is
still our child, and that it began when it did.
"""

from __future__ import annotations

import contextlib
import os
import signal

from ..core.records import Ident
from .features import PIDFD_GROUP, Features
from .identity import start_of

__all__ = ["is_there", "ours", "send", "send_group"]


def ours(pid: int) -> bool:
    """Whether what has this number is a child of this program, be it a zombie. True where that cannot be asked."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def is_there(ident: Ident, pidfd: int | None, child: bool) -> bool:
    """Whether that very process is there, a zombie too.

    Args:
        ident: Which.
        pidfd: Its descriptor, or None.
        child: Whether it is a child of this program.
    """
    if pidfd is not None:
        try:
            signal.pidfd_send_signal(pidfd, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    if child and not ours(ident.pid):
        return False
    return start_of(ident.pid) == ident.start if ident.start else child


def send(ident: Ident, pidfd: int | None, number: int, child: bool = True) -> None:
    """To the process alone; one that is gone is no error. See `is_there`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pidfd is not None:
            signal.pidfd_send_signal(pidfd, number)
        elif ident.pid > 1 and is_there(ident, None, child):
            os.kill(ident.pid, number)


def send_group(ident: Ident, pidfd: int | None, number: int, features: Features, child: bool = True) -> None:
    """To the group that it leads; one that is gone is no error. See `is_there`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pidfd is not None and features.pidfd_group:
            signal.pidfd_send_signal(pidfd, number, None, PIDFD_GROUP)
        elif ident.pid > 1 and is_there(ident, pidfd, child):  # 0 would be our own group
            os.killpg(ident.pid, number)
