"""The files of one stream: the one that is written to, and what was rotated away from it, beside it.

A rotated part is named once and for ever, ``web.log.20261124T171200Z.0-52428800`` and with ``.gz`` when it is
compressed: when it was set aside, and the places of its first byte and behind its last. So nothing is renamed while
somebody reads it, and what there is can be known from names alone, also after a crash in the middle.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import time
from collections.abc import Callable
from typing import IO, cast

from attrs import frozen

__all__ = ["Part", "PartsReader", "Present", "part_path", "parts", "tidy"]

_NAME = re.compile(r"\.\d{8}T\d{6}Z\.(\d+)-(\d+)(\.gz)?\Z")
_HALF = ".part"
"""Ends the name of what is not complete yet."""


@frozen(order=True)
class Part:
    """One rotated part: the places of its first byte and behind its last."""

    first: int
    end: int
    path: str
    packed: bool


def part_path(path: str, first: int, end: int) -> str:
    """The name of a part that is set aside now."""
    return f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.{first}-{end}"


def parts(path: str) -> list[Part]:
    """The rotated parts of a file, the oldest first. Where a part is there plain and compressed, it is compressed."""
    folder, name = os.path.split(path)
    found: dict[tuple[int, int], Part] = {}
    with contextlib.suppress(FileNotFoundError):
        for entry in sorted(os.listdir(folder or ".")):
            match = _NAME.match(entry, len(name)) if entry.startswith(name) else None
            if match:
                first, end = int(match[1]), int(match[2])
                found[first, end] = Part(first, end, os.path.join(folder, entry), match[3] is not None)
    return sorted(found.values())


def tidy(path: str, keep: int, compress: bool, stopping: Callable[[], bool]) -> None:
    """Delete the oldest parts beyond `keep`, compress the rest, and clear away what a crash has left half done.

    Blocks; for a worker thread. It can be ended at any moment and done again.

    Raises:
        OSError: Something could not be done; the plain part is still there.
    """
    there = parts(path)
    known = {part.path for part in there}
    folder, name = os.path.split(path)
    for entry in os.listdir(folder or "."):
        whole = os.path.join(folder, entry)
        if not entry.startswith(name + "."):
            continue
        plain_too = whole + ".gz" in known  # the compressed one was complete before this was to be deleted
        if plain_too or (entry.endswith(_HALF) and _NAME.match(entry.removesuffix(_HALF), len(name))):
            os.unlink(whole)
    for part in there[: max(0, len(there) - keep)]:
        os.unlink(part.path)
    for part in there[max(0, len(there) - keep) :] if compress else ():
        if not part.packed and not stopping():
            _pack(part.path, stopping)


def _pack(path: str, stopping: Callable[[], bool]) -> None:
    half = path + ".gz" + _HALF
    try:
        with open(path, "rb") as source, gzip.open(half, "wb", compresslevel=6) as target:
            while data := source.read(1 << 20):
                target.write(data)
                if stopping():
                    return
        with open(half, "rb+") as done:
            os.fsync(done.fileno())
        shutil.copystat(path, half)
        os.rename(half, path + ".gz")
        os.unlink(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(half)


@frozen
class Present:
    """The file that is written to, as it is at one moment.

    Attributes:
        base: The place of its first byte.
        floor: The first place that is still in it.
        inode: Which file it is.
    """

    base: int
    floor: int
    inode: int


class PartsReader:
    """Reads by place, wherever it stands now. Blocks; for a worker thread. Close it in the end.

    Args:
        path: Of the file that is written to.
        present: Tells how that is now; None: there is none. It may change at any moment, also while something is read.
    """

    def __init__(self, path: str, present: Callable[[], Present | None]) -> None:
        self._path = path
        self._present = present
        self._parts = parts(path)
        self._open: tuple[str, int, IO[bytes]] | None = None

    def read(self, place: int, size: int) -> bytes:
        """At most so many bytes from a place on; nothing: they are not there any more."""
        for _ in range(3):
            now = self._present()
            try:
                for part in self._parts:
                    if part.first <= place < part.end:
                        return self._read(part.path, 0, part.packed, place - part.first, min(size, part.end - place))
                if now is not None and place >= now.floor:
                    data = self._read(self._path, now.inode, False, place - now.base, size)
                    if self._present() == now:
                        return data
            except (FileNotFoundError, EOFError):
                pass
            self._parts = parts(self._path)  # it was rotated, compressed or deleted meanwhile
        return b""

    def _read(self, path: str, inode: int, packed: bool, at: int, size: int) -> bytes:
        if self._open is None or self._open[:2] != (path, inode):
            self.close()
            file = _open(path, packed)
            self._open = path, inode, file
            if inode and os.fstat(file.fileno()).st_ino != inode:
                self.close()
                raise FileNotFoundError(path)
        file = self._open[2]
        file.seek(at)
        return file.read(size)

    def close(self) -> None:
        """It is read no more."""
        if self._open is not None:
            self._open[2].close()
            self._open = None


def _open(path: str, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else open(path, "rb", buffering=0)
