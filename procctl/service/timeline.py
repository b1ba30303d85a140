"""Events of one agent or controller, and those who follow them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from ..aio.wake import Wake
from ..core.backlog import Backlog
from ..core.messages import AnyEvent, Events, Lost, Snapshot
from ..core.records import Item

__all__ = ["Timeline"]

_TAKE = 256


class _Happened:
    """One event, made when it is first read: most are never read by anybody."""

    __slots__ = ("_event", "_make")

    def __init__(self, make: Callable[[], AnyEvent]) -> None:
        self._make: Callable[[], AnyEvent] | None = make
        self._event: AnyEvent | None = None

    @property
    def event(self) -> AnyEvent:
        if self._make is not None:
            self._event, self._make = self._make(), None
        assert self._event is not None
        return self._event


class Timeline:
    """Numbered events, the last so many of them, from the moment on in which anybody follows them: a cursor of before
    that is known to nobody.

    Args:
        epoch: Names this run.
    """

    def __init__(self, epoch: str) -> None:
        self._backlog: Backlog[_Happened] = Backlog(epoch)
        self._followers: set[Wake] = set()
        self._wanted = False
        self._closed = False

    def close(self) -> None:
        """Nothing happens any more: who follows comes to the end."""
        self._closed = True
        for wake in self._followers:
            wake.set()

    def put(self, make: Callable[[str], AnyEvent]) -> None:
        """Something has happened; `make` gives the event with this cursor, later and at most once."""
        backlog = self._backlog
        if not self._wanted:
            return backlog.skip()
        number = backlog.last + 1
        backlog.put(_Happened(lambda: make(backlog.cursor(number))))
        for wake in self._followers:
            wake.set()
        return None

    def read(
        self, request: Events, snapshot: Callable[[], Sequence[Item]], now: Callable[[], float]
    ) -> AsyncGenerator[AnyEvent | Lost]:
        """Events as they are asked for, from this moment: behind a cursor, or a snapshot and what comes after it."""
        self._wanted = True
        backlog = self._backlog
        first: list[AnyEvent | Lost] = []
        place = backlog.place(request.since) if request.since else None
        if place is None:
            place = backlog.last
            cursor = backlog.cursor(place)
            if request.since:
                first.append(Lost(count=None, first=request.since, next=cursor))
            first.append(Snapshot(time=now(), cursor=cursor, processes=tuple(snapshot())))
        return self._read(first, place, request.follow)

    async def _read(self, first: list[AnyEvent | Lost], place: int, follow: bool) -> AsyncGenerator[AnyEvent | Lost]:
        wake = Wake()
        self._followers.add(wake)
        try:
            for event in first:
                yield event
            while True:
                taken, place = self._backlog.take(place, _TAKE)
                for happened in taken:
                    yield happened if isinstance(happened, Lost) else happened.event
                if not taken:
                    if not follow or self._closed:
                        return
                    await wake.wait()
        finally:
            self._followers.discard(wake)
