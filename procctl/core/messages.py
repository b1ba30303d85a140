"""The vocabulary: requests, replies, stream items. Closed unions of frozen classes; nobody passes a dict.

A request's fields travel flat beside the envelope's, so none may be named like one of those (`RESERVED`); it is
checked when this module is imported. Which replies a request may have stands in its class, and the one place that
turns a reply into that type is `procctl.service.exchange`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

from attrs import field, fields, frozen

from .happenings import (
    AnyEvent,
    LogChunk,
    Lost,
    Registered,
    Removed,
    Snapshot,
    StateChanged,
)
from .leases import Lease
from .records import Item, Json, Wall
from .replies import (
    AgentInfo,
    AnyReply,
    Approval,
    Batch,
    ChildAnswer,
    Detail,
    Done,
    Failure,
    Grant,
    Heard,
    HeldForPerson,
    HostInfo,
    HostList,
    Inbox,
    Miss,
    Refusal,
    Renewed,
    Welcome,
)
from .specs import Level, Mode, ProcessSpec, Scope
from .value import Value

__all__ = [
    "EVENTS",
    "REPLIES",
    "REQUESTS",
    "RESERVED",
    "UNTIL",
    "Add",
    "Adopt",
    "AgentInfo",
    "AgentStatus",
    "AgentStop",
    "AnyEvent",
    "AnyReply",
    "AnyRequest",
    "AnyStream",
    "Approval",
    "Approvals",
    "Approve",
    "Ask",
    "Batch",
    "ChildAnswer",
    "Delete",
    "Deny",
    "Detach",
    "Detail",
    "Done",
    "Events",
    "Failure",
    "Goodbye",
    "Grant",
    "Heard",
    "Heartbeat",
    "HeldForPerson",
    "Hello",
    "HostInfo",
    "HostList",
    "Hosts",
    "Inbox",
    "Kill",
    "LeaseExited",
    "LeaseOverride",
    "LeaseRenew",
    "LeaseRevoke",
    "LeaseWithdraw",
    "LogChunk",
    "Logs",
    "Lost",
    "Miss",
    "Permit",
    "Refusal",
    "Registered",
    "Removed",
    "Renewed",
    "Reopen",
    "Request",
    "Restart",
    "Signal",
    "Snapshot",
    "Start",
    "StateChanged",
    "Status",
    "Stop",
    "StreamRequest",
    "Target",
    "Until",
    "Welcome",
]

R_co = TypeVar("R_co", covariant=True)
I_co = TypeVar("I_co", covariant=True)

Until = Literal["accepted", "settled", "running", "ready", "stopped", "exit"]
"""When a command on processes is answered. ``settled``: running, refused, failed, or held for a person; for a stop:
verified empty."""

UNTIL: tuple[str, ...] = get_args(Until)

RESERVED = frozenset(
    (
        *("id", "re", "to", "seq", "key", "by", "until", "deadline", "trace", "command"),
        *("error", "item", "lost", "first", "next", "end", "credit", "cancel"),
    )
)
"""The envelope's names."""


@frozen(kw_only=True, eq=False, repr=False)
class Request(Value, Generic[R_co]):
    """Base of requests that have one reply."""

    command: ClassVar[str]
    replies: ClassVar[tuple[type[Any], ...]]


@frozen(kw_only=True, eq=False, repr=False)
class StreamRequest(Value, Generic[I_co]):
    """Base of requests that are answered by a stream of items."""

    command: ClassVar[str]


@frozen(kw_only=True, eq=False, repr=False)
class Target(Value):
    """Which processes are meant. Empty fields mean all; see `procctl.core.matching`."""

    hostname: str = ""
    uuid: str = ""
    name: str = ""
    group: str = ""

    @property
    def everything(self) -> bool:
        """Whether nothing in particular is meant."""
        return not (self.hostname or self.uuid or self.name or self.group)


