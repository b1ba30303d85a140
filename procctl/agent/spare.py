"""A descriptor in reserve, so that the agent can still look at /proc when there are no others left.

Without it a process that cannot be looked at would pass for one that is gone. Whoever looks from the loop or from a
thread lends it, one after the other; while an agent runs, there is one for the whole program.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["EXHAUSTED", "drop", "keep", "with_spare"]

T = TypeVar("T")

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})
"""What open(2) says where this program, or the system, has no descriptors left."""
_lock = threading.Lock()
_users = 0
_fd: int | None = None


def keep() -> None:
    """An agent begins."""
    global _users
    with _lock:
        _users += 1
        _refill()


def drop() -> None:
    """An agent has ended."""
    global _users, _fd
    with _lock:
        _users -= 1
        if not _users and _fd is not None:
            os.close(_fd)
            _fd = None


def with_spare(look: Callable[[], T]) -> T:
    """Do this, which opens a file and closes it again; where there are no descriptors left, with the spare one.

    Raises:
        OSError: As `look` does; with an errno of `EXHAUSTED` where the spare one is gone too.
    """
    global _fd
    try:
        return look()
    except OSError as error:
        if error.errno not in EXHAUSTED:
            raise
    with _lock:
        if _fd is not None:
            os.close(_fd)
            _fd = None
        try:
            return look()
        finally:
            _refill()


def _refill() -> None:
    global _fd
    if _users and _fd is None:
        with contextlib.suppress(OSError):  # somebody was faster; it is tried again at the next look
            _fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
