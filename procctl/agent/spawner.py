"""Starting programs in threads of its own.

In threads since a start lasts until the child has its new image, and the loop would stall for each. By
`posix_spawn`, so that the loop runs meanwhile; else by ``subprocess.Popen`` as it is, because it takes the vfork path
only so: never with ``preexec_fn``, ``user`` or ``group``. The Popen object is dropped at once; `exits` reaps.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from threading import Thread

from attrs import frozen

from ..aio.poller import Poller
from ..aio.thread import in_thread
from . import posix_spawn
from .features import Features
from .keeping import Keeping, Thing
from .procfs import facts_of
from .shortage import PASSING, explain

__all__ = ["CHANNEL_VARIABLES", "Born", "Job", "Spawner", "Stillborn", "apart", "channel_variables", "describe"]

ENDED = "the agent has ended"
THREADS = 2
"""Threads at most. One is kept busy by the kernel, which copies our descriptors for each child and closes them there;
the second starts when there are several to start."""
_APART = 16


@frozen(kw_only=True)
class Job:
    """What to start.

    Attributes:
        command: The program and its arguments.
        cwd: Its folder, or None.
        env: Its whole environment.
        stdin, stdout, stderr: Descriptors that it gets; stdout and stderr are closed here afterwards.
        channel: Its end of the channel, or None; closed here afterwards, too.
        done: Called on the loop with what came of it.
        key: By which the keeper holds it; empty: it does not.
    """

    command: Sequence[str]
    cwd: str | None
    env: Mapping[bytes, bytes]
    stdin: int
    stdout: int
    stderr: int
    done: Callable[[Born | Stillborn], None]
    channel: int | None = None
    key: str = ""


@frozen
class Born:
    """It runs. `pidfd` is None where there are none, or where it was gone before one could be had; `start` is when it
    began, in ticks, or 0."""

    pid: int
    pidfd: int | None
    start: int = 0


@frozen
class Stillborn:
    """It does not. `passing`: the machine was short of something."""

    why: str
    passing: bool


class Spawner:
    """Threads that start programs, and the loop's end of them. The first begins with the first job.

    Args:
        features: Of this kernel.
        poller: Tells the loop that there are results.
        keeping: The keeper, which is there before the first child.

    Attributes:
        attach: Called on the loop when there are results, before they are told.
    """

    def __init__(self, features: Features, poller: Poller, keeping: Keeping) -> None:
        self.attach: Callable[[], None] = _nothing
        self._keeping = keeping
        self._features = features
        self._poller = poller
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._results: deque[tuple[Job, Born | Stillborn | Exception]] = deque()
        self._bell: tuple[int, int] | None = None
        self._threads: list[Thread] = []
        self._ended = False

    def submit(self, job: Job) -> None:
        """Start it soon; `Job.done` tells, on the loop."""
        if self._ended:
            _refuse(job)
            return
        if not self._threads or (len(self._threads) < THREADS and not self._jobs.empty()):
            try:
                self._begin()
            except (OSError, RuntimeError) as error:
                if not self._threads:
                    _close_ends(job)
                    job.done(_no_thread(error, job.command[0]))
                    return
        self._jobs.put(job)

    def untold(self) -> list[int]:
        """The pids of what runs already, and of which nobody has been told yet."""
        return [born.pid for _, born in tuple(self._results) if isinstance(born, Born)]

    async def finish(self) -> None:
        """Start nothing more, and wait until what is being started has been told: no child is forgotten.

        Raises what a `Job.done` has raised. Cancellation: call it shielded.
        """
        self._ended = True
        if self._bell is None:
            return
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await in_thread(thread.join)
        self._poller.remove(self._bell[0])
        for fd in self._bell:
            os.close(fd)
        self._bell = None
        self._deliver()

    def _begin(self) -> None:
        if self._bell is None:
            reading, writing = self._bell = os.pipe()
            os.set_blocking(reading, False)
            os.set_blocking(writing, False)
            self._poller.add(reading, self._heard)
        thread = Thread(target=self._run, args=(self._bell[1],), name="procctl spawner", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _heard(self, closed: bool) -> None:
        assert self._bell is not None
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell[0], 4096)
        self._deliver()

    def _deliver(self) -> None:
        """Tell whoever asked; a defect in one is raised when all have been told."""
        self.attach()
        born = [(job, born) for job, born in tuple(self._results) if job.key and isinstance(born, Born)]
        if born:
            self._keeping.put([_thing(job, born) for job, born in born])
        failed: list[Exception] = []
        while self._results:
            error = _tell(*self._results.popleft())
            if error is not None:
                failed.append(error)
        if failed:
            raise failed[0]

    # in the threads -------------------------------------------------------------------------------------------

    def _run(self, bell: int) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            result = Stillborn(ENDED, False) if self._ended else self._guarded(job)
            _close_ends(job)
            self._results.append((job, result))
            if len(self._results) == 1:  # else the loop has yet to take those before, and sees this one too
                with contextlib.suppress(BlockingIOError):
                    os.write(bell, b"!")

    def _guarded(self, job: Job) -> Born | Stillborn | Exception:
        """A defect is given back like a result, so that the thread goes on."""
        try:
            return self._spawn(job)
        except Exception as error:
            return error

    def _keeper(self) -> Stillborn | None:
        """Why nothing can be started for want of a keeper; None: it is there, or none is to be had here."""
        try:
            self._keeping.ensure()
        except OSError as error:
            return Stillborn(f"cannot start the keeper: {explain(error.errno)}", True)
        return None

    def _spawn(self, job: Job) -> Born | Stillborn:
        trouble = self._keeper()
        if trouble is not None:
            return trouble
        try:
            pid = _spawn_by_c(job) if self._features.posix_spawn and _plain(job) else _spawn_by_popen(job)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return describe(error, job.command[0], job.cwd)
        pidfd = None
        if self._features.pidfd:
            try:
                pidfd = _checked(os.pidfd_open(pid))
            except OSError:
                pidfd = None  # out of descriptors, or reaped by somebody else already
        return Born(pid, pidfd, _start(pid) if self._features.procfs else 0)


def _no_thread(error: OSError | RuntimeError, program: str) -> Stillborn:
    """Nothing can be started for want of a thread, or of a pipe to it."""
    code = error.errno if isinstance(error, OSError) else errno.EAGAIN
    return Stillborn(f"cannot run {program!r}: {explain(code)}", True)


def _nothing() -> None:
    """Nobody looks after the keeper."""


def _checked(pidfd: int) -> int | None:
    """The descriptor, unless another part of this program has reaped our child and its number had a new owner already
    when it was opened: then it is closed."""
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        try:
            signal.pidfd_send_signal(pidfd, 0)
        except ProcessLookupError:
            return pidfd  # it was reaped, and the kernel may tell how it ended
        except OSError:
            pass
        os.close(pidfd)
        return None
    return pidfd


def _start(pid: int) -> int:
    """When our child began; 0: it was reaped already, and what has its number now is another."""
    try:
        facts = facts_of(pid)
    except OSError:
        return 0
    return facts.started if facts is not None and facts.parent == os.getpid() else 0


def _thing(job: Job, born: Born) -> Thing:
    return Thing("pid", job.key, born.pid, born.start, () if born.pidfd is None else (born.pidfd,))


def _plain(job: Job) -> bool:
    """Whether it has no channel, and each descriptor can be put in its place without overwriting one that is still to
    be put."""
    return job.channel is None and min(job.stdin, job.stdout, job.stderr) > 2


def _spawn_by_c(job: Job) -> int:
    return posix_spawn.spawn(job.command, job.cwd, job.env, (job.stdin, job.stdout, job.stderr))


def _spawn_by_popen(job: Job) -> int:
    env = job.env
    passed: tuple[int, ...] = ()
    if job.channel is not None:
        passed = (apart(job.channel),)
        env = {**env, **channel_variables(passed[0])}
    try:
        popen = subprocess.Popen(
            job.command,
            cwd=job.cwd,
            env=env,
            stdin=job.stdin,
            stdout=job.stdout,
            stderr=job.stderr,
            pass_fds=passed,
            start_new_session=True,
        )
    finally:
        for fd in passed:
            os.close(fd)
    popen.returncode = 0  # it is not Popen's to reap, not even when it is collected
    return popen.pid


CHANNEL_VARIABLES = (b"NODE_CHANNEL_FD", b"NODE_CHANNEL_SERIALIZATION_MODE", b"PROCCTL_CHANNEL_FD")


def channel_variables(fd: int) -> dict[bytes, bytes]:
    """How a program learns of its channel: as a child of Node would, and by a name of our own."""
    return dict(zip(CHANNEL_VARIABLES, (b"%d" % fd, b"json", b"%d" % fd), strict=True))


def apart(fd: int) -> int:
    """A second descriptor, close-on-exec, far from the lowest free one.

    CPython closes the gaps between those that a child keeps with ``close_range``; at an empty gap, which is where two
    have adjacent numbers or one has number 3, it falls back to closing one by one. The other that it keeps is a pipe
    of its own, which will have the lowest free number.
    """
    lowest = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest + _APART)
    except OSError:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest + 1)  # near the limit: slower, and right
    finally:
        os.close(lowest)


def _close_ends(job: Job) -> None:
    """The child has its own copies, or never will."""
    ends = {job.stdout, job.stderr} - {job.stdin}
    if job.channel is not None:
        ends.add(job.channel)
    for fd in ends:
        os.close(fd)


def _refuse(job: Job) -> None:
    _close_ends(job)
    job.done(Stillborn(ENDED, False))


def _tell(job: Job, result: Born | Stillborn | Exception) -> Exception | None:
    """Tell whoever asked. A defect is given back; a child that nobody has taken on is ended here."""
    if isinstance(result, Exception):
        job.done(Stillborn(f"a defect: {result!r}", False))
        return result
    try:
        job.done(result)
    except Exception as error:
        if isinstance(result, Born):
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.killpg(result.pid, signal.SIGKILL)
                os.waitpid(result.pid, 0)
            if result.pidfd is not None:
                with contextlib.suppress(OSError):
                    os.close(result.pidfd)
        return error
    return None


def describe(error: Exception, program: str, cwd: str | None) -> Stillborn:
    """Why a program could not be started, for people."""
    if not isinstance(error, OSError):
        return Stillborn(f"cannot run {program!r}: {error}", False)
    passing = error.errno in PASSING
    if cwd is not None and error.filename == cwd:
        return Stillborn(f"cannot run {program!r} in {cwd!r}: {error.strerror}", passing)
    if error.errno == errno.ENOENT:
        where = "no such file" if "/" in program else "not found in PATH"
        return Stillborn(f"cannot run {program!r}: {where}", passing)
    return Stillborn(f"cannot run {program!r}: {explain(error.errno) if passing else error.strerror}", passing)
