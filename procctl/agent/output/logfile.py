"""One file that output is appended to, and its rotation by renaming: nothing is copied, so nothing can be lost."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat

from .parts import Present, part_path, parts

__all__ = ["LogFile"]


class LogFile:
    """Open from the beginning; everything raises OSError where the system says no.

    Args:
        path: Of the file.
        base: The place of its first byte, as far as the index knows; what the names of rotated parts say beats it.
    """

    def __init__(self, path: str, base: int) -> None:
        self.path = path
        self.base = max([base, *(part.end for part in parts(path))])
        self.fd = _open(path)
        found = os.fstat(self.fd)
        self.size = found.st_size
        self.born = found.st_mtime
        """When its first byte came; of one that was there already, when its last did."""
        self.line_open = self.size > 0 and not _ends_with_break(path, self.size)
        self._inode = found.st_ino

    @property
    def place(self) -> int:
        """Where the next byte will stand."""
        return self.base + self.size

    def append(self, data: bytes | memoryview, time: float) -> int:
        """Write; gives how many bytes were. Fewer: `trouble` says why."""
        if not self.size:
            self.born = time
        left = memoryview(data)
        try:
            while left:
                done = os.write(self.fd, left)
                self.size += done
                left = left[done:]
        except OSError:
            if len(left) == len(data):
                raise
        written = len(data) - len(left)
        if written:
            self.line_open = data[written - 1] != 10
        return written

    def cut(self, size: int) -> None:
        """Take back the last so many bytes."""
        os.ftruncate(self.fd, self.size - size)
        self.size -= size
        self.line_open = False

    def rotate(self) -> bool:
        """Set it aside and begin anew. False: it is not at its path any more, and was only opened anew."""
        try:
            here = os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            here = False
        if here:
            if not self.size:
                return False
            aside = part_path(self.path, self.base, self.place)
            os.rename(self.path, aside)
            try:
                self.reopen()
            except OSError:
                os.rename(aside, self.path)
                raise
        else:
            self.reopen()
        return here

    def reopen(self) -> None:
        """Go on in the file that is at the path now."""
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                return
        fd = _open(self.path)
        os.close(self.fd)
        found = os.fstat(fd)
        self.base = self.place - found.st_size  # what is in it is somebody else's
        self.size = found.st_size
        self.line_open = False
        self.born = found.st_mtime
        self.fd, self._inode = fd, found.st_ino

    def present(self) -> Present:
        """For readers."""
        return Present(self.base, self.base, self._inode)

    def close(self) -> None:
        """Write no more."""
        os.close(self.fd)


def _open(path: str) -> int:
    """Never waits, not for a reader of a FIFO either; only a regular file is one that can be rotated and read back."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        fd = os.open(path, flags, 0o640)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a FIFO that nobody reads
            raise OSError(errno.EINVAL, "it is no regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise OSError(errno.EBUSY, "another process's output is written to it") from None
    return fd


def _ends_with_break(path: str, size: int) -> bool:
    try:
        with open(path, "rb") as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"
    except OSError:
        return True
