"""What is told of one process: why it is as it is, how it ended, and the item that shows it whole."""

from __future__ import annotations

from typing import Annotated

from attrs import field, frozen

from .value import Value

__all__ = ["ExitRecord", "Ident", "Item", "Json", "Memo", "Stray", "Usage", "Wall", "Why"]

Wall = Annotated[float, "wall"]
"""An instant: seconds since the epoch here, RFC 3339 text on the wire."""


Json = Annotated[str, "json"]
"""Any value: a text of JSON here, the value itself on the wire."""


@frozen(eq=False, repr=False)
class Stray(Value):
    """A descendant that is alive although its process has ended. `escaped`: it had left the process group."""

    pid: int
    name: str
    escaped: bool = True


@frozen(eq=False, repr=False)
class Ident(Value):
    """Which process is meant, beyond its pid, which may have a new owner.

    Attributes:
        pid: Its number.
        start: When it began, in ticks since the boot (field 22 of /proc/PID/stat, proc(5)); 0: not known.
        boot: Which boot of the machine (/proc/sys/kernel/random/boot_id), or empty.
    """

    pid: int
    start: int = 0
    boot: str = ""


@frozen(eq=False, repr=False)
class Usage(Value):
    """What a process used, as the kernel counted at its end: CPU in seconds, largest resident size in bytes."""

    user: float
    system: float
    max_rss: int


@frozen(kw_only=True, eq=False, repr=False)
class Why(Value):
    """The reason for a state, as data.

    Attributes:
        code: A stable word for programs: ``running``, ``backoff``, ``denied``, ``spawn-failed``, ….
        text: The same for people.
        by: Who asked for it, or empty.
        since: Since when, seconds since the epoch.
        next: When the next try is, seconds since the epoch, or None.
    """

    code: str = ""
    text: str = ""
    by: str = ""
    since: Wall = 0.0
    next: Wall | None = None


@frozen(kw_only=True, eq=False, repr=False)
class ExitRecord(Value):
    """How a run ended. `code` and `signal` are both None where nobody can tell: unknown, never 0.

    Attributes:
        code: The exit code, or None.
        signal: The signal that ended it (``SIGKILL``), or None.
        at: When, seconds since the epoch.
        uptime: How long it had run, seconds.
        usage: What the kernel counted, or None.
        by: Who had asked for the end, or empty.
        escaped: Descendants that had left its process group, or that outlived the whole procedure.
        last_lines: The last of its output, as texts.
        oom: Whether the kernel has killed it for want of memory. False also where that cannot be seen.
        cause: Why procctl itself has ended it (its lease was over, it was not ready in time, …), or empty.
    """

    code: int | None
    signal: str | None
    at: Wall
    uptime: float
    usage: Usage | None = None
    by: str = ""
    escaped: tuple[Stray, ...] = ()
    last_lines: tuple[str, ...] = ()
    oom: bool = False
    cause: str = ""

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than with code 0."""
        return self.code != 0

    def describe(self) -> str:
        """One phrase: ``exited with 1``."""
        if self.signal is not None:
            return f"killed by {self.signal}" + (": out of memory" if self.oom else "")
        if self.code is not None:
            return f"exited with {self.code}"
        return "ended, and the kernel could not tell how"


class Memo:
    """Room for what is made of a value again and again. No field of it: what is evolved from it has none yet."""

    __slots__ = ("text",)
    text: str


@frozen(kw_only=True, eq=False, repr=False)
class Item(Memo, Value):
    """One process as everybody sees it.

    Attributes:
        name: Its slot.
        uuid: Stays the same over restarts.
        hostname: The host that runs it.
        pid: 0 when it does not run.
        status: Kontrol's integer for the state.
        state: The state as a word.
        detail: The phase within it.
        timestamp: When it last changed, seconds since the epoch.
        memory: Resident bytes when last sampled.
        cpu: Percent of one processor between the last two samples.
        uptime: Whole seconds since it was spawned; 0 when it does not run.
        why: The reason for the state.
        ready: Whether it is ready; None where it does not run.
        restarts: How often it was started again since it was added.
        group: Its group, or empty.
        exit: How its last run ended, or None.
        said: What the program says of itself, or empty.
        metrics: Its own numbers, by name.
        trouble: What is not as it should be although it runs, such as a log file that cannot be written; or empty.
    """

    name: str
    uuid: str
    hostname: str
    pid: int = 0
    status: int = 3
    state: str = "notstarted"
    detail: str = "registered"
    timestamp: Wall = 0.0
    memory: int = 0
    cpu: float = 0.0
    uptime: int = 0
    why: Why = Why()
    ready: bool | None = None
    restarts: int = 0
    group: str = ""
    exit: ExitRecord | None = None
    said: str = ""
    metrics: dict[str, float] = field(factory=dict, hash=False)
    trouble: str = ""
