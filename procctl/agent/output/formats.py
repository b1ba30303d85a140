"""How output stands in a file for people and programs: a line each, with its time and stream. Raw files need nothing
of this: they get the bytes as they came."""

from __future__ import annotations

from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted

from .ring import STREAMS

__all__ = ["Lined", "gap_text"]

_LONGEST = 1 << 20
"""Bytes after which a line is written although its end has not come."""


class Lined:
    """Puts lines together and writes out whole ones.

    Args:
        name: Of the process.
        json: One JSON object a line; else text behind time and stream.
    """

    def __init__(self, name: str, json: bool) -> None:
        self._name = name
        self._json = json
        self._begun = [b"", b""]

    def lines(self, stream: int, data: bytes, time: float) -> bytes:
        """What is to be written when this has come."""
        *whole, rest = (self._begun[stream] + data).split(b"\n")
        if len(rest) > _LONGEST:
            whole.append(rest)
            rest = b""
        self._begun[stream] = rest
        return self._lines(STREAMS[stream], whole, time)

    def rest(self, stream: int, time: float) -> bytes:
        """The run has ended: a line that was begun ends too."""
        begun, self._begun[stream] = self._begun[stream], b""
        return self._lines(STREAMS[stream], [begun], time) if begun else b""

    def gap(self, lost: int, time: float) -> bytes:
        """A line that says what could not be written."""
        return self._lines("gap", [gap_text(lost).encode()], time, f', "lost": {lost}')

    def _lines(self, stream: str, lines: list[bytes], time: float, more: str = "") -> bytes:
        """What all lines of a piece have in common is made once."""
        stamp = datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        if not self._json:
            head = f"{stamp} {stream} ".encode()
            return b"".join(b"%s%s\n" % (head, line.removesuffix(b"\r")) for line in lines)
        start = f'{{"time": "{stamp}", "stream": "{stream}", "name": {quoted(self._name)}, "text": '
        texts = (quoted(line.removesuffix(b"\r").decode(errors="replace")) for line in lines)
        return "".join(f"{start}{text}{more}}}\n" for text in texts).encode()


def gap_text(lost: int) -> str:
    """What stands in a file in place of what could not be written."""
    return f"{lost} bytes of output could not be written here"
