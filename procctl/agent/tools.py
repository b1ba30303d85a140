"""What bodies work with: one set per agent."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio
from attrs import frozen

from ..aio.poller import EpollPoller, Poller, TaskPoller
from ..aio.wake import Wake
from ..core.records import Ident
from . import spare
from .census import Census
from .exits import End, end_of, end_of_stranger
from .features import Features
from .keeping import Keeping, Thing
from .oom import OutOfMemory
from .output.means import Means, make_means
from .signals import send_group
from .spawner import Born, Job, Spawner, Stillborn

logger = logging.getLogger("procctl.agent")

__all__ = ["Tools", "Watch", "make_tools", "run_once"]


class _Watched:
    """What the poller calls for one child: there may be thousands, and a closure takes four times the memory."""

    __slots__ = ("_done", "_pid", "_pidfd", "_watch")

    def __init__(self, watch: Watch, pid: int, pidfd: int, done: Callable[[End], None]) -> None:
        self._watch = watch
        self._pid = pid
        self._pidfd = pidfd
        self._done = done

    def __call__(self, closed: bool) -> None:
        self._watch.look(self._pid, self._pidfd, self._done, closed)


class Watch:
    """Tells when a child ends: by its pidfd, or where there is none by asking for its exact pid again and again."""

    _FIRST, _LONGEST = 0.01, 0.1

    def __init__(self, poller: Poller, features: Features) -> None:
        self._poller = poller
        self._features = features
        self._asking: dict[int, tuple[int, Callable[[End], None]]] = {}
        self._strangers: dict[Ident, tuple[int | None, Callable[[End], None], bool]] = {}
        self._soon: list[Callable[[], None]] = []
        self._open: set[int] = set()
        self._wake = Wake()

    def add(self, pid: int, pidfd: int | None, done: Callable[[End], None], start: int = 0) -> None:
        """Call this when the child, which began at `start` ticks (0: not known), has ended and is reaped; its pidfd is
        closed."""
        if pidfd is None:
            self._asking[pid] = start, done
            self._wake.set()
            return
        self._open.add(pidfd)
        self._poller.add(pidfd, _Watched(self, pid, pidfd, done))

    def look(self, pid: int, pidfd: int, done: Callable[[End], None], closed: bool) -> None:
        """Something has come of it: its end, most likely."""
        end = end_of(pid, pidfd, self._features, closed)
        if end is not None:
            self._close(pidfd)
            done(end)

    def add_stranger(self, ident: Ident, pidfd: int | None, done: Callable[[End], None], reap: bool) -> None:
        """The same for what is not our child: it has ended, and its pidfd is closed. `reap`: see `end_of_stranger`."""

        def look(closed: bool) -> None:
            end = end_of_stranger(ident, pidfd, self._features, reap)
            if end is not None:
                self.forget(ident.pid, pidfd)
                done(end)
            elif pidfd is not None:  # a zombie that its parent has yet to reap: no reason to be called without end
                self._poller.remove(pidfd)
                self._ask_on(ident, pidfd, done, reap)

        if pidfd is None:
            self._ask_on(ident, None, done, reap)
            return
        self._open.add(pidfd)
        self._poller.add(pidfd, look)

    def _ask_on(self, ident: Ident, pidfd: int | None, done: Callable[[End], None], reap: bool) -> None:
        self._strangers[ident] = pidfd, done, reap
        self._wake.set()

    def later(self, call: Callable[[], None]) -> None:
        """Call this from the watch's own task."""
        self._soon.append(call)
        self._wake.set()

    def forget(self, pid: int, pidfd: int | None) -> None:
        """It was reaped by other means, or is watched no more."""
        self._asking.pop(pid, None)
        for ident in [ident for ident in self._strangers if ident.pid == pid]:
            del self._strangers[ident]
        if pidfd is not None:
            self._close(pidfd)

    def close(self) -> None:
        """Nothing is watched any more."""
        self._asking.clear()
        self._strangers.clear()
        for pidfd in list(self._open):
            self._close(pidfd)

    def _close(self, pidfd: int) -> None:
        if pidfd in self._open:
            self._open.discard(pidfd)
            self._poller.remove(pidfd)
            os.close(pidfd)

    async def run(self) -> None:
        """Never returns; cancelled to end it."""
        pause = self._FIRST
        while True:
            soon, self._soon = self._soon, []
            for call in soon:
                call()
            if not (self._asking or self._strangers):
                await self._wake.wait()
                pause = self._FIRST
                continue
            for pid, (start, done) in list(self._asking.items()):
                end = end_of(pid, None, self._features, start=start)
                if end is not None:
                    del self._asking[pid]
                    pause = self._FIRST
                    done(end)
            for ident, (pidfd, done, reap) in list(self._strangers.items()):
                end = end_of_stranger(ident, pidfd, self._features, reap)
                if end is not None and ident in self._strangers:
                    self.forget(ident.pid, pidfd)
                    done(end)
            await anyio.sleep(pause)
            pause = min(self._LONGEST, pause * 1.2)


