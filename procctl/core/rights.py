"""Who asks, and what they may say. Pure.

A role is a name for the verbs that it gives. Where a role has the name of a verb it gives that verb alone; any other
name gives nothing by itself and is there for policies to ask for (`Caller.has`).
"""

from __future__ import annotations

from attrs import frozen

from .replies import Failure
from .value import Value

__all__ = ["AGENT", "LOCAL", "OPERATOR", "OWNER", "ROLES", "VIEWER", "Caller", "may", "refused"]

VIEWER = frozenset({"status", "logs", "events", "hosts", "approvals", "agent.status"})
"""Looks and changes nothing."""
OPERATOR = VIEWER | {"start", "stop", "restart", "kill", "signal", "ask", "reopen", "approve", "deny"}
"""Controls what is there; adds, adopts and lets go of nothing: a program of one's own is as good as a shell."""
AGENT = frozenset({"heartbeat", "goodbye", "lease.permit", "lease.withdraw", "lease.exited", "lease.renew"})
"""Joins a controller and speaks for its own host."""
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "agent": AGENT}
"""By name; ``owner`` beside them may say everything."""
OWNER = frozenset({"owner"})


@frozen(kw_only=True, eq=False, repr=False)
class Caller(Value):
    """Somebody on whose word a service acts.

    Attributes:
        name: What they call themselves.
        identity: What the link has proven of them (``uid:1000``), or empty.
        roles: What they may be, as the link's door decided; the owner has ``owner``.
        on_behalf: For whom a link that may delegate says it speaks, or empty.
        until: When their credential expires, seconds since the epoch; None: never.
    """

    name: str
    identity: str = ""
    roles: frozenset[str] = frozenset()
    on_behalf: str = ""
    until: float | None = None

    def has(self, role: str) -> bool:
        """Whether the caller has a role; an owner has all."""
        return role in self.roles or "owner" in self.roles

    def __str__(self) -> str:
        return self.on_behalf or self.name


def may(caller: Caller, command: str) -> bool:
    """Whether somebody may say this verb at all."""
    return caller.has(command) or any(command in ROLES.get(role, ()) for role in caller.roles)


def refused(caller: Caller, command: str) -> Failure | None:
    """What is answered to somebody who may not say this verb; None: they may."""
    if may(caller, command):
        return None
    hint = f"procctl token new --can {command} makes a token that may"
    return Failure(code="forbidden", message=f"{caller} may not {command} here", hint=hint)


LOCAL = Caller(name="local", identity="here", roles=OWNER)
"""The program itself."""
