"""What is wanted: how a process is to be run. Frozen values without behaviour.

Durations are seconds (float), sizes are bytes (int). Where they come from text ("10s", "5m", "1MiB"), the
text was read at the edge.
"""

from __future__ import annotations

import re
from typing import Literal

from attrs import field, frozen

from .value import Value

__all__ = [
    "NAME",
    "SHUTDOWN",
    "AnyReady",
    "DependsOn",
    "HooksSpec",
    "Level",
    "LogFormat",
    "LogSpec",
    "Mode",
    "ProcessSpec",
    "ReadyCommand",
    "ReadyLog",
    "ReadyMessage",
    "ReadyTcp",
    "RestartPolicy",
    "RestartSpec",
    "Scope",
    "StopSpec",
]

Mode = Literal["many", "one", "force"]
"""How many of a slot may run: any number; one, refusing the second; one, the newest displacing the others."""

Scope = Literal["fleet", "host"]
"""Where the other holders of a slot are looked for."""

Level = Literal["lease", "strict"]
"""When a slot for one is free again although its holder has not said so: when its lease has run out, or never."""

LogFormat = Literal["raw", "text", "json"]

RestartPolicy = Literal["always", "on-failure", "never"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}\Z")
"""A process name. ``all`` is none: as a target it means everything."""

HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,252}\Z")
"""A host's name: it stands in targets, in files' names and in messages."""


@frozen(kw_only=True, eq=False, repr=False)
class RestartSpec(Value):
    """What happens after an end that nobody asked for.

    Attributes:
        policy: ``always``, ``on-failure`` (a code other than 0, or a signal), or ``never``.
        delay: Seconds before the first and at most before a later restart; doubled each time in between.
        jitter: Share of the delay, 0 to 1, that is random: a fleet does not restart in step.
        limit: So many restarts within `window` seconds; the next end is given up on. None: for ever.
        window: Seconds.
        min_uptime: A run that was shorter is not restarted at all (seconds).
        reset: A run that was longer counts as healthy: the delay begins again at its low end (seconds).
    """

    policy: RestartPolicy = "never"
    delay: tuple[float, float] = (1.0, 60.0)
    jitter: float = 0.5
    limit: int | None = 10
    window: float = 300.0
    min_uptime: float = 0.0
    reset: float = 30.0


SHUTDOWN = "shutdown"
"""A step of a stop that is no signal: the message of that word is sent to the program."""

OnTimeout = Literal["end", "kill", "fail"]


@frozen(kw_only=True, eq=False, repr=False)
class HooksSpec(Value):
    """The program is asked to begin and to pause its work, and says when it has.

    Attributes:
        timeout: Seconds for each of its answers.
        on_timeout: What follows if none comes, or a refusal. ``end``: the program is ended by the steps of its stop;
            ``kill``: at once; ``fail``: the command fails and the program goes on as it is.
    """

    timeout: float = 10.0
    on_timeout: OnTimeout = "end"


OnSilence = Literal["show", "end", "kill"]


@frozen(kw_only=True, eq=False, repr=False)
class WatchdogSpec(Value):
    """The program says something on its channel now and then, or is not responding (``watchdog-lost``).

    Attributes:
        every: Seconds in which it says something, whatever it is; `procctl.child` has ``alive`` for it.
        on_silence: What follows if it does not. ``show``: nothing, until it speaks; ``end``: it is ended by the steps
            of its stop, as a failure; ``kill``: at once. The restart policy decides what comes then.
    """

    every: float = 30.0
    on_silence: OnSilence = "show"


@frozen(kw_only=True, eq=False, repr=False)
class StopSpec(Value):
    """How a process is asked to end: signals with the seconds to wait after each. SIGKILL always ends it. The step
    `SHUTDOWN` sends a message instead of a signal."""

    steps: tuple[tuple[str, float], ...] = (("SIGTERM", 10.0),)

    @property
    def grace(self) -> float:
        """Seconds from the first signal to SIGKILL."""
        return sum(wait for _, wait in self.steps)


