"""A stream of output for one reader: several processes merged in the order of time, gaps shown, lines kept whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from heapq import heapify, heappop, heapreplace

from ...aio.wake import Wake
from ...core.messages import LogChunk, Logs, Lost
from ...core.pattern import Pattern, Unusable
from ...core.process import Process
from ...errors import Refused
from .output import Output
from .place import Place, Timed

__all__ = ["Reader", "start_places"]

_TAKE = 1 << 16
_TAKE_ALL = 1 << 22
"""Bytes that are read ahead of one process, and of all."""


class Reader:
    """A stream of output, from the moment in which it is made.

    Args:
        request: What is asked.
        hostname: Of this host.
        select: The processes that are meant, now.
        newcomers: Wakes to be set when there are new ones, or no more.
        closed: Whether there will be no more output at all.

    Raises:
        Refused: A cursor is none, or a pattern.
    """

    def __init__(
        self,
        request: Logs,
        hostname: str,
        select: Callable[[], Iterable[tuple[Process, Output]]],
        newcomers: set[Wake],
        closed: Callable[[], bool],
    ) -> None:
        self._request = request
        self._hostname = hostname
        self._select = select
        self._newcomers = newcomers
        self._closed = closed
        self._wake = Wake()
        self._since = start_places(request.since)
        self._pattern = _pattern(request.grep)
        self._places: dict[str, Place] = {}
        self._first = self._join(tail=request.tail)
        newcomers.add(self._wake)

    async def chunks(self) -> AsyncGenerator[LogChunk | Lost]:
        """What there is, and with `follow` what comes; then empty chunks first tell where it begins."""
        try:
            for begun in self._first:
                yield begun
            while True:
                for begun in self._join():
                    yield begun
                some = False
                async with aclosing(self._round()) as items:
                    async for _, item in items:
                        some = True
                        yield item
                if some:
                    continue
                if not self._request.follow or self._closed():
                    break
                await self._wake.wait()
            for place in self._places.values():
                for _, item in place.rest():
                    yield item
        finally:
            self.close()

    async def _round(self) -> AsyncGenerator[Timed]:
        """All that there is now, the earliest first: none is given while another may have something earlier."""
        places = list(self._places.values())
        most = max(4096, min(_TAKE, _TAKE_ALL // max(1, len(places))))
        heads: list[tuple[float, int]] = []
        for i, place in enumerate(places):
            await place.read(most)
            if place.pending:
                heads.append((place.pending[0][0], i))
        heapify(heads)
        while heads:
            _, i = heads[0]
            place = places[i]
            yield place.pending.popleft()
            if not place.pending:
                await place.read(most)
            if place.pending:
                heapreplace(heads, (place.pending[0][0], i))
            else:
                heappop(heads)

    def close(self) -> None:
        """It is read no more."""
        self._newcomers.discard(self._wake)
        for place in self._places.values():
            self._leave(place)
        self._places.clear()

    def _leave(self, place: Place) -> None:
        place.output.unfollow(self._wake)
        place.close()

    def _join(self, tail: int | None = None) -> list[LogChunk | Lost]:
        """Take in processes that are new to this reader, and let go those that were deleted."""
        out: list[LogChunk | Lost] = []
        present = set()
        for process, output in self._select():
            present.add(process.uuid)
            place = self._places.get(process.uuid)
            if place is not None and place.output is not output:  # it goes to other files now
                self._leave(self._places.pop(process.uuid))
            if process.uuid not in self._places:
                out += self._begin(process, output, tail)
        for uuid in self._places.keys() - present:
            self._leave(self._places.pop(uuid))
        return out

    def _begin(self, process: Process, output: Output, tail: int | None) -> list[LogChunk | Lost]:
        ring, request = output.ring, self._request
        out: list[LogChunk | Lost] = []
        known = self._since.get(process.uuid)
        place = Place(process, output, self._hostname, ring.start, request, self._pattern)
        if known is not None and known[0] == output.epoch and known[1] <= ring.end:
            place.begin(known[1])
        elif known is not None:
            first = f"{known[0]}.{process.uuid}.{known[1]}"
            out.append(Lost(count=None, first=first, next=place.cursor(place.offset)))
        elif tail is not None:
            place.begin(ring.tail(tail))
        elif request.after:
            at = ring.at_time(request.after)
            if at > ring.start:
                place.begin(at)
            else:
                place.seek = request.after
        self._places[process.uuid] = place
        output.follow(self._wake)
        if request.follow and not place.seek:
            out.append(place.chunk(0.0, 0, "", place.offset))
        return out


def _pattern(text: str) -> Pattern | None:
    try:
        return Pattern(text) if text else None
    except Unusable as error:
        raise Refused("bad-request", f"{error} at $.grep", "procctl logs --grep finds it here instead") from None


def start_places(since: str) -> dict[str, tuple[str, int]]:
    """Cursors by process: its uuid, then epoch and offset.

    Raises:
        Refused: It is no cursor.
    """
    places = {}
    for cursor in since.split(",") if since else ():
        epoch, _, rest = cursor.partition(".")
        uuid, _, offset = rest.partition(".")
        if not (epoch and uuid and offset.isdecimal()):
            text = f"{cursor[:60]!r} is no cursor of output"
            raise Refused("bad-request", text, "a cursor comes with each line of output")
        places[uuid] = (epoch, int(offset))
    return places
