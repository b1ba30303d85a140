"""Where a reader is in one process's output: pieces as text, lines kept whole over runs, lines that match."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections import deque
from typing import Any

from ...aio.thread import in_thread
from ...core.messages import LogChunk, Logs, Lost
from ...core.pattern import Pattern
from ...core.process import Process
from .output import Output
from .past import Past
from .ring import STREAMS, Chunk

__all__ = ["Place", "Timed"]

_DECODER = getincrementaldecoder("utf-8")
_LONGEST = 1 << 20
"""Characters after which a line is looked at although its end has not come."""

Timed = tuple[float, LogChunk | Lost]


class Place:
    """One process for one reader.

    Args:
        process, output: Whose output, and the output.
        hostname: Of this host.
        offset: Where to begin.
        request: What is asked.
        pattern: The request's, made ready.
    """

    def __init__(
        self, process: Process, output: Output, hostname: str, offset: int, request: Logs, pattern: Pattern | None
    ) -> None:
        self.output = output
        self.offset = offset
        self.seek = 0.0
        """The time at which to begin, where that is before what is in memory."""
        self.pending: deque[Timed] = deque()
        """What is read and not given yet."""
        self._process = process
        self._hostname = hostname
        self._wanted = STREAMS.index(request.stream) if request.stream else None
        self._after = request.after
        self._pattern = pattern
        self._past: Past | None = None
        self._ended = offset  # the last end of a run that was taken into account
        self._decoders: list[Any] = [_DECODER("replace"), _DECODER("replace")]
        self._begun = ["", ""]
        self._last = 0.0

    def begin(self, offset: int) -> None:
        """Begin there."""
        self.offset = self._ended = offset

    def cursor(self, offset: int) -> str:
        """The cursor of an offset."""
        return f"{self.output.epoch}.{self._process.uuid}.{offset}"

    def chunk(self, time: float, stream: int, text: str, offset: int, approximate: bool = False) -> LogChunk:
        """A piece that ends at an offset."""
        return LogChunk(
            uuid=self._process.uuid,
            name=self._process.name,
            hostname=self._hostname,
            stream=STREAMS[stream],
            time=time,
            text=text,
            cursor=self.cursor(offset),
            approximate=approximate,
        )

    async def read(self, most: int) -> None:
        """Put what comes next into `pending`; where that stays empty, there is no more at present."""
        ring = self.output.ring
        while not self.pending:
            before = self.offset
            if before < ring.start or self.seek:
                self._past = self._past or self.output.past()
            if self.seek:
                past, seek, self.seek = self._past, self.seek, 0.0
                if past is not None:
                    self.offset = await in_thread(past.at_time, seek, ring.start)
                    self._ended = self.offset
                continue
            if before < ring.start and self._past is not None:
                chunks, self.offset, lost, ends = await in_thread(self._past.take, before, most, ring.start)
            else:
                chunks, self.offset, lost = ring.take(before, most)
                ends = [end for end in ring.ends if before <= end <= self.offset]
            if not chunks and not lost and not any(end > self._ended for end in ends):
                return
            await self._advance(chunks, before, lost, ends)

    async def _advance(self, chunks: list[Chunk], before: int, lost: int, ends: list[int]) -> None:
        if self._pattern is not None:  # what costs is not done on the loop
            await in_thread(self._take, chunks, before, lost, ends)
        else:
            self._take(chunks, before, lost, ends)

    def _take(self, chunks: list[Chunk], before: int, lost: int, ends: list[int]) -> None:
        if lost:
            first, next_ = self.cursor(before), self.cursor(before + lost)
            time = chunks[0].time if chunks else self._last
            self.pending.append((time, Lost(count=lost, first=first, next=next_)))
            self._begun = ["", ""]
            self._decoders = [_DECODER("replace"), _DECODER("replace")]
        ends = [end for end in ends if end > self._ended]
        for chunk in chunks:
            while ends and ends[0] <= chunk.offset:
                self._finish(ends.pop(0))
            self._put(chunk)
        for end in ends:
            self._finish(end)

    def _put(self, chunk: Chunk) -> None:
        stream = chunk.stream
        if (self._wanted is not None and stream != self._wanted) or chunk.time < self._after:
            return
        self._last = chunk.time
        decoder = self._decoders[stream]
        text = decoder.decode(chunk.data)
        if not text:
            return
        end = chunk.end - len(decoder.getstate()[0])  # whoever goes on there sees the character whole
        if self._pattern is None:
            self._begun[stream] = "" if text.endswith("\n") else "…"
        else:
            text, rest = self._matching(stream, text)
            if not text:
                return
            end = max(chunk.offset, end - rest)
        self.pending.append((chunk.time, self.chunk(chunk.time, stream, text, end, chunk.approximate)))

    def _matching(self, stream: int, text: str) -> tuple[str, int]:
        """Whole lines in which the pattern is found, and how many bytes of a begun one are behind them."""
        *whole, rest = (self._begun[stream] + text).split("\n")
        if len(rest) > _LONGEST:
            whole.append(rest)
            rest = ""
        self._begun[stream] = rest
        found = [line for line in whole if self._fits(line)]
        return "".join(f"{line}\n" for line in found), len(rest.encode())

    def _fits(self, line: str) -> bool:
        return self._pattern is None or self._pattern.found_in(line.removesuffix("\r"))

    def _finish(self, end: int) -> None:
        """End the lines that a run has begun and not ended."""
        self._ended = end
        for stream in (0, 1):
            text = self._decoders[stream].decode(b"", True)
            begun, self._begun[stream] = self._begun[stream], ""
            if self._pattern is not None:
                text = begun + text
                if text and self._fits(text):
                    self.pending.append((self._last, self.chunk(self._last, stream, text + "\n", end)))
            elif text or begun:
                self.pending.append((self._last, self.chunk(self._last, stream, text + "\n", end)))

    def rest(self) -> list[Timed]:
        """Lines that were begun, where nothing more is waited for; without a pattern they were given already."""
        if self._pattern is None:
            return []
        found = [(stream, text) for stream, text in enumerate(self._begun) if text and self._fits(text)]
        return [(self._last, self.chunk(self._last, stream, text, self.offset)) for stream, text in found]

    def close(self) -> None:
        """It is read no more."""
        if self._past is not None:
            self._past.close()
            self._past = None
