"""Output that is not in memory any more, read from the files. Blocks; for a worker thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

from .index import APPROXIMATE, BASE, END, GAP, Records
from .parts import PartsReader, Present
from .ring import Chunk

__all__ = ["Past"]


class Past:
    """What the index and the files of a process tell, for one reader. Close it in the end.

    Args:
        index: Path of the index.
        paths: Of the files of stdout and stderr; may be the same.
        present: Tells how the file of a stream is now.
    """

    def __init__(self, index: str, paths: Sequence[str], present: Callable[[int], Present | None]) -> None:
        self._index = index
        first = PartsReader(paths[0], lambda: present(0))
        self._files = [first, first if paths[1] == paths[0] else PartsReader(paths[1], lambda: present(1))]

    def take(self, place: int, most: int, end: int) -> tuple[list[Chunk], int, int, list[int]]:
        """What is behind a place.

        Args:
            place: An offset.
            most: Bytes after which it is enough.
            end: The offset at which something else goes on.

        Returns:
            Chunks, the place behind them, how many bytes before them are lost, and the offsets at which runs ended.
        """
        out: list[Chunk] = []
        ends: list[int] = []
        lost = size = 0
        with self._records() as records:
            for entry in records.forward(records.at_offset(place - 1)) if records is not None else ():
                if entry.offset >= end or size >= most:
                    break
                if entry.flags & END and entry.offset >= place:
                    ends.append(entry.offset)
                if entry.end <= place:
                    continue
                while place < min(entry.end, end) and size < most:
                    data = b""
                    if not entry.flags & (GAP | BASE) and place >= entry.offset:
                        skipped = place - entry.offset
                        length = min(entry.end - place, end - place, most - size)
                        data = self._files[entry.stream].read(entry.at + skipped, length)
                    if not data and out:
                        return out, place, lost, ends
                    if data:
                        approximate = bool(entry.flags & APPROXIMATE)
                        out.append(Chunk(place, entry.time, entry.stream, data, approximate))
                        place += len(data)
                        size += len(data)
                    else:
                        beyond = min(entry.end if place >= entry.offset else entry.offset, end)
                        lost += beyond - place
                        place = beyond
        if not out and place < end:
            lost += end - place
            place = end
        return out, place, lost, ends

    def at_time(self, time: float, end: int) -> int:
        """The place of the first byte that came then or later, at most `end`."""
        with self._records() as records:
            if records is None:
                return end
            number = records.at_time(time)
            return min(end, records.get(number).offset) if number < records.count else end

    @contextlib.contextmanager
    def _records(self) -> Iterator[Records | None]:
        try:
            fd = os.open(self._index, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield None
            return
        try:
            yield Records(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """It is read no more."""
        for file in self._files:
            file.close()
