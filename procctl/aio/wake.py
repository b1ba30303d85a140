"""A wake-up for one task or many, that can be set from anywhere on the loop, a plain callback included."""

from __future__ import annotations

import anyio

__all__ = ["Wake"]


class Wake:
    """`set` wakes whoever waits; with nobody waiting the next `wait` returns at once."""

    __slots__ = ("_event", "_set")

    def __init__(self) -> None:
        self._set = False
        self._event: anyio.Event | None = None

    def set(self) -> None:
        """Wake whoever waits, or who waits next."""
        self._set = True
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Wait for the next `set`, or the last one that nobody waited for."""
        if not self._set:
            if self._event is None:
                self._event = anyio.Event()  # made by a waiter: a callback of the loop has no backend to ask
            await self._event.wait()
        else:
            await anyio.lowlevel.checkpoint()
        self._set = False
