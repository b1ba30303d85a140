"""Frames in a stream of bytes: one per line."""

from __future__ import annotations

from ..errors import BadMessage

__all__ = ["MAX_ANSWER", "MAX_FRAME", "Lines"]

MAX_FRAME = 1 << 20
"""Bytes of a frame that a listener takes, unless ``?max_frame=`` says otherwise."""
MAX_ANSWER = 256 << 20
"""Bytes of a frame that a client takes from the listener that it chose to connect to."""


class Lines:
    """Takes bytes as they come and gives frames. No I/O.

    Args:
        max_frame: Bytes of the longest frame; of a longer one nothing is kept.
    """

    def __init__(self, max_frame: int) -> None:
        self._max_frame = max_frame
        self._buffer = bytearray()
        self._searched = 0
        self._skipping = False

    @property
    def within(self) -> bool:
        """Whether the last bytes were in the middle of a frame."""
        return bool(self._buffer) or self._skipping

    def feed(self, data: bytes) -> None:
        """More has come."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next frame; None: it is not whole yet.

        Raises:
            BadMessage: It was too long; those behind it are to be had.
        """
        end = self._buffer.find(b"\n", self._searched)
        if end >= 0:
            frame = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._searched = 0
            if self._skipping or len(frame) > self._max_frame:
                self._skipping = False
                raise BadMessage(f"a frame of more than {self._max_frame} bytes")
            return frame
        self._searched = len(self._buffer)
        if self._searched > self._max_frame:
            self._skipping = True
            self._buffer.clear()
            self._searched = 0
        return None
