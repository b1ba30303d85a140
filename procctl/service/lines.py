"""Chunks of output into lines, for whoever reads lines. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.messages import LogChunk, Lost

__all__ = ["Line", "Lines"]

LONGEST = 1 << 20
"""Characters after which a line is given out although its end has not come."""


class _Piece:
    """What the lines of one chunk have in common; where each of them ends is found out when somebody asks."""

    __slots__ = ("_cursors", "_item", "_places", "approximate", "hostname", "lost", "name", "stream", "time", "uuid")

    def __init__(
        self,
        cursors: dict[str, str],
        time: float,
        stream: str,
        *,
        name: str = "",
        uuid: str = "",
        lost: int = 0,
        item: LogChunk | None = None,
    ) -> None:
        self.time = time
        self.stream = stream
        self.name = name
        self.uuid = uuid
        self.hostname = "" if item is None else item.hostname
        self.lost = lost
        self.approximate = item is not None and item.approximate
        self._cursors = cursors
        self._item = item
        self._places: list[str] | None = None

    def cursor(self, number: int) -> str:
        """The place behind the line of this number, of every process."""
        if self._item is None:
            return ",".join(self._cursors.values())
        if self._places is None:
            self._places = _places(self._item)
        own = self._places[number] if number < len(self._places) else self._item.cursor
        return ",".join({**self._cursors, self.uuid: own}.values())


class Line:
    """One line of output, or a gap in it.

    Attributes:
        text: Without its line break.
    """

    __slots__ = ("_number", "_piece", "text")

    def __init__(self, text: str, piece: _Piece, number: int = 0) -> None:
        self.text = text
        self._piece = piece
        self._number = number

    @property
    def time(self) -> float:
        """When its end was read, seconds since the epoch."""
        return self._piece.time

    @property
    def stream(self) -> str:
        """stdout or stderr; ``gap`` where output was lost."""
        return self._piece.stream

    @property
    def name(self) -> str:
        """The process's slot."""
        return self._piece.name

    @property
    def uuid(self) -> str:
        """The process."""
        return self._piece.uuid

    @property
    def hostname(self) -> str:
        """Its host."""
        return self._piece.hostname

    @property
    def cursor(self) -> str:
        """The place behind it, to go on from with ``since``."""
        return self._piece.cursor(self._number)

    @property
    def lost(self) -> int:
        """Bytes that were lost here, 0 for an ordinary line; -1: an unknown number."""
        return self._piece.lost

    @property
    def approximate(self) -> bool:
        """Whether the time is: no agent watched when it was written."""
        return self._piece.approximate

    def __repr__(self) -> str:
        return f"<Line {self.name} {self.stream} {self.text!r}>"


class Lines:
    """Puts lines together, for each process and stream by itself."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], str] = {}
        self._cursors: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._last = 0.0

    @property
    def cursor(self) -> str:
        """The place behind all that was taken, of every process."""
        return ",".join(self._cursors.values())

    def rest(self) -> Iterator[Line]:
        """Lines that were begun and whose end has not come: the stream has ended."""
        for (uuid, stream), text in self._begun.items():
            name = self._names.get(uuid, "")
            yield Line(text, _Piece(dict(self._cursors), self._last, stream, name=name, uuid=uuid))
        self._begun.clear()

    def take(self, item: LogChunk | Lost) -> Iterator[Line]:
        """The lines that this completes."""
        if isinstance(item, Lost):
            yield from self._gap(item)
            return
        place = item.uuid, item.stream
        if item.text:
            self._last = item.time
        self._names[item.uuid] = item.name
        *whole, rest = (self._begun.pop(place, "") + item.text).split("\n")
        if len(rest) > LONGEST:
            whole.append(rest)
            rest = ""
        if rest:
            self._begun[place] = rest
        if "\r" in item.text or (whole and whole[0].endswith("\r")):
            whole = [text.removesuffix("\r") for text in whole]
        self._cursors[item.uuid] = item.cursor
        piece = _Piece(dict(self._cursors), item.time, item.stream, name=item.name, uuid=item.uuid, item=item)
        for number, text in enumerate(whole):
            yield Line(text, piece, number)

    def _gap(self, item: Lost) -> Iterator[Line]:
        text = "output was lost here" if item.count is None else f"{item.count} bytes of output were lost here"
        lost = -1 if item.count is None else item.count
        uuid = item.next.split(".")[1] if "." in item.next else ""
        for place in [place for place in self._begun if place[0] == uuid]:  # what was begun is not gone on with
            yield Line(self._begun.pop(place), _Piece(dict(self._cursors), self._last, place[1], uuid=uuid))
        yield Line(text, _Piece({uuid: item.next}, self._last, "gap", lost=lost))


def _places(item: LogChunk) -> list[str]:
    """The cursor behind each line that ends in a piece.

    It is counted back from the end. Where bytes were replaced that were no text, they cannot be counted: then all
    lines have the cursor of the end.
    """
    head, dot, offset = item.cursor.rpartition(".")
    if not (dot and offset.isdecimal()) or "\ufffd" in item.text:
        return []
    place = int(offset) - len(item.text.encode())
    places = []
    for line in item.text.split("\n")[:-1]:
        place += len(line.encode()) + 1
        places.append(f"{head}.{place}")
    return places
