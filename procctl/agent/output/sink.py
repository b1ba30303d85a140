"""Where the output of a piped child is written to: one file or two, rotated, with an index. Whatever the disk says,
the child is not held up: what cannot be written is counted, and a gap in the file says so when it can be again."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from functools import partial

from ...core.specs import LogSpec
from .chores import Chores
from .formats import Lined, gap_text
from .index import APPROXIMATE, BASE, END, GAP, Index
from .logfile import LogFile
from .parts import Present, parts, tidy

__all__ = ["Sink"]

logger = logging.getLogger("procctl.agent.output")

_RETRY = 1.0
"""Seconds after which the disk is tried again."""
_ROTATE_AGAIN = 60.0
"""Seconds after which a rotation that failed is tried again."""


class Sink:
    """Opens its files when something comes, and again after trouble.

    Args:
        name: Of the process.
        spec: With a file.
        paths: Of the files of stdout and stderr; may be the same.
        epoch: For a new index.
        chores: Compresses and deletes.
        troubled: Told when there is trouble (a text) and when it is over (empty).
        indexed: Whether it can be read back; only what is raw can.
    """

    def __init__(
        self,
        name: str,
        spec: LogSpec,
        paths: tuple[str, str],
        epoch: str,
        chores: Chores,
        troubled: Callable[[str], None],
        indexed: bool = True,
    ) -> None:
        self.paths = paths
        self.indexed = indexed and spec.format == "raw"
        """Whether what is in the files can be read back."""
        self.trouble = ""
        self.missing = 0
        """Bytes that could not be written since the trouble began."""
        self.index: Index | None = None
        self._name = name
        self._spec = spec
        self._epoch = epoch
        self._chores = chores
        self._troubled = troubled
        self._lined = Lined(name, spec.format == "json") if spec.format != "raw" else None
        self._files: list[LogFile] = []
        self._retry_at = 0.0
        self._rotate_at = 0.0
        self._late = False
        self._done = 0
        self._seen = 0

    def present(self, stream: int) -> Present | None:
        """How the file of a stream is now, for readers."""
        return self._files[stream].present() if self._files else None

    def open(self, time: float) -> None:
        """Open what is to be written to: afterwards the index knows where it ends. Never raises."""
        try:
            self._open(time)
        except OSError as error:
            self._fail(error, time)
        self._late = True

    def write(self, stream: int, data: bytes, time: float) -> None:
        """Append; never raises."""
        if self.trouble and 0 <= self._retry_at - time <= _RETRY:
            self._seen += len(data)
            return self._miss(stream, len(data), time)
        self._done = 0
        try:
            if not self._files:
                self._open(time)
            if self.missing:
                self._mark_gap(stream, time)
            if self._lined is None:
                self._put(stream, data, time)
            else:
                self._put_lines(stream, data, time)
        except OSError as error:
            self._fail(error, time)
        else:
            if self.trouble:
                self._recovered()
        if self._done < len(data):
            self._miss(stream, len(data) - self._done, time)
        self._seen += len(data)

    def run_ended(self, time: float) -> None:
        """A line that was begun is ended, and trouble that is over is written down."""
        if not self._files:
            return
        try:
            if self._lined is not None:
                for stream in (0, 1):
                    self._append(stream, self._lined.rest(stream, time), time)
            if self.missing:
                self._mark_gap(0, time)
                self._recovered()
        except OSError as error:
            self._fail(error, time)
        if self.index is not None:
            self.index.add(0, self._files[0].place, 0, time, END)

    def reopen(self, time: float) -> None:
        """Go on in the files that are at the paths now; trouble is tried again at once."""
        self._retry_at = 0.0
        try:
            for stream, file in self._each():
                before = file.base
                file.reopen()
                self._note_base(stream, file, before, time)
        except OSError as error:
            self._close_files()
            self._fail(error, time)

    def close(self) -> None:
        """Write no more."""
        self._close_files()
        if self.index is not None:
            self.index.close()
            self.index = None

    # opening --------------------------------------------------------------------------------------------------

    def _open(self, time: float) -> None:
        os.makedirs(os.path.dirname(self.paths[0]) or ".", exist_ok=True)
        fresh = self.indexed and self.index is None and self._late
        if self.indexed and self.index is None:
            self.index = Index(self.paths[0] + ".index", self._epoch, fresh)
        bases = _bases(self.index) if self.index is not None else [0, 0]
        made: list[LogFile] = []
        try:
            for stream, path in enumerate(dict.fromkeys(self.paths)):
                made.append(LogFile(path, bases[stream]))
        except OSError:
            for file in made:
                file.close()
            raise
        self._files = made if len(made) == 2 else made * 2
        if fresh and self.index is not None and self._seen:
            self.index.add(0, 0, self._seen, time, GAP)
        for stream, file in self._each():
            if self.index is not None:
                self._take_stock(stream, file, time)
            self._tidy(file.path)

    def _take_stock(self, stream: int, file: LogFile, time: float) -> None:
        """What is in the file and not in the index was written when a crash came in between, or by somebody else.

        Once this run of the agent has numbered output, what others have written has no number any more.
        """
        assert self.index is not None
        if self._late:
            return self.index.add(stream, file.place, 0, time)
        together = self.paths[0] == self.paths[1]
        known = file.base
        for entry in self.index.records().backward():
            if not entry.flags & (GAP | END) and (together or entry.stream == stream):
                known = entry.at + entry.size
                break
        if file.place < known:  # it was cut by somebody
            file.base = known - file.size
            self.index.add(stream, file.base, 0, file.born, BASE)
        known = max(known, file.base)
        while known < file.place:
            size = min(file.place - known, 1 << 30)
            self.index.add(stream, known, size, file.born, APPROXIMATE)
            known += size

    # writing --------------------------------------------------------------------------------------------------

    def _put(self, stream: int, data: bytes, time: float) -> None:
        """Bytes as they are, cut at a line's end where a rotation is due."""
        while self._done < len(data):
            cut = self._cut(stream, data, self._done, time)
            whole = cut == len(data) and not self._done
            self._append(stream, data if whole else memoryview(data)[self._done : cut], time)
            if cut < len(data):
                self._rotate(stream, time)

    def _cut(self, stream: int, data: bytes, start: int, time: float) -> int:
        """Up to where the present file takes it."""
        file, most = self._files[stream], self._spec.max_size
        if self._spec.max_age is not None and file.size and time - file.born >= self._spec.max_age:
            most = file.size if not file.line_open else file.size + 1
        if most is None or file.size + len(data) - start <= most or time < self._rotate_at:
            return len(data)
        room = max(0, most - file.size)
        cut = data.rfind(b"\n", start, start + room) + 1
        if cut:
            return cut
        if not file.line_open and file.size:
            return start
        cut = data.find(b"\n", start + room) + 1
        return cut or (len(data) if file.size + len(data) - start <= 2 * most + (1 << 20) else start + room)

    def _put_lines(self, stream: int, data: bytes, time: float) -> None:
        assert self._lined is not None
        lines = self._lined.lines(stream, data, time)
        file, most = self._files[stream], self._spec.max_size
        if self._spec.max_age is not None and file.size and time - file.born >= self._spec.max_age:
            self._rotate(stream, time)
        while most is not None and file.size + len(lines) > most and time >= self._rotate_at:
            cut = lines.rfind(b"\n", 0, max(0, most - file.size)) + 1
            if not cut and not file.size:
                cut = lines.find(b"\n") + 1
            self._append(stream, lines[:cut], time)
            lines = lines[cut:]
            if file.size:
                self._rotate(stream, time)
        self._append(stream, lines, time)
        self._done = len(data)

    def _append(self, stream: int, data: bytes | memoryview, time: float) -> None:
        if not data:
            return
        file = self._files[stream]
        place = file.place
        written = file.append(data, time)
        if self.index is not None:
            self.index.add(stream, place, written, time)
        if self._lined is None:
            self._done += written
        if written < len(data):
            if self._lined is not None:
                file.cut(written)  # half a line is none
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rotate(self, stream: int, time: float) -> None:
        """Where it cannot be done the file goes on growing: that is better than losing output."""
        file = self._files[stream]
        before = file.base
        try:
            file.rotate()
        except OSError as error:
            self._rotate_at = time + _ROTATE_AGAIN
            logger.error("%s is not rotated: %s", file.path, error.strerror or error)
            return
        self._note_base(stream, file, before, time)
        self._tidy(file.path)

    def _note_base(self, stream: int, file: LogFile, before: int, time: float) -> None:
        if self.index is not None and file.base != before:
            self.index.add(stream, file.base, 0, time, BASE)

    def _tidy(self, path: str) -> None:
        spec = self._spec
        job = partial(tidy, path, spec.keep, spec.compress, self._chores.stopping)
        self._chores.submit(f"rotated output of {self._name} in {path}", job, self._trim)

    def _trim(self) -> None:
        """The index needs to know nothing of what was deleted."""
        if self.index is None or not self._files:
            return
        oldest = {}
        for stream, file in self._each():
            there = parts(file.path)
            oldest[stream] = min([file.base, *(part.first for part in there)])
        records = self.index.records()
        number = records.first
        for entry in records.forward(records.first):
            place = oldest[entry.stream if len(oldest) == 2 else 0]
            if not entry.flags & (GAP | END) and entry.at + entry.size > place:
                break
            number += 1
        self.index.trim(number)

    # trouble --------------------------------------------------------------------------------------------------

    def _miss(self, stream: int, size: int, time: float) -> None:
        self.missing += size
        if self.index is not None:
            self.index.add(stream, 0, size, time, GAP)

    def _mark_gap(self, stream: int, time: float) -> None:
        """Says in the file what is missing; it is no output, and not in the index."""
        file = self._files[stream]
        if self._lined is not None:
            mark = self._lined.gap(self.missing, time)
        else:
            mark = (b"\n" if file.line_open else b"") + b"--- %s ---\n" % gap_text(self.missing).encode()
        if file.append(mark, time) < len(mark):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.index is not None:
            self.index.add(stream, file.place, 0, time)
        self.missing = 0

    def _fail(self, error: OSError, time: float) -> None:
        text = error.strerror or str(error)
        self._retry_at = time + _RETRY
        if not self.trouble:
            logger.error("output of %s is not written to %s: %s", self._name, self.paths[0], text)
        if text != self.trouble:
            self.trouble = text
            self._troubled(f"output is not written to {self.paths[0]}: {text}")

    def _recovered(self) -> None:
        logger.warning("output of %s is written to %s again", self._name, self.paths[0])
        self.trouble = ""
        self._troubled("")

    def _each(self) -> list[tuple[int, LogFile]]:
        return list(enumerate(dict.fromkeys(self._files)))

    def _close_files(self) -> None:
        for _, file in self._each():
            file.close()
        self._files = []


def _bases(index: Index) -> list[int]:
    """Where the present files of the streams begin, as far as the index tells."""
    found = [-1, -1]
    for entry in index.records().backward():
        if entry.flags & BASE and found[entry.stream] < 0:
            found[entry.stream] = entry.at
            if min(found) >= 0:
                break
    return [max(0, place) for place in found]