@frozen(kw_only=True, eq=False, repr=False)
class LogSpec(Value):
    """Where output is kept.

    Attributes:
        file: Also append it to this file, relative to the process's folder; None: memory only. With several instances
            each has its own: ``web.log`` becomes ``web.1.log``.
        stderr: Another file for stderr; None: together with stdout.
        max_size: Bytes after which a file is rotated, at the end of a line; None: never.
        max_age: Seconds after its first byte after which it is; None: never.
        keep: How many rotated files of each are kept.
        compress: Whether those are compressed with gzip.
        format: ``raw``: as it came; ``text``: behind time and stream; ``json``: one object a line.
        ring: How many of the last bytes stay in memory.
    """

    file: str | None = None
    stderr: str | None = None
    max_size: int | None = None
    max_age: float | None = None
    keep: int = 5
    compress: bool = False
    format: LogFormat = "raw"
    ring: int = 1 << 20


@frozen(kw_only=True, eq=False, repr=False)
class ReadyTcp(Value):
    """Ready when something accepts a connection there."""

    port: int
    host: str = "127.0.0.1"
    every: float = 0.1
    timeout: float = 30.0


@frozen(kw_only=True, eq=False, repr=False)
class ReadyLog(Value):
    """Ready when a line of its output matches this regular expression (searched, not anchored)."""

    pattern: str
    timeout: float = 30.0


@frozen(kw_only=True, eq=False, repr=False)
class ReadyCommand(Value):
    """Ready when this program, run in the same folder and environment, exits with 0."""

    command: tuple[str, ...]
    every: float = 0.5
    timeout: float = 30.0


@frozen(kw_only=True, eq=False, repr=False)
class ReadyMessage(Value):
    """Ready when the program sends this text on its channel."""

    message: str
    timeout: float = 30.0


AnyReady = ReadyTcp | ReadyLog | ReadyCommand | ReadyMessage

DependsOn = Literal["started", "ready", "completed", "succeeded"]
"""running; running and ready; ended, whatever the code; ended with code 0."""


def _hooks(value: HooksSpec | bool | None) -> HooksSpec | None:
    if isinstance(value, bool):
        return HooksSpec() if value else None
    return value


@frozen(kw_only=True, eq=False, repr=False)
class ProcessSpec(Value):
    """One declared process, or `instances` of it.

    Attributes:
        name: See `NAME`. With more than one instance the slots are ``name.1``, ``name.2``, ….
        command: The program and its arguments; no shell.
        cwd: Its folder; None: the agent's.
        env: Added to the agent's environment; a value of None takes a variable away.
        group: For the target ``group:NAME``.
        instances: How many slots.
        mode: How many of one slot may run, see `Mode`.
        scope: Where the others are looked for, see `Scope`.
        level: What becomes of a slot for one whose host is lost, see `Level`.
        standby: Wait for the holder of the slot to end, instead of being refused.
        admission: Whether to ask for permission before each start; None: yes. Where there is neither a controller
            nor a policy, it is given.
        restart: After an end that nobody asked for.
        stop: How it is asked to end.
        depends_on: Names and what is expected of each before this one starts.
        ready: When it counts as ready; None: as soon as it runs.
        logs: Where its output is kept.
        hooks: Whether and how it is asked to begin and to pause its work; True: as is usual; None: not at all.
        watchdog: How often it has to say something; None: never.
    """

    name: str
    command: tuple[str, ...]
    cwd: str | None = None
    env: dict[str, str | None] = field(factory=dict, hash=False)
    group: str = ""
    instances: int = 1
    mode: Mode = "many"
    scope: Scope = "fleet"
    level: Level = "lease"
    standby: bool = False
    admission: bool | None = None
    restart: RestartSpec = RestartSpec()
    stop: StopSpec = StopSpec()
    depends_on: dict[str, DependsOn] = field(factory=dict, hash=False)
    ready: AnyReady | None = None
    logs: LogSpec = LogSpec()
    hooks: HooksSpec | None = field(default=None, converter=_hooks)
    watchdog: WatchdogSpec | None = None

    @property
    def channel(self) -> bool:
        """Whether messages go to and fro between the program and the agent."""
        talks = self.hooks is not None or self.watchdog is not None or isinstance(self.ready, ReadyMessage)
        return talks or any(name == SHUTDOWN for name, _ in self.stop.steps)
