"""Chunks of output into lines, for whoever reads lines. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ..core.messages import LogChunk, Lost

__all__ = ["Line", "Lines"]

LONGEST = 1 << 20
"""Characters after which a line is given out although its end has not come."""


@frozen(kw_only=True)
class Line:
    """One line of output, or a gap in it.

    Attributes:
        time: When its end was read, seconds since the epoch.
        stream: stdout or stderr; ``gap`` where output was lost.
        text: Without its line break.
        name: The process's slot.
        uuid: The process.
        hostname: Its host.
        cursor: The place behind it, to go on from with ``since``.
        lost: Bytes that were lost here, 0 for an ordinary line; -1: an unknown number.
        approximate: Whether the time is: no agent watched when it was written.
    """

    time: float
    stream: str
    text: str
    name: str = ""
    uuid: str = ""
    hostname: str = ""
    cursor: str = ""
    lost: int = 0
    approximate: bool = False


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
            yield Line(time=self._last, stream=stream, text=text, name=name, uuid=uuid, cursor=self.cursor)
        self._begun.clear()

    def take(self, item: LogChunk | Lost) -> Iterator[Line]:
        """The lines that this completes."""
        if isinstance(item, Lost):
            text = "output was lost here" if item.count is None else f"{item.count} bytes of output were lost here"
            lost = -1 if item.count is None else item.count
            uuid = item.next.split(".")[1] if "." in item.next else ""
            for place in [place for place in self._begun if place[0] == uuid]:  # what was begun is not gone on with
                yield Line(time=self._last, stream=place[1], text=self._begun.pop(place), uuid=uuid, cursor=self.cursor)
            yield Line(time=self._last, stream="gap", text=text, cursor=item.next, lost=lost)
            return
        place = item.uuid, item.stream
        if item.text:
            self._last = item.time
        self._names[item.uuid] = item.name
        *whole, rest = (self._begun.pop(place, "") + item.text).split("\n")
        behind = _places(item)
        if len(rest) > LONGEST:
            whole.append(rest)
            rest = ""
        if rest:
            self._begun[place] = rest
        for text in whole:
            self._cursors[item.uuid] = next(behind, item.cursor)
            yield Line(
                time=item.time,
                stream=item.stream,
                text=text.removesuffix("\r"),
                name=item.name,
                uuid=item.uuid,
                hostname=item.hostname,
                cursor=self.cursor,
                approximate=item.approximate,
            )
        self._cursors[item.uuid] = item.cursor


def _places(item: LogChunk) -> Iterator[str]:
    """The cursor behind each line that ends in a piece.

    It is counted back from the end. Where bytes were replaced that were no text, they cannot be counted: then all
    lines have the cursor of the end.
    """
    head, dot, offset = item.cursor.rpartition(".")
    if not (dot and offset.isdecimal()) or "\ufffd" in item.text:
        return
    left = len(item.text.encode())
    place = int(offset)
    for line in item.text.split("\n")[:-1]:
        left -= len(line.encode()) + 1
        yield f"{head}.{place - left}"
