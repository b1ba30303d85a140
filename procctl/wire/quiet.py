"""The frame that comes most often, read without a JSON parser: the heartbeat of an agent of ours that has nothing new.

A controller of many agents does little else. Everything that does not look exactly like that is read in the usual way,
with the same result.
"""

from __future__ import annotations

import re

from ..core.messages import Heartbeat

__all__ = ["quiet"]

_NUMBER = rb"(0|[1-9][0-9]{0,14})"
_FRAME = re.compile(
    rb'\{"id":%b(?:,"by":"([ !#-\[\]-~]+)")?,"command":"heartbeat","beat":%b,"digest":"([0-9a-f]{16})"\}'
    % (_NUMBER, _NUMBER)
)


def quiet(frame: bytes) -> tuple[int, str, Heartbeat] | None:
    """Its number, on whose behalf, and what it says; None: it is another frame."""
    found = _FRAME.fullmatch(frame)
    if found is None:
        return None
    number, by, beat, digest = found.groups()
    return int(number), "" if by is None else by.decode(), Heartbeat(beat=int(beat), digest=digest.decode())
