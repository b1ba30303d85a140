"""The talk with one program, over its runs: a channel for each, what is heard as events, whether it has said ready."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import anyio

from ..aio.poller import Poller
from ..core.events import ChildReported, Event
from ..core.process import Process
from ..core.specs import ReadyMessage
from ..core.words import Nonsense, ReadySaid, understood
from .channel import Channel, open_pair

__all__ = ["Talk"]


class Talk:
    """Args: process: Whose. poller, after: See `Channel`. feed: Takes what is heard."""

    __slots__ = ("_after", "_channel", "_feed", "_name", "_offered", "_poller", "_ready", "_watched", "_word")

    def __init__(
        self,
        process: Process,
        poller: Poller,
        after: Callable[[float, Callable[[], None]], None],
        feed: Callable[[Event], None],
    ) -> None:
        self._name = process.name
        ready = process.spec.ready
        self._word = ready.message if isinstance(ready, ReadyMessage) else ""
        self._watched = process.spec.watchdog is not None
        self._poller = poller
        self._after = after
        self._feed = feed
        self._offered = -1
        self._channel: Channel | None = None
        self._ready = anyio.Event()

    def offer(self) -> int:
        """A channel for the run that is to begin: the program's end, which is the caller's to close. Raises OSError."""
        self.end()
        self._ready = anyio.Event()
        self._offered, there = open_pair()
        return there

    def begin(self, fd: int | None = None) -> None:
        """The program runs: talk with it on what was offered, or on an end that somebody else has kept."""
        kept = fd is not None
        fd, self._offered = self._offered if fd is None else fd, -1
        self._channel = Channel(fd, self._name, self._poller, self._after, self._heard, torn=kept)

    @property
    def fds(self) -> tuple[int, ...]:
        """The agent's end of the channel, while there is one; it stays the talk's."""
        return (self._channel.fd,) if self._channel is not None and self._channel.open else ()

    def say(self, text: str) -> None:
        """Say this to the program, a text of JSON."""
        if self._channel is not None:
            self._channel.send(text)

    async def said_ready(self) -> None:
        """Return when the program has said, in this run, that it is ready. Cancellation: ends the wait."""
        await self._ready.wait()

    def end(self) -> None:
        """The run has ended, or never began: hear what was said, and close."""
        if self._channel is not None:
            self._channel.drain()
        self.close()

    def close(self) -> None:
        """Hear no more of it; what was said and not heard yet is for whoever holds another copy of the end."""
        if self._offered >= 0:
            os.close(self._offered)
            self._offered = -1
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _heard(self, message: Any) -> str:
        heard = understood(message)
        if self._watched and (heard is None or isinstance(heard, ReadySaid)):
            self._feed(ChildReported())  # whatever it says is a sign of life
        match heard:
            case ReadySaid(text):
                if text == self._word or (text == "ready" and not isinstance(message, str)):
                    self._ready.set()
            case Nonsense(why):
                return why
            case None:
                pass
            case event:
                self._feed(event)
        return ""
