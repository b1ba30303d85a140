"""Bytes as AMQP 0-9-1 frames, and frames as messages. No I/O.

Frames are coded by pamqp; here is only what goes around them: where one ends (AMQP 0-9-1, 2.3.5), and which of them
make up a message (4.2.6).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import define, frozen
from pamqp import base, body, commands, frame, header, heartbeat
from pamqp.exceptions import PAMQPException

__all__ = ["BEAT", "CHANNEL", "Got", "Malformed", "Message", "Reader", "content", "method"]

CHANNEL = 1
"""The channel that everything goes over."""
BEAT = heartbeat.Heartbeat().marshal()
_END = 0xCE
_EXTRA = 8
"""Bytes of a frame around its payload."""


class Malformed(Exception):
    """What came is not AMQP."""


@frozen
class Message:
    """One that was delivered, or came back. `body` is None where it is larger than what is taken."""

    method: commands.Basic.Deliver | commands.Basic.Return
    properties: commands.Basic.Properties
    size: int
    body: bytes | None


Got = base.Frame | Message | None
"""A method, a message, or a sign of life."""


@define
class _Open:
    method: commands.Basic.Deliver | commands.Basic.Return
    header: header.ContentHeader | None = None
    have: int = 0
    parts: list[bytes] | None = None


class Reader:
    """Takes bytes as they come, gives what is whole.

    Args:
        max_body: Bytes of the largest message whose body is kept.

    Attributes:
        max_frame: Bytes of the longest frame, as negotiated.
    """

    def __init__(self, max_body: int) -> None:
        self.max_frame = 1 << 17
        self._max_body = max_body
        self._buffer = bytearray()
        self._open: _Open | None = None

    def feed(self, data: bytes) -> Iterator[Got]:
        """More bytes. Raises `Malformed`."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= _EXTRA:
                if self._buffer[start : start + 4] == b"AMQP":
                    raise Malformed("the broker speaks another version of AMQP")
                size = struct.unpack_from(">I", self._buffer, start + 3)[0]
                if size + _EXTRA > self.max_frame:
                    raise Malformed(f"a frame of {size} bytes, and {self.max_frame} were agreed")
                end = start + size + _EXTRA
                if len(self._buffer) < end:
                    break
                whole = bytes(self._buffer[start:end])
                start = end
                yield from self._whole(whole)
        finally:
            del self._buffer[:start]

    def _whole(self, data: bytes) -> Iterator[Got]:
        if data[-1] != _END:
            raise Malformed("a frame without its end")
        if data[0] == 8:
            yield None
            return
        try:
            _, _, got = frame.unmarshal(data)
        except (PAMQPException, ValueError, struct.error, LookupError) as error:
            raise Malformed(f"a frame that cannot be read: {error}") from None
        match got:
            case commands.Basic.Deliver() | commands.Basic.Return():
                self._open = _Open(got)
            case header.ContentHeader() if self._open is not None:
                self._open.header = got
                self._open.parts = [] if got.body_size <= self._max_body else None
                yield from self._complete(self._open)
            case body.ContentBody() if self._open is not None and self._open.header is not None:
                self._open.have += len(got.value or b"")
                if self._open.parts is not None:
                    self._open.parts.append(got.value or b"")
                yield from self._complete(self._open)
            case base.Frame():
                yield got
            case _:
                raise Malformed("a part of a message that was not begun")

    def _complete(self, message: _Open) -> Iterator[Message]:
        assert message.header is not None
        size = message.header.body_size
        if message.have > size:
            raise Malformed(f"a message of {size} bytes has more than that")
        if message.have == size:
            self._open = None
            whole = None if message.parts is None else b"".join(message.parts)
            yield Message(message.method, message.header.properties, size, whole)


def method(what: base.Frame, channel: int = CHANNEL) -> bytes:
    """A method as bytes."""
    return frame.marshal(what, channel)


def content(
    publish: commands.Basic.Publish, properties: commands.Basic.Properties, data: bytes, max_frame: int
) -> bytes:
    """A message as bytes: method, header and as many frames of the body as it takes."""
    parts = [
        frame.marshal(publish, CHANNEL),
        frame.marshal(header.ContentHeader(0, len(data), properties), CHANNEL),
    ]
    step = max_frame - _EXTRA
    parts += [frame.marshal(body.ContentBody(data[i : i + step]), CHANNEL) for i in range(0, len(data), step)]
    return b"".join(parts)
