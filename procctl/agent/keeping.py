"""The agent's side of its keeper (`keeper`): it is started before the first child, told of each, and left behind.

Messages are sent without waiting from the loop, and with patience from the spawner's thread; the keeper only ever
waits for messages, so neither lasts.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.to_thread
from attrs import frozen

from . import keeper
from .agent import OnExit
from .features import Features
from .identity import start_of

if TYPE_CHECKING:
    from ..aio.poller import Poller
    from .tools import Watch

__all__ = ["Keeping", "Thing"]

logger = logging.getLogger("procctl.agent.keeper")

SOCKET = "keeper.sock"
LOG = "keeper.log"
_PATIENCE = 2.0
"""Seconds for a keeper to answer, or to take a message: it does nothing else."""
_ENDING = 15.0
"""Seconds for the keeper of a dead agent to end what that one ran, before it can be heard."""
_BATCH = 100
"""Things in one message: none has more than two descriptors."""


@frozen
class Thing:
    """What the keeper holds for us.

    Attributes:
        kind: pid (a pidfd, or none where there are none), channel, pipe (a pipe and the file that it is drained to), or
            lease (a deadline).
        key: Whose: a process's uuid, and the number of its run; of a lease the uuid alone.
        pid: Of the program.
        start: When it began, in ticks; of a lease its deadline, in milliseconds.
        fds: Descriptors; they stay the caller's.
    """

    kind: Literal["pid", "channel", "pipe", "lease"]
    key: str
    pid: int
    start: int = 0
    fds: tuple[int, ...] = ()

    @property
    def line(self) -> str:
        """As it stands in a message."""
        return f"{self.kind} {self.key} {self.pid} {self.start} {len(self.fds)}"


class Keeping:
    """One agent's keeper.

    Args:
        epoch: This run of the agent, which is in the mark of all that it runs.
        on_exit: What the agent's end means for what it runs.
        folder: The state folder, where the next agent finds the keeper; None: there is no next one.
        features: Of this kernel.
        living: Gives all that has to be held, for a new keeper in the place of one that was killed.
    """

    def __init__(
        self, epoch: str, on_exit: OnExit, folder: Path | None, features: Features, living: Callable[[], list[Thing]]
    ) -> None:
        self.parents: dict[int, int] = {}
        """What has to be reaped here: the parents of keepers, which end as soon as those have begun; pid and start."""
        self.usable = features.keeper
        self.holds = on_exit == "keep"
        """Whether things are held until they are dropped."""
        self._epoch = epoch
        self._on_exit = on_exit
        self._folder = folder
        self._living = living
        self._leases: dict[str, Thing] = {}
        self._strange: list[Thing] = []
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()
        self._poller: Poller | None = None
        self._attached = -1

    def attach(self, poller: Poller, watch: Watch) -> None:
        """Look after the keeper, from the loop: see its end, and reap its parent. Twice is fine."""
        sock = self._sock
        if sock is None or self._attached == sock.fileno():
            return
        self._poller, self._attached = poller, sock.fileno()
        poller.add(sock.fileno(), lambda closed: self._heard(sock, watch))
        for pid, start in self.parents.items():
            watch.add(pid, None, partial(self._reaped, pid), start)

    def _heard(self, sock: socket.socket, watch: Watch) -> None:
        """It has nothing to say by itself, so this is its end."""
        with contextlib.suppress(OSError):
            if sock.recv(1 << 16):
                return
        self._detach()
        self._lost()
        if self._poller is not None:
            self.attach(self._poller, watch)

    def _reaped(self, pid: int, end: object) -> None:
        self.parents.pop(pid, None)

    def _detach(self) -> None:
        if self._poller is not None and self._attached >= 0:
            self._poller.remove(self._attached)
        self._attached = -1

    # beginning ------------------------------------------------------------------------------------------------

    def take_over(self) -> list[Thing]:
        """What the keeper of an earlier agent on this folder holds. Blocks; for a thread.

        Where that agent ran with ``stop``, this waits until all that it ran is ended.
        """
        if self._folder is None or not self.usable:
            return []
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with _short(self._folder) as folder:
                sock.connect(f"{folder}/{SOCKET}")
            sock.settimeout(_ENDING)
            sock.sendall(f"hello {self._epoch} {self._on_exit}".encode())
            sock.sendall(b"get")
            things = _received(sock)
            self._strange = [thing for thing in things if thing.kind == "lease"]
            things = [thing for thing in things if thing.kind != "lease"]
        except OSError:
            sock.close()
            return []  # there is none, or it has ended with its agent's children
        self._sock = sock
        return things

    def ensure(self) -> None:
        """Start it, if there is none. Blocks for some milliseconds.

        Raises:
            OSError: The machine is short of something.
        """
        with self._lock:
            if self._sock is not None or not self.usable:
                return
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                self._start(theirs)
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            if not self.usable:
                ours.close()
                return
            ours.settimeout(_PATIENCE)
            self._sock = ours
            self._send(ours, "put", list(self._leases.values()))

    def _start(self, theirs: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            listener, log = self._ends(stack)
            stack.enter_context(_deaf())
            try:
                popen = subprocess.Popen(
                    [sys.executable, "-S", "-I", keeper.__file__, self._epoch, self._on_exit],
                    stdin=theirs.fileno(),
                    stdout=listener,
                    stderr=log,
                    cwd="/",
                    env={},
                )
            except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
                self.usable = False
                text = "no keeper, %s cannot be run (%s): what runs would outlive a kill of this agent"
                logger.error(text, sys.executable, error.strerror)
                return
        popen.returncode = 0  # reaped by whoever is told of `pid`
        self.parents[popen.pid] = start_of(popen.pid)

    def _ends(self, stack: contextlib.ExitStack) -> tuple[int, int | None]:
        """Where the next agent comes to, and where the keeper's words go."""
        if self._folder is None:
            return subprocess.DEVNULL, None
        if not self._folder.is_dir():
            logger.error("the state folder %s is gone: no later agent can find the keeper", self._folder)
            return subprocess.DEVNULL, None
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        with _short(self._folder) as folder, contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/{SOCKET}")
        with _short(self._folder) as folder:
            listener.bind(f"{folder}/{SOCKET}")
        listener.listen(4)
        log = os.open(self._folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, log)
        return listener.fileno(), log

    def ended(self) -> dict[tuple[str, int, int], int | None]:
        """How runs have ended that a keeper of this folder saw all end before it ended itself: the wait status of each,
        or None, by key, pid and start."""
        found: dict[tuple[str, int, int], int | None] = {}
        if self._folder is None:
            return found
        with contextlib.suppress(OSError, ValueError):
            for line in (self._folder / keeper.ENDED).read_text().splitlines():
                key, pid, start, status = line.split(" ")
                found[key, int(pid), int(start)] = None if status == "-" else int(status)
        return found

    # telling --------------------------------------------------------------------------------------------------

    def put(self, things: Sequence[Thing]) -> None:
        """Hold these; from a thread, or from the loop for few."""
        self._tell("put", things)

    def drop(self, things: Sequence[Thing]) -> None:
        """Hold these no more."""
        self._tell("drop", things)

    def spare(self, things: Sequence[Thing]) -> None:
        """These are ours no more, and nothing is done to them."""
        self._tell("spare", things)

    def lease(self, uuid: str, until: float | None) -> None:
        """What that process runs must be gone by then (CLOCK_BOOTTIME, seconds); None: that is over. From the loop.

        A keeper that does not listen is waited for only for the first deadline of a run: with an older one it ends
        things early, which is safe.
        """
        known = self._leases.pop(uuid, None)
        thing = Thing("lease", uuid, 0, 0 if until is None else int(until * 1000))
        if until is not None:
            self._leases[uuid] = thing
        with self._lock:
            if self._sock is not None:
                self._sock.settimeout(0.0 if known is not None else _PATIENCE)
                self._send(self._sock, "drop" if until is None else "put", [thing])
                self._sock.settimeout(_PATIENCE)

    def forget_strange(self) -> None:
        """All that an earlier agent has left is known: deadlines of anything else are over."""
        strange, self._strange = self._strange, []
        self.drop([thing for thing in strange if thing.key not in self._leases])

    def _tell(self, verb: str, things: Sequence[Thing]) -> None:
        with self._lock:
            if self._sock is not None:
                self._send(self._sock, verb, things)

    def _send(self, sock: socket.socket, verb: str, things: Sequence[Thing]) -> None:
        for i in range(0, len(things), _BATCH):
            part = things[i : i + _BATCH]
            fds = array.array("i", [fd for thing in part for fd in thing.fds])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
            text = "\n".join([verb, *(thing.line for thing in part)])
            try:
                sock.sendmsg([text.encode()], rights)
            except OSError:
                return  # it was killed; `lost` is told, and the next keeper gets everything

    def _lost(self) -> None:
        """The keeper has ended, and not by us: there is a new one, or at the next spawn."""
        with self._lock:
            if self._sock is not None:
                self._sock.close()
                self._sock = None
        logger.warning("the keeper of agent run %s was killed; another one is started", self._epoch)
        try:
            self.ensure()
        except OSError as error:
            logger.error("no keeper: %s; what runs would outlive a kill of this agent", error.strerror)
            return
        self.put(self._living())

    # ending ---------------------------------------------------------------------------------------------------

    async def leave(self) -> None:
        """The agent ends in an orderly way. The keeper ends too, unless it has something to hold."""
        self._detach()
        sock, self._sock = self._sock, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.sendall(b"bye")
                with sock.dup() as other, anyio.move_on_after(_PATIENCE):  # its own number is still being let go of
                    await anyio.wait_readable(other)
            sock.close()
        for pid, start in self.parents.items():
            if start_of(pid) == start:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        self.parents.clear()


def _received(sock: socket.socket) -> list[Thing]:
    things: list[Thing] = []
    while True:
        data, control, _, _ = sock.recvmsg(1 << 17, socket.CMSG_SPACE(4 * keeper.LIMIT), socket.MSG_CMSG_CLOEXEC)
        if not data:
            for thing in things:
                _close(thing.fds)
            raise ConnectionResetError
        fds = array.array("i")
        for level, what, payload in control:
            if (level, what) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
        verb, *lines = data.decode().split("\n")
        if verb == "end":
            sock.settimeout(_PATIENCE)
            return things
        left = list(fds)
        for line in lines:
            kind, key, number, start, count = line.split(" ")
            mine, left = tuple(left[: int(count)]), left[int(count) :]
            if kind in ("pid", "channel", "lease"):
                things.append(Thing(kind, key, int(number), int(start), mine))  # type: ignore[arg-type]
            else:
                _close(mine)  # a pipe is drained there, and needs nobody here


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """What this thread starts in the meantime has these signals blocked from its first moment on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, f"SIG{name}") for name in keeper.DEAF])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A short name of a folder: a unix socket's path has at most 107 bytes."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
