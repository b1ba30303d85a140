"""Lines out of chunks, each with a cursor behind which nothing is missed and nothing comes twice. No I/O.

A chunk has one cursor and several lines, and its last line may end in another chunk. So a cursor here is the service's
last one at which no line was open, with the number of lines of stdout and stderr that were given since:
``epoch.uuid.4711~2.0``; one for each process, separated by commas.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from ...core.messages import LogChunk, Lost
from ...errors import BadMessage
from ...service.lines import LONGEST, Line, Lines

__all__ = ["Places", "resumed"]

_STREAMS = ("stdout", "stderr")
_UNSURE = "\ufffd"


@define
class _Place:
    """Where one process's output is."""

    clean: str  # the cursor at which no line was open
    given: list[int] = field(factory=lambda: [0, 0])
    open: dict[str, int] = field(factory=dict)  # by stream: characters of the line whose end has not come
    begun: tuple[str, str, int, int] | None = None  # by the last chunk: stream, prefix, where, and its own end

    @property
    def cursor(self) -> str:
        return f"{self.clean}~{self.given[0]}.{self.given[1]}" if any(self.given) else self.clean


class Places:
    """Args: skip: Lines of each process and stream that the reader has already."""

    def __init__(self, skip: dict[str, list[int]] | None = None) -> None:
        self._lines = Lines()
        self._places: dict[str, _Place] = {}
        self._skip = skip or {}

    @property
    def cursor(self) -> str:
        """Behind all that was given."""
        return ",".join(place.cursor for place in self._places.values())

    def take(self, item: LogChunk | Lost) -> Iterator[tuple[Line, str]]:
        """The lines that this completes."""
        if isinstance(item, Lost):
            yield from self._lost(item)
            return
        place = self._places.get(item.uuid)
        if place is None:
            place = self._places[item.uuid] = _Place(_start(item))
        if self._is_sure(item, place):
            assert place.begun is not None
            place.clean, place.given = f"{place.begun[1]}.{place.begun[2]}", [0, 0]
        self._open(item, place)
        found = list(self._lines.take(item))
        for i, line in enumerate(found):
            place.given[_STREAMS.index(item.stream)] += 1
            if i == len(found) - 1 and not place.open:
                place.clean, place.given = item.cursor, [0, 0]
            if not self._skipped(item.uuid, item.stream):
                yield line, self.cursor

    def rest(self) -> Iterator[tuple[Line, str]]:
        """Lines that were begun and whose end has not come: the stream has ended."""
        for line in self._lines.rest():
            yield line, self.cursor

    def _lost(self, item: Lost) -> Iterator[tuple[Line, str]]:
        uuid = item.next.split(".")[1] if item.next.count(".") >= 2 else ""
        self._skip.pop(uuid, None)
        for line in self._lines.take(item):
            if line.lost:
                self._places[uuid] = _Place(item.next)
            yield line, self.cursor

    def _skipped(self, uuid: str, stream: str) -> bool:
        left = self._skip.get(uuid, [0, 0])
        at = _STREAMS.index(stream)
        if left[at] > 0:
            left[at] -= 1
            return True
        return False

    def _open(self, item: LogChunk, place: _Place) -> None:
        """Note the line that this chunk leaves open."""
        _, newline, tail = item.text.rpartition("\n")
        before = 0 if newline else place.open.pop(item.stream, 0)
        length = before + len(tail)
        place.open.pop(item.stream, None)
        if 0 < length <= LONGEST:  # a longer one is given out as it is
            place.open[item.stream] = length
        prefix, offset = _split(item.cursor)
        place.begun = None
        if tail and not before and offset is not None and _UNSURE not in tail:
            place.begun = item.stream, prefix, offset - len(tail.encode()), offset

    def _is_sure(self, item: LogChunk, place: _Place) -> bool:
        """Whether the open line begins where it was taken to: it does, if this chunk goes on exactly where the last
        one ended. So a long output of chunks that end within a line moves on too."""
        prefix, offset = _split(item.cursor)
        if place.begun is None or len(place.open) != 1 or offset is None or _UNSURE in item.text:
            return False
        return (item.stream, prefix, offset - len(item.text.encode())) == (*place.begun[:2], place.begun[3])


def _split(cursor: str) -> tuple[str, int | None]:
    prefix, _, offset = cursor.rpartition(".")
    return prefix, int(offset) if offset.isdecimal() else None


def _start(item: LogChunk) -> str:
    """The cursor before the first chunk of a process."""
    prefix, offset = _split(item.cursor)
    if offset is None:
        return item.cursor
    return f"{prefix}.{max(0, offset - len(item.text.encode()))}"


def resumed(since: str) -> tuple[str, dict[str, list[int]]]:
    """A cursor of `Places` as one of the service, and how many lines behind it the reader has.

    Raises:
        BadMessage: It is none.
    """
    cursors: list[str] = []
    skip: dict[str, list[int]] = {}
    for part in since.split(",") if since else ():
        cursor, tilde, counts = part.partition("~")
        numbers = counts.split(".")
        if tilde and not (len(numbers) == 2 and all(n.isascii() and n.isdecimal() for n in numbers)):
            raise BadMessage(f"{part[:60]!r} is no cursor of output", "?since")
        if tilde and cursor.count(".") >= 2:
            skip[cursor.split(".")[1]] = [int(n) for n in numbers]
        cursors.append(cursor)
    return ",".join(cursors), skip
