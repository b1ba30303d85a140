"""Ready when a line of its output matches."""

from __future__ import annotations

import re

from ...aio.wake import Wake
from ...core.specs import ReadyLog
from ..output.output import Output

__all__ = ["says"]


async def says(spec: ReadyLog, output: Output, since: int) -> None:
    """Return when a line behind the offset `since` matches; a line that is not ended yet counts too."""
    pattern = re.compile(spec.pattern)
    wake = Wake()
    output.follow(wake)
    begun = {0: b"", 1: b""}
    place = since
    try:
        while True:
            chunks, place, _ = output.ring.take(place, 1 << 16)
            for chunk in chunks:
                *lines, begun[chunk.stream] = (begun[chunk.stream] + chunk.data).split(b"\n")
                begun[chunk.stream] = begun[chunk.stream][-65536:]
                if any(pattern.search(line.decode(errors="replace")) for line in (*lines, begun[chunk.stream])):
                    return
            if not chunks:
                await wake.wait()
    finally:
        output.unfollow(wake)