@frozen(kw_only=True)
class Tools:
    """Attributes:
    mark: What every child carries in its environment, so that it can be found.
    keeping: The keeper.
    oom: Knows who was killed for want of memory.
    straight: The folder of files that children write into themselves, so that they can outlive the agent; None:
        they write into pipes that are read here.
    """

    features: Features
    poller: Poller
    watch: Watch
    spawner: Spawner
    census: Census
    means: Means
    null: int
    mark: Mapping[bytes, bytes]
    keeping: Keeping
    oom: OutOfMemory
    straight: Path | None = None

    def keep(self, things: Sequence[Thing]) -> None:
        """Have the keeper hold these, from the loop."""
        try:
            self.keeping.ensure()
        except OSError as error:
            logger.error("no keeper: %s; pid %d would outlive a kill of this agent", error.strerror, things[0].pid)
            return
        self.attach()
        self.keeping.put(things)

    def close(self) -> None:
        """Nothing runs any more."""
        os.close(self.null)
        self.oom.close()
        spare.drop()

    def attach(self) -> None:
        """Have a keeper that was started looked after: its end is seen, and its parent reaped."""
        self.keeping.attach(self.poller, self.watch)


def make_tools(
    features: Features,
    ours: Callable[[], list[int]],
    mark: Mapping[bytes, bytes],
    epoch: str,
    keeping: Keeping,
    after: Callable[[float, Callable[[], None]], None],
    straight: Path | None = None,
) -> Tools:
    """A set, on /dev/null that is open once for all children. `epoch` names this run of the agent; `after` calls
    later."""
    spare.keep()
    poller = EpollPoller() if features.epoll else TaskPoller()
    spawner = Spawner(features, poller, keeping)
    tools = Tools(
        features=features,
        poller=poller,
        watch=Watch(poller, features),
        spawner=spawner,
        census=Census(features, lambda: [*ours(), *spawner.untold()]),
        means=make_means(epoch, poller, features.inotify, features.punch),
        null=os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC),
        mark=mark,
        keeping=keeping,
        oom=OutOfMemory(features.oom, after),
        straight=straight,
    )
    tools.spawner.attach = tools.attach
    return tools


async def run_once(
    tools: Tools, command: tuple[str, ...], cwd: str | None, env: Mapping[bytes, bytes], timeout: float
) -> End | str:
    """Run a small program to its end, its output unread.

    Returns:
        How it ended, or why it could not be run; where the machine was short of something, that it is not known how.

    Cancellation and time-out: its process group is killed, and it is reaped by the watch.
    """
    ended = anyio.Event()
    result: list[End | str] = []
    born: list[Born] = []

    def over(end: End) -> None:
        born.clear()
        result.append(end)
        ended.set()

    def spawned(outcome: Born | Stillborn) -> None:
        if isinstance(outcome, Stillborn):
            result.append(End(None, None) if outcome.passing else outcome.why)
            ended.set()
            return
        born.append(outcome)
        tools.watch.add(outcome.pid, outcome.pidfd, over)
        if abandoned:
            kill()

    def kill() -> None:
        for child in born:
            send_group(Ident(child.pid, child.start), child.pidfd, signal.SIGKILL, tools.features)

    abandoned = False
    try:
        out = os.dup(tools.null)
    except OSError:
        return End(None, None)
    try:
        err = os.dup(tools.null)
    except OSError:
        os.close(out)
        return End(None, None)
    tools.spawner.submit(Job(command=command, cwd=cwd, env=env, stdin=tools.null, stdout=out, stderr=err, done=spawned))
    try:
        with anyio.move_on_after(timeout):
            await ended.wait()
    finally:
        abandoned = True
        kill()
    return result[0] if result else End(None, "SIGKILL")
