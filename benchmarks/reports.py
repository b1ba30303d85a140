"""The children's own word of when they began: records on a FIFO, see `child.c`."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from pathlib import Path
from typing import NamedTuple, Self

import procfs

__all__ = ["Report", "Reports"]

_RECORD = struct.Struct("IIQ")
_ROOM = 1 << 20


class Report(NamedTuple):
    """A child's `kind` is 0 when it begins and 1 when it has written what it was to write; `ns` is monotonic."""

    pid: int
    kind: int
    ns: int


class Reports:
    """A FIFO that is open at both ends, so that children never wait for a reader.

    Args:
        folder: Where to make it.
        program: What reports there. What still runs of it when this is closed, is ended.
    """

    def __init__(self, folder: Path, program: str) -> None:
        self.path = str(folder / "fifo")
        self._program = program
        os.mkfifo(self.path, 0o600)
        self._fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _ROOM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, count: int, timeout: float) -> list[Report]:
        """Up to so many, waiting at most so many seconds."""
        got: list[Report] = []
        end = time.monotonic() + timeout
        while len(got) < count:
            left = end - time.monotonic()
            if left < 0 or not select.select([self._fd], [], [], left)[0]:
                break
            data = os.read(self._fd, _RECORD.size * min(4096, count - len(got)))
            got += map(Report._make, _RECORD.iter_unpack(data))
        return got

    def need(self, count: int, timeout: float) -> list[Report]:
        """Exactly so many, or a TimeoutError."""
        got = self.take(count, timeout)
        if len(got) < count:
            raise TimeoutError(f"{len(got)} of {count} children have reported within {timeout:g} s")
        return got

    def drop(self) -> None:
        """Forget what is there."""
        while self.take(1 << 16, 0.0):
            pass

    def close(self) -> None:
        """End what is left of the children. A second look finds those that were being born at the first."""
        while procfs.end_all(self._program, self.path):
            time.sleep(0.05)
        os.close(self._fd)
        os.unlink(self.path)
