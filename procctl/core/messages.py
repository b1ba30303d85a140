"""The vocabulary: requests, replies, stream items. Closed unions of frozen classes; nobody passes a dict.

A request's fields travel flat beside the envelope's, so none may be named like one of those (`RESERVED`); it is
checked when this module is imported. Which replies a request may have stands in its class, and the one place that
turns a reply into that type is `procctl.service.exchange`.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from attrs import field, fields, frozen

from .admission import (
    Approvals,
    Approve,
    Deny,
    LeaseExited,
    LeaseOverride,
    LeaseRenew,
    LeaseRevoke,
    LeaseWithdraw,
    Permit,
)
from .commands import (
    Add,
    Adopt,
    Ask,
    Delete,
    Detach,
    Kill,
    Reopen,
    Restart,
    Signal,
    Start,
    Status,
    Stop,
)
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
from .records import Item, Wall
from .replies import (
    AgentInfo,
    AnyReply,
    Approval,
    Batch,
    ChildAnswer,
    Detail,
    Done,
    Failure,
    Freed,
    Grant,
    Heard,
    HeldForPerson,
    Holder,
    HostInfo,
    HostList,
    Inbox,
    Miss,
    Refusal,
    Renewed,
    Welcome,
)
from .request import RESERVED, UNTIL, Request, StreamRequest, Target, Until

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
    "Freed",
    "Goodbye",
    "Grant",
    "Heard",
    "Heartbeat",
    "HeldForPerson",
    "Hello",
    "Holder",
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
