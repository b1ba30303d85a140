"""Two calls that Python does not have: inotify(7) and fallocate(2) with a hole. By ctypes, loaded at first use."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["notices", "punch", "unwatch", "watch", "watcher"]

_IN_MODIFY = 0x2
_IN_Q_OVERFLOW = 0x4000
_KEEP_SIZE, _PUNCH_HOLE = 0x1, 0x2
_EVENT = struct.Struct("iIII")


@cache
def _libc() -> Any:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    return libc


def _checked(result: int) -> int:
    import ctypes

    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def punch(fd: int, start: int, end: int) -> None:
    """Free what stands between; it reads as zeros, and the size of the file stays (fallocate(2)).

    Raises:
        OSError: The file system cannot do it.
    """
    _checked(_libc().fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, start, end - start))


def watcher() -> int:
    """A descriptor that tells of files that were written to (inotify(7)).

    Raises:
        OSError: There is none to be had.
    """
    try:
        return _checked(_libc().inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
    except AttributeError:
        raise OSError(38, "no inotify here") from None


def watch(fd: int, path: str) -> int:
    """Tell of this file too; gives its number in `notices`.

    Raises:
        OSError: The user watches as many as they may, or it is gone.
    """
    return _checked(_libc().inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY))


def unwatch(fd: int, number: int) -> None:
    """Tell no more of it; one that is gone already is no error."""
    _libc().inotify_rm_watch(fd, number)


def notices(fd: int) -> Iterator[int]:
    """The numbers of the files that were written to; -1: any of them, the kernel's queue was full."""
    try:
        data = os.read(fd, 1 << 16)
    except BlockingIOError:
        return
    at = 0
    while at < len(data):
        number, mask, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size + length
        yield -1 if mask & _IN_Q_OVERFLOW else number