@frozen(kw_only=True, eq=False, repr=False)
class Hello(Request[Welcome]):
    """The first word on a link.

    Attributes:
        name: Who speaks.
        role: client, agent or controller.
        version: Of procctl.
        heartbeat: Seconds between signs of life that the speaker wants; 0: none.
        epoch: Which run of the agent this is.
        leases: What the agent holds at present.
        rids: Its questions for permission that are open.
        asked: Its clock, when it says so.
        boot: Which boot of its machine, or empty.
        knows: By that clock: of what its earlier runs have asked for since then, what is not among `leases` has ended.
            None: it knows nothing of earlier runs.
        features: What the agent's kernel offers, by name.
        token: A bearer's credential, where the listener wants one.
    """

    command = "hello"
    replies = (Welcome,)
    name: str
    role: Literal["client", "agent", "controller"] = "client"
    version: str = ""
    heartbeat: float = 0.0
    epoch: str = ""
    leases: tuple[Lease, ...] = ()
    rids: tuple[str, ...] = ()
    asked: float = 0.0
    boot: str = ""
    knows: float | None = None
    features: dict[str, bool] = field(factory=dict)
    token: str = ""

    def __repr__(self) -> str:
        return f"Hello(name={self.name!r}, role={self.role!r})"


@frozen(kw_only=True, eq=False, repr=False)
class Heartbeat(Request[Heard]):
    """An agent's state for its controller, numbered; a link's empty sign of life has no fields.

    Attributes:
        beat: Grows by one with each, over the life of the agent; 0: a sign of life only.
        whole: Whether `items` belong to a snapshot of all that there is; else they are what changed since the last.
        part: Which part of the snapshot this is, from 0 on; each has the next number.
        more: Whether it has further parts.
        items: Processes.
        gone: uuids of processes that were deleted.
        digest: Of all that was told up to here, see `procctl.core.digest`; empty: not told.
    """

    command = "heartbeat"
    replies = (Heard, Done)
    beat: int = 0
    whole: bool = False
    part: int = 0
    more: bool = False
    items: tuple[Item, ...] = ()
    gone: tuple[str, ...] = ()
    digest: str = ""


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


@frozen(kw_only=True, eq=False, repr=False)
class Permit(Request[Grant | Refusal | HeldForPerson]):
    """An agent asks whether a process may run now.

    Attributes:
        rid: The question's identity: asking again changes nothing.
        slot: The name that exclusivity is about.
        uuid: The process.
        hostname: Where it would run.
        mode: The start mode.
        scope: Where other holders count.
        level: What becomes of the slot when this host is lost.
        group: Its group.
        standby: Wait for the holder of the slot to end.
        asked: The agent's clock, when it says so; the grant quotes it.
        boot: Which boot of its machine, or empty.
        patient: Wait for the answer instead of being told that there is none yet.
        again: It is an automatic restart: nobody has asked for it.
    """

    command = "lease.permit"
    replies = (Grant, Refusal, HeldForPerson)
    rid: str
    slot: str
    uuid: str
    hostname: str
    mode: Mode
    scope: Scope = "fleet"
    level: Level = "lease"
    group: str = ""
    standby: bool = False
    asked: float = 0.0
    boot: str = ""
    patient: bool = False
    again: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class LeaseWithdraw(Request[Done]):
    """The question is not asked any more."""

    command = "lease.withdraw"
    replies = (Done,)
    rid: str


@frozen(kw_only=True, eq=False, repr=False)
class LeaseExited(Request[Done]):
    """What ran on this lease has ended, verified empty; or, if not `started`, never will run on it."""

    command = "lease.exited"
    replies = (Done,)
    token: int
    slot: str = ""
    started: bool = True


