"""What an earlier run of the agent may have left on a lease that this one knows nothing of: it is looked for by its
marks, ended, and when nothing was there for a while, the lease can be given back."""

from __future__ import annotations

import signal
from collections.abc import Callable

from ..core.records import Stray
from .census import Kin
from .machine import Looks

__all__ = ["Sweep"]

_EVERY = 0.1
_SELDOM = 1.0
"""Seconds between two looks while a program is there that is not ours to end."""
QUIET = 1.5
"""Seconds without finding anything. The keeper of an agent that was killed needs less to end what has no marks."""


class Sweep:
    """Looks for what is left of processes that do not run.

    Args:
        census: Finds what carries marks.
        after: Calls later.
        swept: Told of a lease on which nothing is left.
        idle: Whether nothing of a process runs, as far as this run of the agent knows: else its marks are its own.
        there: Whether the process is a program of its own that lives: it is not ended, but waited for.
    """

    def __init__(
        self,
        census: Looks,
        after: Callable[[float, Callable[[], None]], None],
        swept: Callable[[str, int], None],
        idle: Callable[[str], bool],
        there: Callable[[str], bool],
    ) -> None:
        self._there = there
        self._idle = idle
        self._census = census
        self._after = after
        self._swept = swept
        self._busy: set[int] = set()

    def begin(self, uuid: str, token: int) -> None:
        """Look for what belongs to that process, and end it. Twice is fine."""
        if token not in self._busy and self._idle(uuid):
            self._busy.add(token)
            self._look(Kin(uuid, -1), token, 0)

    def clear(self, uuid: str, then: Callable[[], None]) -> None:
        """End what carries the marks of a process, and go on when a look has found nothing."""

        def looked(strays: tuple[Stray, ...]) -> None:
            for stray in strays:
                self._census.signal(kin, stray.pid, signal.SIGKILL)
            if strays:
                self._after(_EVERY, look)
            else:
                then()

        def look() -> None:
            self._census.ask(kin, looked)

        kin = Kin(uuid, -1)
        look()

    def _look(self, kin: Kin, token: int, quiet: int) -> None:
        self._census.ask(kin, lambda strays: self._looked(kin, token, quiet, strays))

    def _looked(self, kin: Kin, token: int, quiet: int, strays: tuple[Stray, ...]) -> None:
        if not self._idle(kin.uuid):
            self._busy.discard(token)
            return
        for stray in strays:
            self._census.signal(kin, stray.pid, signal.SIGKILL)
        there = self._there(kin.uuid)
        quiet = 0 if strays or there else quiet + 1
        if quiet * _EVERY < QUIET:
            self._after(_SELDOM if there else _EVERY, lambda: self._look(kin, token, quiet))
            return
        self._busy.discard(token)
        self._swept(kin.uuid, token)
