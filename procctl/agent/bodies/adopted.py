"""A process that was there already: what an earlier agent has left, or a stranger. Its later runs are children.

It is no child of ours, so it is watched by its pidfd, or by looking at its pid and start again and again; how it ended
is known only where the kernel tells (`exits.end_of_stranger`).
"""

from __future__ import annotations

import contextlib
import os
import signal

from ...core.events import Signal, Spawned, SpawnFailed
from ...core.process import Process
from ...core.records import Ident
from ..found import Found
from ..identity import boot_id, open_pidfd, still_there
from ..keeping import Thing
from ..procfs import KERNEL, facts_of
from ..signals import send
from .child import Child

__all__ = ["Adopted"]


class Adopted(Child):
    """See `Child`; `take` begins with a run that is there, and so does a start of a process that is to adopt one."""

    __slots__ = ("_leader",)

    _leader: bool

    def take(self, run: int, found: Found) -> None:
        """The run of that number, which an earlier agent has left; its descriptors are this body's from now on."""
        ident, end, channel = found.ident, found.end, found.channel
        self._hold(ident, found.pidfd)
        self._run_key = self.key(run)
        if self._output.is_straight:
            self._output.resume()
        if channel is not None and self.talk is not None:
            self.talk.begin(channel)
        elif channel is not None:
            os.close(channel)
        if end is not None:
            self._tools.watch.later(lambda: self.over(self._run, end))
        else:
            self._begin_watch(ident, reap=True)

    def start(self, process: Process, token: int) -> None:
        """Take over what the process is to adopt; else spawn. Feeds Spawned or SpawnFailed."""
        ident = process.adopts
        if ident is None:
            super().start(process, token)
            return
        try:
            pidfd = self._reach(ident)
        except OSError as error:
            self._feed(self.uuid, SpawnFailed(f"cannot adopt pid {ident.pid}: {error.strerror}"))
            return
        self._hold(ident, pidfd)
        self.begun = self._output.ring.end
        self._run_key = self.key(process.runs + 1)
        self._tools.keep([Thing("pid", self._run_key, ident.pid, ident.start, () if pidfd is None else (pidfd,))])
        self._feed(self.uuid, Spawned(ident.pid))
        self._begin_watch(ident, reap=False)

    def signal(self, effect: Signal) -> None:
        """Send it: where the process leads no group of its own, to itself and what is below it one by one."""
        self._shot = self._shot or effect.name == "SIGKILL"
        single = effect.tree and not effect.strays and not self._is_child and not self._leader
        if not single or not self.pid or self.ident is None:
            super().signal(effect)
            return
        number = signal.Signals[effect.name].value
        self._see_below()
        send(self.ident, self.pidfd, number, child=False)
        for pid, _ in self._seen:
            self._tools.census.signal(self._kin, pid, number)

    def kill_now(self) -> None:
        """The last resort. What is no child is not ours to reap."""
        if self._is_child:
            super().kill_now()
        elif self.pid and self.ident is not None:
            send(self.ident, self.pidfd, signal.SIGKILL, child=False)
            self._tools.watch.forget(self.pid, self.pidfd)
            self.pid, self.pidfd = 0, None

    def _hold(self, ident: Ident, pidfd: int | None) -> None:
        self.pid = self.last_pid = ident.pid
        self.pidfd = pidfd
        self.ident = ident
        self._seen = frozenset()
        self._shot = False
        self._tools.oom.look(ident)
        self._is_child = self._leader = False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self._leader = os.getpgid(ident.pid) == ident.pid
        self._tools.census.spared.pop(ident.pid, None)

    def _begin_watch(self, ident: Ident, reap: bool) -> None:
        run = self._run
        self._tools.watch.add_stranger(ident, self.pidfd, lambda end: self.over(run, end), reap)

    def _reach(self, ident: Ident) -> int | None:
        """Its descriptor, if it is there and ours to signal."""
        if not still_there(ident):
            gone = "it is gone, and what has its pid now is another"
            raise ProcessLookupError(0, gone if ident.boot == boot_id() else "the machine was booted since")
        facts = facts_of(ident.pid)
        if facts is None or facts.state in "ZX":
            raise ProcessLookupError(0, "it has ended")
        if facts.flags & KERNEL or ident.pid in (1, os.getpid()):
            raise PermissionError(0, "it is no program that can be supervised")
        try:
            os.kill(ident.pid, 0)
        except PermissionError:
            raise PermissionError(0, "it is another user's") from None
        return open_pidfd(ident, self._tools.features)
