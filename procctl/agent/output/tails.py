"""Files that children write to themselves are read as they grow: inotify(7) tells where there is something, and where
there is none, files are looked at, the less often the longer nothing comes."""

from __future__ import annotations

import logging
import os
from typing import Protocol

import anyio

from ...aio.poller import Poller
from ...aio.wake import Wake
from . import kernel

__all__ = ["Tail", "Tails"]

logger = logging.getLogger("procctl.agent.output")

_PAUSE = 0.005
"""Seconds between two rounds: a child that writes line by line does not wake the loop for each."""
_FIRST, _LONGEST = 0.02, 1.0


class Tail(Protocol):
    """What is read as it grows."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that tell of it."""
        ...

    def advance(self) -> bool:
        """Read some of what has come; whether there may be more. Never raises."""
        ...


class Tails:
    """All of one agent. Without a tail it costs nothing.

    Args:
        poller: Watches the descriptor of inotify.
        inotify: Whether to use it.
    """

    def __init__(self, poller: Poller, inotify: bool) -> None:
        self._poller = poller
        self._inotify = inotify
        self._fd = -1
        self._numbers: dict[int, tuple[Tail, str]] = {}
        self._watched: dict[Tail, list[int]] = {}
        self._polled: dict[Tail, float] = {}
        self._due: set[Tail] = set()
        self._wake = Wake()
        self._poll_wake = Wake()

    def add(self, tail: Tail) -> None:
        """Read it from now on."""
        numbers: list[int] = []
        try:
            for path in tail.paths if self._inotify else ():
                numbers.append(kernel.watch(self._watcher(), path))
        except OSError as error:
            logger.info("no inotify for %s: %s; it is looked at again and again", tail.paths[0], error.strerror)
            for number in numbers:
                kernel.unwatch(self._fd, number)
            numbers = []
        for number, path in zip(numbers, tail.paths, strict=False):
            self._numbers[number] = tail, path
        self._watched[tail] = numbers
        if not numbers:
            self._polled[tail] = _FIRST
            self._poll_wake.set()
        self.due(tail)

    def remove(self, tail: Tail) -> None:
        """Read it no more."""
        for number in self._watched.pop(tail, ()):
            if self._numbers.pop(number, None) is not None and self._fd >= 0:
                kernel.unwatch(self._fd, number)
        self._polled.pop(tail, None)
        self._due.discard(tail)

    def due(self, tail: Tail) -> None:
        """There may be something in it."""
        if tail in self._watched:
            self._due.add(tail)
            self._wake.set()

    async def run(self) -> None:
        """Never returns; cancelled to end it."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._poll)
                while True:
                    await self._wake.wait()
                    while self._due:
                        due, self._due = self._due, set()
                        for tail in due:
                            if tail in self._watched and tail.advance():
                                self._due.add(tail)
                            await anyio.lowlevel.checkpoint()
                        await anyio.sleep(0.0 if self._due else _PAUSE)
        finally:
            self.close()

    def close(self) -> None:
        """Nothing is watched any more."""
        if self._fd >= 0:
            self._poller.remove(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _watcher(self) -> int:
        if self._fd < 0:
            self._fd = kernel.watcher()
            self._poller.add(self._fd, self._noticed)
        return self._fd

    def _noticed(self, closed: bool) -> None:
        for number in kernel.notices(self._fd):
            if number == -1:
                self._due.update(self._watched)
            elif number in self._numbers:
                self._due.add(self._numbers[number][0])
        self._wake.set()

    async def _poll(self) -> None:
        """One that has written is looked at soon again; the pause of one that is silent doubles."""
        while True:
            if not self._polled:
                await self._poll_wake.wait()
                continue
            pause = min(self._polled.values())
            with anyio.move_on_after(pause):
                await self._poll_wake.wait()
            for tail, each in list(self._polled.items()):
                if each > 2 * pause:
                    continue
                if tail.advance():
                    self._polled[tail] = _FIRST
                    self.due(tail)
                else:
                    self._polled[tail] = min(_LONGEST, each * 2)
