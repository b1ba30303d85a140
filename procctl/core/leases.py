"""Permission to run, as given."""

from __future__ import annotations

from attrs import frozen

from .specs import Mode, Scope
from .value import Value

__all__ = ["Lease"]


@frozen(kw_only=True, eq=False, repr=False)
class Lease(Value):
    """Permission to run, as given.

    Attributes:
        token: Grows with every grant; a process shows it to what it writes to (fencing).
        slot: The name that it is for.
        hostname: The host that holds it.
        uuid: The process that holds it.
        mode: The mode that it was given in.
        scope: Where it stands in the way of others.
        rid: The question that it answered.
        at: When, seconds since the epoch.
        by: Who had asked for the start.
        epoch: Which run of the agent holds it.
    """

    token: int
    slot: str
    hostname: str
    uuid: str
    mode: Mode = "many"
    scope: Scope = "fleet"
    rid: str = ""
    at: float = 0.0
    by: str = ""
    epoch: str = ""
