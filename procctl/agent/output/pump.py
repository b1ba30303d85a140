"""One pipe of a child: read when there is something, in plain calls from the poller."""

from __future__ import annotations

import os
from time import time

from ...aio.poller import Poller
from .output import Output

__all__ = ["Pump"]

_READ = 1 << 16
_READS = 8
"""Reads before others get a turn: half a megabyte."""
_AT_END = 64
"""Reads at most when the child has ended: a descendant that writes on without end is not waited for."""


class Pump:
    """Args: fd: The reading end, non-blocking; closed at its end. stream: 0 stdout, 1 stderr."""

    __slots__ = ("_fd", "_output", "_poller", "_stream")

    def __init__(self, fd: int, stream: int, output: Output, poller: Poller) -> None:
        self._fd = fd
        self._stream = stream
        self._output = output
        self._poller = poller
        poller.add(fd, self)

    def __call__(self, closed: bool) -> None:
        """There is something to read: called by the poller."""
        self._read(_READS)

    def drain(self) -> None:
        """Read what is there now: the child has ended."""
        self._read(_AT_END)

    def release(self) -> int | None:
        """Read no more: the reading end, which is the caller's; None: it was at its end."""
        if self._fd < 0:
            return None
        self._poller.remove(self._fd)
        fd, self._fd = self._fd, -1
        return fd

    def close(self) -> None:
        """Nothing of the process is left: what is in the pipe is all there will be."""
        self.drain()
        self._end()

    def _read(self, reads: int) -> None:
        for _ in range(reads):
            if self._fd < 0:
                return
            try:
                data = os.read(self._fd, _READ)
            except BlockingIOError:
                return
            if not data:
                return self._end()
            self._output.write(self._stream, data, time())
            if len(data) < _READ // 2:
                return  # the next read would most likely find nothing

    def _end(self) -> None:
        if self._fd >= 0:
            self._poller.remove(self._fd)
            os.close(self._fd)
            self._fd = -1
