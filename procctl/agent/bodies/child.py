"""A child: a program that this agent has spawned. Knows the operating system and nothing of phases."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Sequence

from attrs import evolve

from ...core.events import Event, Exited, Looked, Signal, Spawned, SpawnFailed
from ...core.process import Process
from ...core.records import Ident, Stray
from ..census import Kin
from ..exits import End
from ..identity import boot_id
from ..keeping import Thing
from ..output.output import Output, log_paths
from ..output.pump import Pump
from ..procfs import MARK, below
from ..signals import is_there, send, send_group
from ..spawner import CHANNEL_VARIABLES, Born, Job, Stillborn, describe
from ..talk import Talk
from ..tools import Tools

__all__ = ["Child", "environment", "slot_of"]

logger = logging.getLogger("procctl.agent")

LAST_LINES = 10
_NOT_FOR_IT = (
    b"PROCCTL_AMQP_PASSWORD",
    b"PROCCTL_TOKEN_FILE",
    b"PROCCTL_TOKEN",
    b"PROCCTL_URL",
    *CHANNEL_VARIABLES,
)
"""Secrets, and the channel of this program itself, if it has one."""
_MARK = MARK.encode()
_NOBODY: frozenset[tuple[int, int]] = frozenset()  # each call makes another, of 216 bytes


def environment(process: Process, token: int, tools: Tools) -> dict[bytes, bytes]:
    """What a child gets: this program's environment as it is now, the marks, and the spec's own.

    ``PROCCTL_NAME``, ``PROCCTL_UUID``, ``PROCCTL_INSTANCE`` say who it is, ``PROCCTL_FENCE`` the number of its lease,
    ``PROCCTL_EPOCH`` the life of the gate that gave it.
    """
    env = _inherited()
    for name in _NOT_FOR_IT:
        env.pop(name, None)
    uuid = process.uuid.encode()
    above = env.get(_MARK)
    env.update(tools.mark)
    env.update(
        {
            b"PROCCTL_NAME": process.name.encode(),
            b"PROCCTL_UUID": uuid,
            b"PROCCTL_INSTANCE": (slot_of(process) or "1").encode(),
            b"PROCCTL_FENCE": b"%d" % token,
            b"PROCCTL_EPOCH": b"%d" % process.epoch,
            _MARK: above + b"/" + uuid if above else uuid,
        }
    )
    for key, value in process.spec.env.items():
        if value is None:
            env.pop(os.fsencode(key), None)
        else:
            env[os.fsencode(key)] = os.fsencode(value)
    return env


def _inherited() -> dict[bytes, bytes]:
    """This program's environment. Where CPython keeps it is asked first: the mapping that it shows instead goes through
    Python code for each variable, which takes longer than all else that is prepared for a start."""
    kept = getattr(os.environb, "_data", None)
    if isinstance(kept, dict) and all(type(name) is bytes for name in kept):
        return dict(kept)
    return dict(os.environb)


def slot_of(process: Process) -> str:
    """The number of the slot, where there are several; else empty."""
    return process.name.rpartition(".")[2] if process.spec.instances > 1 else ""


def _appended(paths: Sequence[str]) -> list[int]:
    """Files to append to: all of them, or none."""
    files: list[int] = []
    try:
        for path in paths:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
            files.append(os.open(path, flags, 0o640))
    except OSError:
        for fd in files:
            os.close(fd)
        raise
    return files


class _Over:
    """Told of the end of one run."""

    __slots__ = ("_child", "_run")

    def __init__(self, child: Child, run: int) -> None:
        self._child = child
        self._run = run

    def __call__(self, end: End) -> None:
        self._child.over(self._run, end)


class Child:
    """One process over its runs.

    Args:
        tools: Of the agent.
        output: Takes what it writes.
        feed: Takes what happens to it.
        talk: With the program, where its spec wants a channel.
    """

    __slots__ = (
        "_feed",
        "_is_child",
        "_output",
        "_pumps",
        "_reading",
        "_run",
        "_run_key",
        "_seen",
        "_shot",
        "_tools",
        "begun",
        "ident",
        "last_pid",
        "pid",
        "pidfd",
        "talk",
        "uuid",
    )

    def __init__(
        self, uuid: str, tools: Tools, output: Output, feed: Callable[[str, Event], None], talk: Talk | None = None
    ) -> None:
        self.uuid = uuid
        self.talk = talk
        self.pid = 0
        self.pidfd: int | None = None
        self.last_pid = 0
        self.ident: Ident | None = None
        """Of the run that there is, or was last."""
        self.begun = 0
        """The offset of the output at which this run began."""
        self._tools = tools
        self._output = output
        self._feed = feed
        self._pumps: tuple[Pump, ...] = ()
        self._reading: tuple[int, ...] = ()
        self._seen = _NOBODY
        self._shot = False
        """Whether this run was sent SIGKILL from here."""
        self._run = 0
        self._run_key = ""
        self._is_child = True
        """Whether what runs is a child of this program."""

    def key(self, run: int) -> str:
        """By which the keeper holds what belongs to a run."""
        return f"{self.uuid}.{run}"

    def say(self, text: str) -> None:
        """Say this to the program on its channel."""
        assert self.talk is not None
        self.talk.say(text)

    def redirect(self, output: Output) -> None:
        """What it writes goes there from the next run on."""
        self._output = output

    def start(self, process: Process, token: int) -> None:
        """Spawn it soon: feeds Spawned or SpawnFailed, and Exited when it ends."""
        reading: list[int] = []
        writing: list[int] = []
        try:
            if self._output.is_straight:
                writing += self._output.ends()
            for _ in range(2 - len(writing)):
                read, write = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
                reading.append(read)
                writing.append(write)
                os.set_blocking(read, False)
            channel = None if self.talk is None else self.talk.offer()
        except OSError as error:
            for fd in (*reading, *writing):
                os.close(fd)
            stillborn = describe(error, process.spec.command[0], None)
            self._feed(self.uuid, SpawnFailed(stillborn.why, stillborn.passing))
            return
        self._reading = tuple(reading)
        self._run_key = self.key(process.runs + 1)
        self.begun = self._output.ring.end
        self._tools.spawner.submit(
            Job(
                command=process.spec.command,
                cwd=process.spec.cwd,
                env=environment(process, token, self._tools),
                stdin=self._tools.null,
                stdout=writing[0],
                stderr=writing[1],
                done=self._spawned,
                channel=channel,
                key=self._run_key,
            )
        )

    def detach(self, process: Process) -> None:
        """Let go of the run that there is: the keeper reads its pipes, and nothing is done to it any more."""
        thing = self.thing()
        if thing is None:
            return
        if self._pumps and self._tools.keeping.usable:  # else they are read for as long as this agent is there
            try:
                self._hand_over(process, thing)
            except OSError as error:
                text = "output of %s (pid %d), which was detached, is read only as long as this agent is there: %s"
                logger.error(text, process.name, thing.pid, error)
        self._tools.keeping.drop([evolve(thing, kind="channel", fds=())])
        self._tools.keeping.spare([thing])
        if self.talk is not None:
            self.talk.end()
        self._tools.census.spared[thing.pid] = thing.start
        self._run += 1  # it is reaped at its end, and that is nobody's business
        self.pid, self.pidfd = 0, None

    def _hand_over(self, process: Process, thing: Thing) -> None:
        """What is written to its pipes goes to its files, or to nothing, raw as it comes."""
        self._tools.keeping.ensure()
        paths = (os.devnull, os.devnull)
        if process.spec.logs.file is not None:
            paths = log_paths(process.spec.logs, process.spec.cwd, slot_of(process))
        files = _appended(paths)
        pumps, self._pumps = self._pumps, ()
        pipes = []
        for i, (pump, file) in enumerate(zip(pumps, files, strict=True)):
            fd = pump.release()
            if fd is None:
                os.close(file)
            else:
                pipes.append(Thing("pipe", f"{thing.key}.{i}", thing.pid, thing.start, (fd, file)))
        if pipes:
            self._tools.keep(pipes)
        for pipe in pipes:
            for fd in pipe.fds:
                os.close(fd)

    def thing(self) -> Thing | None:
        """What the keeper holds of the run that there is."""
        if not self.pid or self.ident is None:
            return None
        return Thing("pid", self._run_key, self.pid, self.ident.start, () if self.pidfd is None else (self.pidfd,))

    def things(self) -> list[Thing]:
        """All that the keeper should hold of it."""
        thing = self.thing()
        held = self._channels() if self._tools.keeping.holds else []
        return held if thing is None else [thing, *held]

    def _channels(self) -> list[Thing]:
        """The channel as a thing, if there is one."""
        fds = () if self.talk is None else self.talk.fds
        if not fds or self.ident is None:
            return []
        return [Thing("channel", self._run_key, self.ident.pid, self.ident.start, fds)]

    def signal(self, effect: Signal) -> None:
        """Send it: to the process alone, to its tree, or to strays. What is gone is no error."""
        number = signal.Signals[effect.name].value
        if effect.strays:
            for stray in effect.strays:
                self._tools.census.signal(self._kin, stray.pid, number)
            return
        if not self.pid or self.ident is None:
            return
        self._shot = self._shot or number == signal.SIGKILL
        if not effect.tree:
            send(self.ident, self.pidfd, number, self._is_child)
            return
        self._see_below()
        send_group(self.ident, self.pidfd, number, self._tools.features, self._is_child)
        if number == signal.SIGKILL:
            for pid, _ in self._seen:
                self._tools.census.signal(self._kin, pid, number)

    def _see_below(self) -> None:
        """Remember who is below it now, unless its number had a new owner meanwhile."""
        if not self._tools.features.procfs or self.ident is None:
            return
        found = below(self.pid)
        if is_there(self.ident, self.pidfd, self._is_child):
            self._seen |= found

    def look(self) -> None:
        """Is anything left? Feeds Looked."""
        self._tools.census.ask(self._kin, self._looked)

    def close(self) -> None:
        """It was deleted, or the agent ends."""
        self._close_pumps()
        self._close_reading()
        self._output.close()
        if self.talk is not None:
            self.talk.close()

    def kill_now(self) -> None:
        """The last resort when the agent's own parts have failed: SIGKILL to its group, and reap it here."""
        if not self.pid or self.ident is None:
            return
        send_group(self.ident, self.pidfd, signal.SIGKILL, self._tools.features)
        with contextlib.suppress(ChildProcessError):
            if self.pidfd is not None:
                os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
            elif is_there(self.ident, None, True):
                os.waitpid(self.pid, 0)
        self._tools.watch.forget(self.pid, self.pidfd)
        self.pid, self.pidfd = 0, None

    # what comes of it -----------------------------------------------------------------------------------------

    def _spawned(self, outcome: Born | Stillborn) -> None:
        if isinstance(outcome, Stillborn):
            self._close_reading()
            if self.talk is not None:
                self.talk.end()
            self._feed(self.uuid, SpawnFailed(outcome.why, outcome.passing))
            return
        self._close_pumps()  # of an earlier run, if a descendant has kept its pipe open
        self.pid = self.last_pid = outcome.pid
        self.pidfd = outcome.pidfd
        self.ident = Ident(outcome.pid, outcome.start, boot_id())
        self._is_child = True
        poller = self._tools.poller
        reading, self._reading = self._reading, ()
        self._pumps = tuple(Pump(fd, stream, self._output, poller) for stream, fd in enumerate(reading))
        self._seen = _NOBODY
        self._shot = False
        self._tools.oom.begun(self.ident)
        if self._output.is_straight:
            self._output.resume()
        if self.talk is not None:
            self.talk.begin()
            if self._tools.keeping.holds:
                self._tools.keeping.put(self._channels())
        self._feed(self.uuid, Spawned(outcome.pid))
        self._tools.watch.add(outcome.pid, outcome.pidfd, _Over(self, self._run), outcome.start)

    def over(self, run: int, end: End) -> None:
        """A run is over; one that was detached is nobody's business."""
        thing = self.thing()
        if run != self._run or thing is None:
            return
        held = [evolve(thing, fds=()), evolve(thing, kind="channel", fds=())]
        self.pid = 0
        self.pidfd = None
        self._ended(end)
        if self._tools.keeping.holds:  # else the keeper sees by itself that it need not be held
            self._tools.keeping.drop(held)

    def _ended(self, end: End) -> None:
        self._output.drain()
        for pump in self._pumps:
            pump.drain()
        if self.talk is not None:
            self.talk.end()
        last_lines = self._output.ring.last_lines(LAST_LINES, self.begun)
        self._feed(self.uuid, Exited(end.code, end.signal, end.usage, last_lines, self._was_oom(end)))

    def _was_oom(self, end: End) -> bool:
        if self.ident is None or end.signal != "SIGKILL":
            if self.ident is not None:
                self._tools.oom.forget(self.ident)
            return False
        return self._tools.oom.was(self.ident, self._shot)

    def _looked(self, strays: tuple[Stray, ...]) -> None:
        if not strays:
            self._close_pumps()
            self._output.run_ended()
        self._feed(self.uuid, Looked(strays))

    def _close_reading(self) -> None:
        reading, self._reading = self._reading, ()
        for fd in reading:
            os.close(fd)

    def _close_pumps(self) -> None:
        pumps, self._pumps = self._pumps, ()
        for pump in pumps:
            pump.close()

    @property
    def _kin(self) -> Kin:
        return Kin(self.uuid, self.last_pid, self._seen, 0 if self.ident is None else self.ident.start)