@frozen(kw_only=True, eq=False, repr=False)
class LeaseRenew(Request[Renewed]):
    """An agent is there: what it holds, and what it asks for.

    Attributes:
        asked: Its clock, when it says so; the answer quotes it.
        tokens: What it holds and does not stop.
        rids: Its open questions: what they are answered with counts from now.
    """

    command = "lease.renew"
    replies = (Renewed,)
    asked: float
    tokens: tuple[int, ...] = ()
    rids: tuple[str, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class LeaseRevoke(Request[Done]):
    """A gate has what runs on this lease stopped, whatever it is asked to do by others; nothing else is.

    Attributes:
        token: The lease.
        uuid: The process.
    """

    command = "lease.revoke"
    replies = (Done,)
    token: int
    uuid: str


@frozen(kw_only=True, eq=False, repr=False)
class LeaseOverride(Request[Done]):
    """A person says that what holds a slot has ended, because they have seen to it. It is free at once, and logged.

    Attributes:
        slot: Which.
        hostname: On whose host; empty: wherever.
    """

    command = "lease.override"
    replies = (Done,)
    slot: str
    hostname: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class Approvals(Request[Inbox]):
    """The open questions for people."""

    command = "approvals"
    replies = (Inbox,)


@frozen(kw_only=True, eq=False, repr=False)
class Approve(Request[Done]):
    """Yes to one of them."""

    command = "approve"
    replies = (Done,)
    approval: str


@frozen(kw_only=True, eq=False, repr=False)
class Deny(Request[Done]):
    """No to one of them."""

    command = "deny"
    replies = (Done,)
    approval: str
    reason: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class AgentStatus(Request[AgentInfo]):
    """An agent about itself."""

    command = "agent.status"
    replies = (AgentInfo,)


@frozen(kw_only=True, eq=False, repr=False)
class AgentStop(Request[Done]):
    """End the agent and all that it runs; answered when all is verified empty."""

    command = "agent.stop"
    replies = (Done,)


@frozen(kw_only=True, eq=False, repr=False)
class Hosts(Request[HostList]):
    """The agents that are known; an agent knows itself.

    Attributes:
        hostname: Whose names match; empty: all.
    """

    command = "hosts"
    replies = (HostList,)
    hostname: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class Goodbye(Request[Done]):
    """An agent leaves its controller on purpose; nothing of it runs any more."""

    command = "goodbye"
    replies = (Done,)


@frozen(kw_only=True, eq=False, repr=False)
class Logs(Target, StreamRequest[LogChunk]):
    """The output of processes, merged in the order of time.

    Attributes:
        since: Begin behind this cursor, or these, separated by commas; empty: see `tail`.
        tail: Begin so many lines before the end; None: at the beginning of what is kept.
        follow: Go on with what comes, until cancelled or the processes are deleted.
        stream: stdout or stderr; empty: both.
        after: Only what came at this time or later; files are read for it. 0: whatever is in memory.
        grep: Only lines in which this pattern is found, see `procctl.core.pattern`; empty: all, in pieces as they came.
    """

    command = "logs"
    since: str = ""
    tail: int | None = None
    follow: bool = False
    stream: Literal["", "stdout", "stderr"] = ""
    after: Wall = 0.0
    grep: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class Events(StreamRequest[AnyEvent]):
    """What happens: a snapshot, then changes.

    Attributes:
        since: Begin behind this cursor, without a snapshot; empty: with a snapshot of now.
        follow: Go on with what comes.
    """

    command = "events"
    since: str = ""
    follow: bool = True


AnyRequest = (
    Hello
    | Heartbeat
    | Status
    | Add
    | Start
    | Stop
    | Kill
    | Signal
    | Ask
    | Restart
    | Reopen
    | Delete
    | Detach
    | Adopt
    | Permit
    | LeaseWithdraw
    | LeaseExited
    | LeaseRenew
    | LeaseRevoke
    | LeaseOverride
    | Approvals
    | Approve
    | Deny
    | AgentStatus
    | AgentStop
    | Hosts
    | Goodbye
)
AnyStream = Logs | Events

REQUESTS: dict[str, type[Any]] = {c.command: c for c in (*get_args(AnyRequest), *get_args(AnyStream))}
"""The closed table of verbs."""
REPLIES: dict[str, type[Any]] = {c.kind: c for c in get_args(AnyReply)}
EVENTS: dict[str, type[Any]] = {c.type: c for c in get_args(AnyEvent)}

for _class in REQUESTS.values():
    _taken = RESERVED & {attribute.name for attribute in fields(_class)}
    if _taken:
        raise TypeError(f"{_class.__name__}: the envelope has fields of these names: {sorted(_taken)}")
