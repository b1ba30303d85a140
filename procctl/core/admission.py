"""What agents and the gate say to each other of permission, and people to the gate."""

from __future__ import annotations

from attrs import frozen

from .replies import Done, Freed, Grant, HeldForPerson, Inbox, Refusal, Renewed
from .request import Request
from .specs import Level, Mode, Scope

__all__ = [
    "Approvals",
    "Approve",
    "Deny",
    "LeaseExited",
    "LeaseOverride",
    "LeaseRenew",
    "LeaseRevoke",
    "LeaseWithdraw",
    "Permit",
]


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
        over: Whether that is since the lease is over, and not since somebody else wants the slot: it may ask for
            another one when it has ended.
        why: What is known of that, or empty.
    """

    command = "lease.revoke"
    replies = (Done,)
    token: int
    uuid: str
    over: bool = False
    why: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class LeaseOverride(Request[Freed]):
    """A person says that what holds a slot has ended, because they have seen to it. It is free at once, and logged.

    Attributes:
        slot: Which.
        hostname: On whose host; empty: wherever.
        force: Although a host that holds it responds.
        dry: Only say whose it is.
    """

    command = "lease.override"
    replies = (Freed,)
    slot: str
    hostname: str = ""
    force: bool = False
    dry: bool = False


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
