"""Lines of several processes on a terminal: time, a coloured name, the text."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import anyio
import anyio.to_thread

from ..aio.wake import Wake
from ..service.lines import Line
from .settings import Settings

__all__ = ["Printer"]

_COLORS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_DIM, _RED, _OFF = "\033[2m", "\033[31m", "\033[0m"
_AT_MOST = 1 << 20
"""Characters that may wait to be printed."""


class Printer:
    """Writes in a thread, so that a terminal that is held up holds up nothing else; what is lost then shows as a gap.

    Args:
        settings: Of the command.
        names: Of the processes, for colours and the width of the prefix; with one there is no prefix.
        times: Whether the time is shown.
        prefix: Show the name even of one.
    """

    def __init__(self, settings: Settings, names: Sequence[str], times: bool, prefix: bool = False) -> None:
        self._color = settings.color
        self._times = times
        self._prefixed = prefix or len(names) > 1
        self._width = max((len(name) for name in names), default=0)
        self._colors = {name: _COLORS[i % len(_COLORS)] for i, name in enumerate(names)}
        self._pending: list[str] = []
        self._size = 0
        self._closed = False
        self.broken = anyio.Event()
        """Nobody reads stdout any more."""
        self._wake = Wake()
        self._room = Wake()

    def text(self, line: Line) -> str:
        """One line as it is printed."""
        head = ""
        if self._times:
            clock = time.strftime("%H:%M:%S", time.localtime(line.time))
            if line.approximate:
                clock = f"~{clock}"
            head = f"{_DIM}{clock}{_OFF} " if self._color else f"{clock} "
        if line.lost:
            note = f"--- {line.text} ---"
            return f"{head}{_RED}{note}{_OFF}\n" if self._color else f"{head}{note}\n"
        if self._prefixed:
            name = line.name.ljust(self._width)
            if self._color:
                name = f"\033[{self._colors.get(line.name, '37')}m{name}{_OFF}"
            head += f"{name} | "
        return f"{head}{line.text}\n"

    async def put(self, line: Line) -> None:
        """Print one; soon, and together with what comes at the same time. Waits where too much waits already."""
        text = self.text(line)
        self._pending.append(text)
        self._size += len(text)
        self._wake.set()
        while self._size >= _AT_MOST and not self.broken.is_set():
            await self._room.wait()

    async def run(self) -> None:
        """Prints what is put, until `close`."""
        while self._pending or not self._closed:
            if not self._pending:
                await self._wake.wait()
                continue
            text = "".join(self._pending)
            self._pending.clear()
            self._size = 0
            self._room.set()
            if not await anyio.to_thread.run_sync(_write, text, abandon_on_cancel=True):
                self.broken.set()
                return

    def close(self) -> None:
        """There is no more: `run` returns when all is printed."""
        self._closed = True
        self._wake.set()


def _write(text: str) -> bool:
    """False: nobody reads it any more, as behind a pipe to head(1)."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter's own last flush
        return False
    return True
