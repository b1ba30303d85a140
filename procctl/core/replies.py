"""Replies: what a service answers to a request. A closed union of frozen classes, told apart by `kind`."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import field, frozen

from .records import ExitRecord, Item, Json, Wall
from .specs import Mode, ProcessSpec
from .value import Value

__all__ = [
    "NOTHING_NEW",
    "AgentInfo",
    "AnyReply",
    "Approval",
    "Batch",
    "ChildAnswer",
    "Detail",
    "Done",
    "Failure",
    "Freed",
    "Grant",
    "Heard",
    "HeldForPerson",
    "Holder",
    "HostInfo",
    "HostList",
    "Inbox",
    "Miss",
    "Refusal",
    "Renewed",
    "Welcome",
]


@frozen(kw_only=True, eq=False, repr=False)
class Miss(Value):
    """One target that did not do as told, or one host that did not answer."""

    target: str
    code: str
    message: str
    hint: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class Detail(Value):
    """More of one process than an item has.

    Attributes:
        uuid: The process.
        spec: What is declared, without the values of its environment.
        environment: The names of the variables that are added.
        past: How its last runs ended, the newest first.
    """

    uuid: str
    spec: ProcessSpec
    environment: tuple[str, ...] = ()
    past: tuple[ExitRecord, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class ChildAnswer(Value):
    """What the program of one process has answered."""

    uuid: str
    name: str
    hostname: str
    data: Json


@frozen(kw_only=True, eq=False, repr=False)
class Batch(Value):
    """The status document: the processes that were meant, and what did not succeed."""

    kind: ClassVar[str] = "status"
    items: tuple[Item, ...] = ()
    misses: tuple[Miss, ...] = ()
    details: tuple[Detail, ...] = ()
    answers: tuple[ChildAnswer, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class Welcome(Value):
    """The answer to a hello.

    Attributes:
        name: Who answers.
        role: agent or controller.
        version: Of procctl.
        heartbeat: Seconds between signs of life on this link; 0: none are sent.
    """

    kind: ClassVar[str] = "welcome"
    name: str
    role: str
    version: str = ""
    heartbeat: float = 0.0


@frozen(kw_only=True, eq=False, repr=False)
class Heard(Value):
    """The answer to a heartbeat. Fields that have nothing new to say are left out.

    Attributes:
        beat: Which one, where something is wanted.
        want: ``whole``: what was told cannot be followed; all that there is, please.
        every: Seconds between heartbeats from now on; 0: as before. See `procctl.core.pace`.
        spread: Seconds within which to come back, at a moment of chance, if the link is lost; None: as before.
    """

    kind: ClassVar[str] = "heard"
    beat: int = 0
    want: Literal["", "whole"] = ""
    every: float = 0.0
    spread: float | None = None


NOTHING_NEW = Heard()
"""The answer to almost every heartbeat."""


@frozen(kw_only=True, eq=False, repr=False)
class Grant(Value):
    """Permission to run.

    Attributes:
        token: The number of its lease.
        epoch: Which life of the gate gave it.
        asked: The agent's clock when it had asked, as it had said.
        ttl: The lease runs out so many seconds after that, less a margin of the agent's (`core.terms`); 0: never.
    """

    kind: ClassVar[str] = "grant"
    token: int
    epoch: int = 0
    asked: float = 0.0
    ttl: float = 0.0


@frozen(kw_only=True, eq=False, repr=False)
class Renewed(Value):
    """Leases go on.

    Attributes:
        asked: The agent's clock when it had asked, as it had said.
        epoch: Which life of the gate says so.
        tokens: Those that go on from then.
        gone: Those that this host does not hold: what runs on them has to end.
    """

    kind: ClassVar[str] = "renewed"
    asked: float
    epoch: int = 0
    tokens: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class Refusal(Value):
    """No permission.

    Attributes:
        why: For people.
        holder: The uuid of the process that stands in the way, or empty.
        hostname: Where it is.
        pid: Its program, or 0 where that is not known.
        since: When it was permitted, or 0.
        epoch: Which life of the gate says so.
    """

    kind: ClassVar[str] = "denied"
    why: str
    holder: str = ""
    hostname: str = ""
    pid: int = 0
    since: Wall = 0.0
    epoch: int = 0


@frozen(kw_only=True, eq=False, repr=False)
class HeldForPerson(Value):
    """Not decided yet: a person was asked. Ask again with ``patient`` to wait for the answer.

    Attributes:
        why: For people.
        queued: No person, but the holder of the slot is waited for; or its turn (`core.budget`).
    """

    kind: ClassVar[str] = "held"
    why: str
    queued: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Approval(Value):
    """One open question for a person.

    Attributes:
        approval: Its id, for approve and deny.
        name: The slot.
        hostname: Where it would run.
        uuid: The process.
        asker: Who asked for the start.
        since: When, seconds since the epoch.
        mode: The start mode.
        until: When it counts as denied, seconds since the epoch; None: it waits for ever.
    """

    approval: str
    name: str
    hostname: str
    uuid: str
    asker: str
    since: Wall
    mode: Mode
    until: Wall | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Inbox(Value):
    """All open questions for people."""

    kind: ClassVar[str] = "approvals"
    approvals: tuple[Approval, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class Holder(Value):
    """Who holds a slot.

    Attributes:
        name: The slot.
        hostname: Where.
        uuid: The process.
        pid: Its program, as far as is known; else 0.
        token: The number of its lease.
        since: When that was given, seconds since the epoch.
        responds: Whether its host is there.
    """

    name: str
    hostname: str
    uuid: str
    pid: int = 0
    token: int
    since: Wall = 0.0
    responds: bool = False


@frozen(kw_only=True, eq=False, repr=False)
class Freed(Value):
    """Who held a slot, or holds it."""

    kind: ClassVar[str] = "holders"
    holders: tuple[Holder, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class AgentInfo(Value):
    """An agent or a controller about itself.

    Attributes:
        name: What it is called: an agent by its host.
        role: agent or controller.
        pid: Its process.
        version: Of procctl.
        started: When, seconds since the epoch.
        urls: Where it listens.
        joined: The controller that it has joined, or empty.
        processes: How many it has.
        running: How many of them run.
        memory: Its own resident bytes.
        features: What this kernel offers, by name.
        config: The file of its declared state, or empty.
    """

    kind: ClassVar[str] = "agent"
    name: str
    role: Literal["agent", "controller"] = "agent"
    pid: int
    version: str
    started: Wall
    urls: tuple[str, ...] = ()
    joined: str = ""
    processes: int = 0
    running: int = 0
    memory: int = 0
    features: dict[str, bool] = field(factory=dict)
    config: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class HostInfo(Value):
    """One host of a fleet.

    Attributes:
        name: Of the host.
        state: ``joined``; ``silent``: its link is there and nothing comes; ``lost``: its link is gone and it has not
            said goodbye; ``here``: an agent about itself.
        heard: When it was heard last, seconds since the epoch.
        in_step: Whether what is known of its processes is what it had when it was heard last.
        epoch: Which run of its agent.
        version: Of its procctl.
        address: Where its link comes from.
        transport: The scheme of that link.
        identity: What is proven of it, or empty.
        roles: What it may be.
        processes: How many it has.
        running: How many of them run.
        features: What its kernel offers, by name.
    """

    name: str
    state: Literal["joined", "silent", "lost", "here"]
    heard: Wall
    in_step: bool = True
    epoch: str = ""
    version: str = ""
    address: str = ""
    transport: str = ""
    identity: str = ""
    roles: tuple[str, ...] = ()
    processes: int = 0
    running: int = 0
    features: dict[str, bool] = field(factory=dict)


@frozen(kw_only=True, eq=False, repr=False)
class HostList(Value):
    """Hosts, in the order of their joining."""

    kind: ClassVar[str] = "hosts"
    hosts: tuple[HostInfo, ...] = ()


@frozen(kw_only=True, eq=False, repr=False)
class Done(Value):
    """It was done, and there is no more to say."""

    kind: ClassVar[str] = "done"


@frozen(kw_only=True, eq=False, repr=False)
class Failure(Value):
    """It was refused."""

    kind: ClassVar[str] = "error"
    code: str
    message: str
    hint: str = ""


AnyReply = (
    Batch
    | Welcome
    | Heard
    | Grant
    | Refusal
    | HeldForPerson
    | Renewed
    | Inbox
    | Freed
    | AgentInfo
    | HostList
    | Done
    | Failure
)
