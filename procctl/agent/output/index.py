"""Which bytes of a process's output stand where in its files, and when they came: a small file beside them.

An entry says that `size` bytes, whose first is number `offset` of the whole output, stand in the file of `stream` at
`at`. A place in a file counts all that was ever written to it, over rotations. The present entry is written again as
it grows, so that what the index says is never behind what a reader was given: a cursor means the same bytes to the
next agent.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator

from attrs import frozen

from .kernel import punch

__all__ = ["APPROXIMATE", "BASE", "END", "GAP", "Entry", "Index", "Records"]

_HEAD = struct.Struct("<8s12sxxxxQ")
_RECORD = struct.Struct("<QQdIBB2x")
_MAGIC = b"procctl1"
_LONGEST = 1 << 16
"""Bytes after which an entry is not added to."""
_MOMENT = 0.1
"""Seconds after which it is not either: times that are read back are that exact."""
_UNSAVED = 1000

END, APPROXIMATE, GAP, BASE = 1, 2, 4, 8
"""A run ended here; nobody watched when it came; it stands in no file; the file of the stream begins anew here."""


@frozen
class Entry:
    """A stretch of output."""

    offset: int
    at: int
    time: float
    size: int
    stream: int
    flags: int = 0

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + self.size

    def pack(self) -> bytes:
        """As it stands in the file."""
        return _RECORD.pack(self.offset, self.at, self.time, self.size, self.stream, self.flags)


class Records:
    """The entries of an index as they are now, for reading; another thread may be reading while the owner writes.

    Args:
        fd: Of the index; closed by whoever opened it.
    """

    def __init__(self, fd: int) -> None:
        head = os.pread(fd, _HEAD.size, 0)
        magic: bytes
        epoch: bytes
        first: int
        magic, epoch, first = _HEAD.unpack(head)
        if magic != _MAGIC:
            raise OSError(22, "no index of procctl")
        self.epoch = epoch.decode("ascii", "replace")
        self.first = first
        self.count = max(first, (os.fstat(fd).st_size - _HEAD.size) // _RECORD.size)
        self._fd = fd

    def get(self, number: int) -> Entry:
        """One of them."""
        return Entry(*_RECORD.unpack(os.pread(self._fd, _RECORD.size, _where(number))))

    def forward(self, number: int) -> Iterator[Entry]:
        """From this one on."""
        while number < self.count:
            data = os.pread(self._fd, min(512, self.count - number) * _RECORD.size, _where(number))
            for values in _RECORD.iter_unpack(data):
                yield Entry(*values)
            number += max(1, len(data) // _RECORD.size)

    def backward(self) -> Iterator[Entry]:
        """From the last to the first."""
        end = self.count
        while end > self.first:
            begin = max(self.first, end - 512)
            data = os.pread(self._fd, (end - begin) * _RECORD.size, _where(begin))
            for values in reversed(list(_RECORD.iter_unpack(data))):
                yield Entry(*values)
            end = begin

    def at_offset(self, offset: int) -> int:
        """The number of the first entry that reaches beyond an offset."""
        return self._bisect(lambda entry: entry.end > offset)

    def at_time(self, time: float) -> int:
        """The number of the first entry that came at a time or later."""
        return self._bisect(lambda entry: entry.time >= time)

    def _bisect(self, found: Callable[[Entry], bool]) -> int:
        low, high = self.first, self.count
        while low < high:
            middle = (low + high) // 2
            if found(self.get(middle)):
                high = middle
            else:
                low = middle + 1
        return low


class Index:
    """The index of one process's output, owned: nobody else writes to it or to its files.

    Args:
        path: Of the index.
        epoch: For a new one: what its cursors begin with, 12 characters.
        fresh: Forget what is in it.

    Raises:
        OSError: It cannot be opened; EBUSY: somebody else owns it.
    """

    def __init__(self, path: str, epoch: str, fresh: bool = False) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            self._own(path)
            if fresh:
                os.ftruncate(self._fd, 0)
            if os.fstat(self._fd).st_size < _HEAD.size:
                os.pwrite(self._fd, _HEAD.pack(_MAGIC, epoch.encode()[:12], 0), 0)
            records = Records(self._fd)
        except BaseException:
            os.close(self._fd)
            raise
        self.epoch = records.epoch
        self._first = records.first
        self._count = records.count
        self._last = records.get(records.count - 1) if records.count > records.first else None
        self.end = 0 if self._last is None else self._last.end
        self._unsaved: list[Entry] = []

    def _own(self, path: str) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(16, "another process's output is written to it") from None
        if os.stat(path).st_ino != os.fstat(self._fd).st_ino:
            raise OSError(16, "another process's output is written to it")

    def records(self) -> Records:
        """What is in it."""
        return Records(self._fd)

    def add(self, stream: int, at: int, size: int, time: float, flags: int = 0) -> None:
        """So many bytes more have come."""
        last = self._last
        if (
            last is not None
            and (last.stream, last.flags, last.at + last.size) == (stream, flags, at)
            and not flags & (END | BASE | GAP)
            and last.size + size <= _LONGEST
            and 0 <= time - last.time < _MOMENT
        ):
            entry = Entry(last.offset, last.at, last.time, last.size + size, stream, flags)
            if self._unsaved:
                self._unsaved[-1] = entry
        else:
            entry = Entry(self.end, at, time, size, stream, flags)
            self._count += 1
            if self._unsaved:
                self._unsaved.append(entry)
        self._last = entry
        self.end = entry.end
        self._save(entry)

    def _save(self, entry: Entry) -> None:
        """Entries that could not be written are kept, and are a gap when there are too many of them."""
        first = self._count - max(1, len(self._unsaved))
        data = b"".join(e.pack() for e in self._unsaved) or entry.pack()
        try:
            done = os.pwrite(self._fd, data, _where(first))
        except OSError:
            done = 0
        if done == len(data):
            self._unsaved = []
            return
        self._unsaved = self._unsaved or [entry]
        if len(self._unsaved) > _UNSAVED:
            begun = self._unsaved[0]
            self._count -= len(self._unsaved) - 1
            self._last = Entry(begun.offset, 0, begun.time, self.end - begun.offset, begun.stream, GAP)
            self._unsaved = [self._last]

    def trim(self, number: int) -> None:
        """Entries before this one are of no use any more."""
        if number <= self._first or number > self._count:
            return
        self._first = number
        try:
            os.pwrite(self._fd, _HEAD.pack(_MAGIC, self.epoch.encode(), number), 0)
            punch(self._fd, _HEAD.size, _where(number))
        except OSError:
            return  # it stays as large as it is

    def close(self) -> None:
        """It is not owned any more."""
        os.close(self._fd)


def _where(number: int) -> int:
    return _HEAD.size + number * _RECORD.size
