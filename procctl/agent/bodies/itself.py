"""The program that the agent is part of, as one of its processes. It is asked, and told; nothing here ends it.

It has no marks in its environment, which was there before. So its uuid says which program it is: an agent of a later
run, which is asked to end what is left of it, can tell whether there is anything to wait for.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from random import Random
from typing import Protocol
from uuid import UUID

from ...core.events import Event, Exited, Looked, Signal, Spawned, SpawnFailed
from ...core.process import Process
from ...core.records import Ident
from ...core.words import START, STOP
from ..identity import ident_of, start_of
from ..keeping import Thing
from ..output.output import Output

__all__ = ["Bearer", "Itself", "is_there", "uuid_of"]

_OUR_VERSION = 8
"""Of a uuid: the meaning of its bits is up to who makes it (RFC 9562, 5.8)."""


def uuid_of(ident: Ident, rng: Random) -> str:
    """A new uuid for a program as its own process: 48 bits of its start, 22 of its pid, 52 that are random."""
    high = (ident.start & (1 << 48) - 1) << 16 | _OUR_VERSION << 12 | ident.pid >> 10 & 0xFFF
    low = 0b10 << 62 | (ident.pid & 0x3FF) << 52 | rng.getrandbits(52)
    return str(UUID(int=high << 64 | low))


def is_there(uuid: str) -> bool:
    """Whether that is the uuid of another program as its own process, and the program lives.

    This program does not count: what it has, it knows.
    """
    number = UUID(uuid).int
    if number >> 76 & 0xF != _OUR_VERSION:
        return False
    start, pid = number >> 80, (number >> 64 & 0xFFF) << 10 | number >> 52 & 0x3FF
    return pid not in (0, os.getpid()) and start != 0 and start_of(pid) == start


class Bearer(Protocol):
    """The program's side. Called on the loop; nothing of it may wait, or raise."""

    def begin(self) -> bool:
        """It may run. Gives whether it still wants to."""
        ...

    def asked(self, action: str, data: str, number: int) -> None:
        """It is asked: ``start`` and ``stop``, or (with a number) something of somebody's own; `data` is JSON."""
        ...

    def told(self, code: str, why: str, until: float) -> None:
        """It has to leave its block by then (`Now.boot`). Again, when it is to be sooner."""
        ...

    def overdue(self) -> None:
        """It has not left its block in time."""
        ...


class Itself:
    """One permission for this program.

    Args:
        uuid: Of the process.
        process: Gives its present state.
        feed: Takes what happens to it.
        bearer: The program.
    """

    __slots__ = ("_bearer", "_feed", "_output", "_process", "_told", "begun", "ident", "pid", "talk", "uuid")

    def __init__(
        self, uuid: str, process: Callable[[], Process], feed: Callable[[str, Event], None], bearer: Bearer
    ) -> None:
        self.uuid = uuid
        self.pid = 0
        self.ident: Ident | None = None
        self.begun = 0
        self.talk = None
        self._process = process
        self._feed = feed
        self._bearer = bearer
        self._output: Output | None = None
        self._told = False

    def redirect(self, output: Output) -> None:
        """There is nothing to be redirected; it is closed with this."""
        self._output = output

    def start(self, process: Process, token: int) -> None:
        """It may run, and does at once: feeds Spawned."""
        if not self._bearer.begin():
            self._feed(self.uuid, SpawnFailed(f"{process.name} has left its block: only it can enter again"))
            return
        self.pid = os.getpid()
        self.ident = ident_of(self.pid)
        self._feed(self.uuid, Spawned(self.pid))

    def say(self, text: str) -> None:
        """Ask it what a program would be asked on its channel."""
        match text:
            case word if word == START:
                self._bearer.asked("start", "null", 0)
            case word if word == STOP:
                self._bearer.asked("stop", "null", 0)
            case _:
                question = json.loads(text)
                self._bearer.asked(question["action"], json.dumps(question["data"]), question["id"])

    def signal(self, effect: Signal) -> None:
        """Tell it that it has to leave its block, and by when. No signal is sent."""
        if effect.name == "SIGKILL" and self._told:
            self._bearer.overdue()
            return
        self._told = True
        p = self._process()
        code = "lease-lost" if p.unleased else "stopped"
        self._bearer.told(code, p.cause or f"stopped by {p.stopper}", p.kill_at)

    def left(self, code: int) -> None:
        """It has left its block: feeds Exited."""
        self.pid = 0
        self._feed(self.uuid, Exited(code, None))

    def look(self) -> None:
        """What it has started itself is its own business: feeds Looked."""
        self._feed(self.uuid, Looked())

    def detach(self, process: Process) -> None:
        """It cannot be: the core refuses."""
        raise AssertionError("a program cannot be detached from itself")

    def things(self) -> list[Thing]:
        """Nothing: the keeper must not end it."""
        return []

    def close(self) -> None:
        """It was deleted, or the agent ends."""
        if self._output is not None:
            self._output.close()

    def kill_now(self) -> None:
        """The agent's own parts have failed, and nobody renews its lease any more: it is told. It is not ended."""
        if self.pid:
            self._bearer.told("lease-lost", "its agent has failed", math.inf)
