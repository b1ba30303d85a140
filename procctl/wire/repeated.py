"""Requests that come again and again and differ in nothing but their number, as from whoever watches: read once.
Of many that do not come again, the last are remembered.

What follows the number is compared byte for byte, so a frame that is taken here is what reading it would give.
"""

from __future__ import annotations

from typing import Any

from .envelope import Envelope

__all__ = ["Repeated"]

_HEADS = (b'{"id":', b'{"id": ')
_LONGEST = 512
_MOST = 64
_DIGITS = 15


class Repeated:
    """Those of one link, a bounded number of them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Any, Envelope]] = {}

    def get(self, frame: bytes) -> tuple[int, Any, Envelope] | None:
        """The number of a request, the request, and what surrounded it when it came first; None: it is another."""
        if not self._known:
            return None
        split = _split(frame)
        known = None if split is None else self._known.get(split[1])
        return None if split is None or known is None else (split[0], *known)

    def put(self, frame: bytes, request: Any, envelope: Envelope) -> None:
        """It was read. One with a key does not come again over the same link."""
        split = None if envelope.key else _split(frame)
        if split is not None:
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[split[1]] = request, envelope


def _split(frame: bytes) -> tuple[int, bytes] | None:
    """The number in front, and the rest of a frame."""
    if len(frame) > _LONGEST or not frame.startswith(_HEADS[0]):
        return None
    start = len(_HEADS[1] if frame.startswith(_HEADS[1]) else _HEADS[0])
    end = frame.find(b",", start)
    digits = frame[start:end]
    if end < 0 or not digits.isdigit() or len(digits) > _DIGITS or (digits[:1] == b"0" and len(digits) > 1):
        return None
    return int(digits), frame[end:]
