"""The last bytes that a process wrote, by offset. Readers are synchronous and own their place; nobody waits for them.

An offset counts every byte since the process was added, of both streams in the order in which they were read. A chunk
is what one read gave; its time is that of the read.
"""

from __future__ import annotations

from collections import deque

from attrs import frozen

__all__ = ["STREAMS", "Chunk", "Ring"]

STREAMS = ("stdout", "stderr")
_OVERHEAD = 128
"""Bytes that a chunk costs beside its data, so that many small ones are bounded too."""
_JOIN = 2048
"""A chunk shorter than this is joined with the next of its stream, if that came in the same moment."""
_MOMENT = 0.02
_ENDS = 64
"""Ends of runs that are remembered."""


@frozen
class Chunk:
    """What one read gave. `approximate`: nobody watched when it came; the time is that of the file's last change."""

    offset: int
    time: float
    stream: int
    data: bytes
    approximate: bool = False

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + len(self.data)


class Ring:
    """Args: size: How many bytes are kept. start: The offset of the first."""

    __slots__ = ("_chunks", "_cost", "_sealed", "end", "ends", "size", "start")

    def __init__(self, size: int, start: int = 0) -> None:
        self.start = start
        self.end = start
        self.ends: tuple[int, ...] = ()
        """Offsets at which runs have ended: a line that was begun there is not gone on with by the next run."""
        self._sealed = False
        self.size = size
        self._cost = 0
        self._chunks: deque[Chunk] | tuple[Chunk, ...] = ()
        """A deque from the first on: most programs never say anything, and an empty one is 700 bytes."""

    def write(self, stream: int, data: bytes, time: float, approximate: bool = False) -> None:
        """Append what was read."""
        if isinstance(self._chunks, tuple):
            self._chunks = deque()
        last = self._chunks[-1] if self._chunks else None
        if (
            last is not None
            and not self._sealed
            and last.stream == stream
            and last.approximate == approximate
            and 0 < len(last.data) < _JOIN
            and len(data) < _JOIN
            and time - last.time < _MOMENT
        ):
            self._chunks[-1] = Chunk(last.offset, last.time, stream, last.data + data, approximate)
            self._cost += len(data)
        else:
            self._chunks.append(Chunk(self.end, time, stream, data, approximate))
            self._cost += len(data) + _OVERHEAD
        self._sealed = False
        self.end += len(data)
        while self._cost > self.size and len(self._chunks) > 1:
            old = self._chunks.popleft()
            self._cost -= len(old.data) + _OVERHEAD
        self.start = self._chunks[0].offset

    def mark_end(self, place: int | None = None) -> None:
        """A run has ended here, or at this place before."""
        self._sealed = True
        place = self.end if place is None else place
        if not self.ends or self.ends[-1] != place:
            self.ends = (*self.ends[1 - _ENDS :], place)

    def take(self, place: int, most: int) -> tuple[list[Chunk], int, int]:
        """What is behind a place.

        Args:
            place: An offset.
            most: Bytes after which it is enough; the chunk that passes it is still given.

        Returns:
            Chunks (the first may be the rest of one), the place behind them, and how many bytes before them are lost.
        """
        lost = max(0, self.start - place)
        place = max(place, self.start)
        out: list[Chunk] = []
        size = 0
        for chunk in self._from(place):
            if chunk.offset < place:
                rest = chunk.data[place - chunk.offset :]
                chunk = Chunk(place, chunk.time, chunk.stream, rest, chunk.approximate)
            out.append(chunk)
            size += len(chunk.data)
            if size >= most:
                break
        return out, out[-1].end if out else place, lost

    def _from(self, place: int) -> list[Chunk]:
        """The chunks that reach beyond a place, found from the end: readers are mostly near it."""
        out: list[Chunk] = []
        for chunk in reversed(self._chunks):
            if chunk.end <= place:
                break
            out.append(chunk)
        out.reverse()
        return out

    def tail(self, lines: int) -> int:
        """The place so many lines before the end, counting both streams."""
        if lines <= 0:
            return self.end
        wanted = lines
        for chunk in reversed(self._chunks):
            at = len(chunk.data)
            if chunk.end == self.end and chunk.data.endswith(b"\n"):
                at -= 1  # the break that ends the last line begins no other
            while wanted:
                at = chunk.data.rfind(b"\n", 0, at)
                if at < 0:
                    break
                wanted -= 1
                if not wanted:
                    return chunk.offset + at + 1
        return self.start

    def at_time(self, time: float) -> int:
        """The place of the first chunk that came then or later."""
        for chunk in self._chunks:
            if chunk.time >= time:
                return chunk.offset
        return self.end

    def last_lines(self, lines: int, since: int = 0, longest: int = 500) -> tuple[str, ...]:
        """The last lines behind an offset as texts, cut to `longest` characters."""
        chunks, _, _ = self.take(max(since, self.tail(lines)), self.size)
        text = b"".join(chunk.data for chunk in chunks).decode(errors="replace")
        return tuple(line[:longest] for line in text.splitlines()[-lines:])
