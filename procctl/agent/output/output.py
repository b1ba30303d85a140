"""All output of one process, over its runs: the ring, the files, and whoever follows.

There are two ways in.

*Piped*: the agent reads the child's pipes (`Pump`) and calls `write`. With a `LogSpec.file` everything is appended to
it as well.

*Straight*: the child writes to files by itself, and needs no agent to be there::

    output = Output(name, spec, cwd, tools.means, straight=folder)    # OSError: the folder cannot be used
    stdout, stderr = output.ends()     # O_APPEND descriptors for the spawner, which closes them; before each run
    output.resume()                    # from here on it is tailed; also for a child that ran before this agent did
    output.drain()                     # the child has ended: what it wrote is read now
    output.run_ended()                 # it is verified empty
    output.close()                     # at any time; a later Output of the same folder goes on

There is no Pump then. `folder` is one process's own, survives agents, and holds ``stdout``, ``stderr``, their rotated
parts and ``index``. A later `Output` of that folder has the same `epoch` and goes on with the same offsets: cursors
(``epoch.uuid.offset``) survive agents where the process keeps its uuid. What came while no agent watched is marked as
approximate in its time. `LogSpec.file` then gets a copy of what is tailed; after a crash of the agent a stretch of it
may stand there twice, and never in what is read through cursors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import time as wall

from ...aio.wake import Wake
from ...core.specs import LogSpec
from .means import Means
from .past import Past
from .ring import Ring
from .sink import Sink
from .straight import Straight

__all__ = ["Output", "log_paths"]

_REMEMBERED = 1 << 16
"""Bytes of the past that are in memory again when a later agent goes on."""


class Output:
    """Takes what a process writes, numbers it, keeps it, and wakes who follows.

    Args:
        name: Of the process.
        spec: Where output is kept.
        folder: What a relative file is relative to.
        means: The agent's, for files.
        straight: The folder of files that the child writes to by itself; None: it is piped.
        instance: The slot's number where the process has several, and each writes to a file of its own; else empty.
        troubled: Told when files cannot be written to (a text), and when they can be again (empty).

    Raises:
        OSError: The straight folder cannot be used. Other files may be in trouble: it is told, and tried again.
    """

    __slots__ = ("_followers", "_means", "_sink", "_straight", "_tailed", "epoch", "ring")

    def __init__(
        self,
        name: str,
        spec: LogSpec,
        folder: str | None,
        means: Means,
        *,
        straight: Path | None = None,
        instance: str = "",
        troubled: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.epoch = means.epoch
        self._means = means
        self._followers: tuple[Wake, ...] = ()
        self._tailed = False
        self._sink: Sink | None = None
        self._straight: Straight | None = None
        start = 0
        if straight is not None:
            self._straight = Straight(name, spec, straight, means.epoch, means.chores, means.punch, self._tail)
            self.epoch, start = self._straight.index.epoch, self._straight.index.end
        if spec.file is not None:
            paths = log_paths(spec, folder, instance)
            self._sink = Sink(name, spec, paths, means.epoch, means.chores, troubled, indexed=straight is None)
            self._sink.open(wall())
            if self._sink.index is not None:
                self.epoch, start = self._sink.index.epoch, self._sink.index.end
        self.ring = Ring(spec.ring, start)
        if self._straight is not None:
            self._remember(min(spec.ring, _REMEMBERED))

    # piped ----------------------------------------------------------------------------------------------------

    def write(self, stream: int, data: bytes, time: float) -> None:
        """Output has come."""
        self.ring.write(stream, data, time)
        if self._sink is not None:
            self._sink.write(stream, data, time)
        for wake in self._followers:
            wake.set()

    # straight -------------------------------------------------------------------------------------------------

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are tailed."""
        assert self._straight is not None
        return self._straight.paths

    def ends(self) -> tuple[int, int]:
        """Descriptors for a new run, of stdout and stderr: whoever takes them closes them.

        Raises:
            OSError: There are none to be had.
        """
        assert self._straight is not None
        return self._straight.ends()

    def resume(self) -> None:
        """Tail the files from now on; a second call changes nothing."""
        if not self._tailed:
            self._tailed = True
            self._means.tails.add(self)

    def advance(self) -> bool:
        """Read some of what has come; whether there may be more."""
        assert self._straight is not None
        return self._straight.advance()

    def drain(self) -> None:
        """The child has ended: read what it has written."""
        if self._straight is not None:
            self._straight.read_all()

    def _tail(self, stream: int, data: bytes, time: float, approximate: bool) -> None:
        self.ring.write(stream, data, time, approximate)
        if self._sink is not None:
            self._sink.write(stream, data, time)
        for wake in self._followers:
            wake.set()

    def _remember(self, size: int) -> None:
        past = self.past()
        if past is None:
            return
        end, self.ring.start = self.ring.end, max(0, self.ring.end - size)
        self.ring.end = self.ring.start
        chunks, _, lost, ends = past.take(self.ring.start, size, end)
        past.close()
        self.ring.start = self.ring.end = self.ring.start + lost
        for chunk in chunks:
            while ends and ends[0] <= chunk.offset:
                self.ring.mark_end(ends.pop(0))
            self.ring.write(chunk.stream, chunk.data, chunk.time, chunk.approximate)
        for place in ends:
            self.ring.mark_end(place)
        if self.ring.end != end:  # it cannot all be read: nothing of it is in memory
            self.ring = Ring(self.ring.size, end)

    @property
    def is_straight(self) -> bool:
        """Whether the child writes to files by itself."""
        return self._straight is not None

    # both -----------------------------------------------------------------------------------------------------

    def run_ended(self) -> None:
        """A run is over, and all that it wrote was read."""
        self.drain()
        self.ring.mark_end()
        if self._straight is not None:
            self._straight.run_ended()
        if self._sink is not None:
            self._sink.run_ended(wall())
        for wake in self._followers:
            wake.set()

    def reopen(self) -> None:
        """Go on in the file that is at its path now: somebody has moved the old one away."""
        if self._sink is not None:
            self._sink.reopen(wall())

    def past(self) -> Past | None:
        """What has left memory and is in files, for one reader, who closes it; None: nothing is."""
        if self._straight is not None:
            return Past(self._straight.index.path, self._straight.paths, self._straight.present)
        sink = self._sink
        if sink is None or not sink.indexed:
            return None
        return Past(sink.paths[0] + ".index", sink.paths, sink.present)

    def follow(self, wake: Wake) -> None:
        """Wake this one when there is more."""
        if wake not in self._followers:
            self._followers = (*self._followers, wake)

    def unfollow(self, wake: Wake) -> None:
        """Do not wake it any more."""
        self._followers = tuple(other for other in self._followers if other is not wake)

    def close(self) -> None:
        """The process was deleted, or the agent ends."""
        if self._tailed:
            self._tailed = False
            self._means.tails.remove(self)
        if self._straight is not None:
            self._straight.close()
        if self._sink is not None:
            self._sink.close()


def log_paths(spec: LogSpec, folder: str | None, instance: str = "") -> tuple[str, str]:
    """The files of stdout and stderr; one of several instances has its number before the last extension."""
    assert spec.file is not None
    found = []
    for name in (spec.file, spec.stderr or spec.file):
        path = os.path.abspath(os.path.join(folder or os.getcwd(), os.path.expanduser(name)))
        stem, extension = os.path.splitext(path)
        found.append(f"{stem}.{instance}{extension}" if instance else path)
    return found[0], found[1]
