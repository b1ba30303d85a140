"""Files that a child writes to by itself, so that it needs no agent to write: the raw files ``stdout`` and ``stderr``
in a folder of its own, and their index.

The child has descriptors with O_APPEND. The agent reads what comes, and says in the index what it has read before
anybody is given it. Another agent goes on from there: with the same numbers, so that cursors stay good, and with
nothing lost or read twice. What came while no agent watched has the time of the file's last change, and is marked.

Rotation copies the head to a part beside the file and punches a hole over it: the child's descriptor stays good, and
there is no moment in which a byte could be missed. Where the file system knows no holes, a file is set aside when the
next run begins.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import time

from ...core.specs import LogSpec
from . import kernel
from .chores import Chores
from .index import APPROXIMATE, BASE, END, GAP, Index
from .parts import Part, Present, part_path, parts, tidy

__all__ = ["Straight"]

logger = logging.getLogger("procctl.agent.output")

_READ = 1 << 16
_READS = 8
MAX_SIZE = 16 << 20
"""Bytes after which a file is rotated where the spec does not say: nobody chose it, so it may not fill a disk."""
_NAMES = ("stdout", "stderr")


class Straight:
    """One process's files.

    Args:
        name: Of the process.
        spec: When files are rotated.
        folder: Theirs alone.
        epoch: For a new index.
        chores: Copies and compresses.
        punching: Whether holes are tried.
        take: Given what was read: stream, bytes, time, whether the time is approximate.

    Raises:
        OSError: The folder or a file in it cannot be used; EBUSY: another agent tails it.
    """

    def __init__(
        self,
        name: str,
        spec: LogSpec,
        folder: Path,
        epoch: str,
        chores: Chores,
        punching: bool,
        take: Callable[[int, bytes, float, bool], None],
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.paths = tuple(str(folder / each) for each in _NAMES)
        self.index = Index(str(folder / "index"), epoch)
        self._name = name
        self._spec = spec
        self._chores = chores
        self._punching = punching
        self._take = take
        self._fds: list[int] = []
        try:
            self._bases, self._at = self._places()
            self._fds = [self._open(path) for path in self.paths]
        except BaseException:
            self.close()
            raise
        self._floors = [max([base, *(part.end for part in parts(path))]) for base, path in self._each(self._bases)]
        self._copying = [False, False]
        self._watched_since = [os.fstat(fd) for fd in self._fds]
        self._inodes = [found.st_ino for found in self._watched_since]
        for stream in (0, 1):
            self._heal(stream)

    def ends(self) -> tuple[int, int]:
        """Descriptors for a new run: whoever takes them closes them.

        Raises:
            OSError: There are none to be had.
        """
        self.read_all()
        if not self._punching:
            for stream in (0, 1):
                self._begin_anew(stream)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        first = os.open(self.paths[0], flags, 0o600)
        try:
            return first, os.open(self.paths[1], flags, 0o600)
        except OSError:
            os.close(first)
            raise

    def advance(self) -> bool:
        """Read some of what has come; whether there may be more."""
        more = False
        for stream in (0, 1):
            for _ in range(_READS):
                if not self._read(stream):
                    break
            else:
                more = True
            self._rotate(stream)
        return more

    def read_all(self) -> None:
        """Read what is there now."""
        sizes = [self._bases[stream] + os.fstat(fd).st_size for stream, fd in enumerate(self._fds)]
        for stream, size in enumerate(sizes):
            while self._at[stream] < size and self._read(stream):
                pass

    def run_ended(self) -> None:
        """A run is over, and all that it wrote was read."""
        self.index.add(0, 0, 0, time(), END)

    def present(self, stream: int) -> Present | None:
        """How the file of a stream is now, for readers, also in other threads; None: it is tailed no more."""
        return Present(self._bases[stream], self._floors[stream], self._inodes[stream]) if self._fds else None

    def close(self) -> None:
        """Read no more; what is written goes on."""
        fds, self._fds = self._fds, []
        for fd in fds:
            os.close(fd)
        self.index.close()

    # reading --------------------------------------------------------------------------------------------------

    def _read(self, stream: int) -> bool:
        at = self._at[stream]
        try:
            data = os.pread(self._fds[stream], _READ, at - self._bases[stream])
        except OSError as error:
            logger.error("output of %s cannot be read from %s: %s", self._name, self.paths[stream], error.strerror)
            return False
        if not data:
            return False
        before = self._watched_since[stream]
        approximate = at - self._bases[stream] < before.st_size
        if approximate:
            data = data[: before.st_size + self._bases[stream] - at]
        now = min(before.st_mtime, time()) if approximate else time()
        self._at[stream] = at + len(data)
        self.index.add(stream, at, len(data), now, APPROXIMATE if approximate else 0)
        self._take(stream, data, now, approximate)
        return True

    def _places(self) -> tuple[list[int], list[int]]:
        """Where the files begin, and up to where they were read."""
        bases, ends = [-1, -1], [-1, -1]
        for entry in self.index.records().backward():
            if entry.flags & (END | GAP):
                continue
            if entry.flags & BASE and bases[entry.stream] < 0:
                bases[entry.stream] = entry.at
            if ends[entry.stream] < 0:
                ends[entry.stream] = entry.at + entry.size
            if min(bases) >= 0:
                break
        return [max(0, n) for n in bases], [max(0, n) for n in ends]

    @staticmethod
    def _open(path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND | os.O_NONBLOCK, 0o600)

    def _each(self, values: list[int]) -> list[tuple[int, str]]:
        return list(zip(values, self.paths, strict=True))

    # rotation -------------------------------------------------------------------------------------------------

    def _rotate(self, stream: int) -> None:
        first, end = self._floors[stream], self._at[stream]
        if not self._punching or self._copying[stream] or end - first < (self._spec.max_size or MAX_SIZE):
            return
        self._copying[stream] = True
        path, base = self.paths[stream], self._bases[stream]
        what = f"rotation of the output of {self._name} in {path}"
        job = partial(_set_aside, path, first, end, base)
        self._chores.submit(what, job, partial(self._set_aside, stream, end))

    def _set_aside(self, stream: int, end: int) -> None:
        """The copy is complete, or there is none: what the disk says counts."""
        self._copying[stream] = False
        if not self._fds:
            return
        if any(part.end == end for part in parts(self.paths[stream])):
            self._floors[stream] = end
            self._heal(stream)
            self._tidy(stream)

    def _heal(self, stream: int) -> None:
        """Punch the hole over what was copied; again, if a crash came in between."""
        floor = self._floors[stream]
        start = self._bases[stream]
        if floor <= start:
            return
        try:
            if self._punching:
                kernel.punch(self._fds[stream], 0, floor - start)
        except OSError as error:
            logger.info("no holes in %s: %s; it is rotated between runs", self.paths[stream], error.strerror)
            self._punching = False

    def _begin_anew(self, stream: int) -> None:
        """A fresh file for the next run."""
        path, base, end = self.paths[stream], self._bases[stream], self._at[stream]
        if end - base < (self._spec.max_size or MAX_SIZE) or self._copying[stream]:
            return
        first = self._floors[stream]
        with contextlib.suppress(FileNotFoundError):
            if first > base:
                _set_aside(path, first, end, base)
                os.unlink(path)
            else:
                os.rename(path, part_path(path, first, end))
        os.close(self._fds[stream])
        self._fds[stream] = self._open(path)
        self._watched_since[stream] = os.fstat(self._fds[stream])
        self._inodes[stream] = self._watched_since[stream].st_ino
        self._bases[stream] = self._floors[stream] = end
        self.index.add(stream, end, 0, time(), BASE)
        self._tidy(stream)

    def _tidy(self, stream: int) -> None:
        job = partial(tidy, self.paths[stream], self._spec.keep, self._spec.compress, self._chores.stopping)
        self._chores.submit(f"rotated output of {self._name}", job, self._trim)

    def _trim(self) -> None:
        if not self._fds:
            return
        there: list[list[Part]] = [parts(path) for path in self.paths]
        oldest = [min([floor, *(p.first for p in there[stream])]) for stream, floor in enumerate(self._floors)]
        records = self.index.records()
        number = records.first
        for entry in records.forward(number):
            if not entry.flags & (END | GAP) and entry.at + entry.size > oldest[entry.stream]:
                break
            number += 1
        self.index.trim(number)


def _set_aside(path: str, first: int, end: int, base: int) -> None:
    """Copy a stretch to a part of its own, complete or not at all."""
    if any(part.first == first for part in parts(path)):
        return
    whole = part_path(path, first, end)
    half = whole + ".part"
    try:
        with open(path, "rb") as source, open(half, "wb") as target:
            source.seek(first - base)
            left = end - first
            while left:
                data = source.read(min(left, 1 << 20))
                if not data:
                    raise OSError(5, "it is shorter than it was")
                target.write(data)
                left -= len(data)
            target.flush()
            os.fsync(target.fileno())
        shutil.copystat(path, half)
        os.rename(half, whole)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(half)
