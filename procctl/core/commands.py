"""What is said of processes: looked at, added, started, stopped, let go of."""

from __future__ import annotations

from attrs import frozen

from .records import Json
from .replies import Batch
from .request import Request, Target
from .specs import ProcessSpec

__all__ = ["Add", "Adopt", "Ask", "Delete", "Detach", "Kill", "Reopen", "Restart", "Signal", "Start", "Status", "Stop"]


@frozen(kw_only=True, eq=False, repr=False)
class Status(Target, Request[Batch]):
    """What is known. With the envelope's ``until`` it waits for that.

    Attributes:
        stats: Whether memory and CPU are sampled for it.
        detail: Whether what is declared and how past runs ended is told too.
    """

    command = "status"
    replies = (Batch,)
    stats: bool = True
    detail: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Add(Request[Batch]):
    """Register a process, or its instances, and start it.

    Attributes:
        spec: What is wanted.
        hostname: On which host; a pattern needs to match exactly one, unless `each`.
        uuid: The client's choice, so that an add whose answer was lost can be found; empty: made here.
        start: Whether to start it at once.
        each: On every host that matches.
    """

    command = "add"
    replies = (Batch,)
    spec: ProcessSpec
    hostname: str = ""
    uuid: str = ""
    start: bool = True
    each: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Start(Target, Request[Batch]):
    """Start what is stopped or was never started.

    Attributes:
        all: Needed where the target is empty.
        force: Stop other holders of the slot first.
        standby: Wait for the holder of the slot to end, instead of being refused.
    """

    command = "start"
    replies = (Batch,)
    all: bool = False
    force: bool = False
    standby: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Stop(Target, Request[Batch]):
    """Ask to end, and see to it.

    Attributes:
        all: Needed where the target is empty.
        grace: Seconds until SIGKILL instead of the process's own; None: its own.
        hard: End the program of a process with hooks too, instead of asking it to pause its work.
    """

    command = "stop"
    replies = (Batch,)
    all: bool = False
    grace: float | None = None
    hard: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Kill(Target, Request[Batch]):
    """End at once; it stays stopped whatever its restart policy.

    Attributes:
        all: Needed where the target is empty.
        signal: Another signal to begin with; SIGKILL follows after `grace` seconds.
        grace: Seconds between the two.
    """

    command = "kill"
    replies = (Batch,)
    all: bool = False
    signal: str = "SIGKILL"
    grace: float = 10.0


@frozen(kw_only=True, eq=False, repr=False)
class Signal(Target, Request[Batch]):
    """Send a signal to the process itself and leave everything else as it is."""

    command = "signal"
    replies = (Batch,)
    all: bool = False
    signal: str


@frozen(kw_only=True, eq=False, repr=False)
class Ask(Target, Request[Batch]):
    """Put a question of one's own to programs that have a channel; the batch has their answers.

    Attributes:
        all: Needed where the target is empty.
        action: What is asked for; what it means is between the asker and the program.
        data: Any JSON value.
    """

    command = "ask"
    replies = (Batch,)
    all: bool = False
    action: str
    data: Json = "null"


@frozen(kw_only=True, eq=False, repr=False)
class Restart(Target, Request[Batch]):
    """Stop, and start again when verified empty; start what is stopped."""

    command = "restart"
    replies = (Batch,)
    all: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Reopen(Target, Request[Batch]):
    """Go on writing output in the files that are at their paths now: somebody has moved the old ones away."""

    command = "reopen"
    replies = (Batch,)
    all: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Delete(Target, Request[Batch]):
    """Forget processes that do not run."""

    command = "delete"
    replies = (Batch,)
    all: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Detach(Target, Request[Batch]):
    """Let go of what runs: it goes on, and is none of ours any more."""

    command = "detach"
    replies = (Batch,)
    all: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Adopt(Request[Batch]):
    """Take over a program that runs already.

    Attributes:
        pid: Which.
        spec: What it is from now on: its name, and the command of its next start. Where the name is that of a process
            that rests, this takes its place.
        hostname: On which host.
        start: When it began, in ticks since the boot (field 22 of /proc/PID/stat); 0: whatever has this pid now.
        boot: Which boot of the machine that was, or empty.
        uuid: The client's choice for a new process.
    """

    command = "adopt"
    replies = (Batch,)
    pid: int
    spec: ProcessSpec
    hostname: str = ""
    start: int = 0
    boot: str = ""
    uuid: str = ""
