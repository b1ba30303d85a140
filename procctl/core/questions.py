"""What a gate says, and what it remembers of a question. Frozen values without behaviour."""

from __future__ import annotations

from attrs import frozen

from .approval import PermitRequest
from .leases import Lease
from .value import Value

__all__ = ["Decided", "GateOut", "Note", "Question", "Revoke", "Strike", "Wake"]


@frozen(eq=False, repr=False)
class Decided(Value):
    """The answer to a question: a lease, or a refusal, or that it waits for a person or for a holder (`held`, `queued`:
    not final)."""

    rid: str
    lease: Lease | None = None
    denied: str = ""
    holder: Lease | None = None
    pid: int = 0
    held: str = ""
    queued: bool = False


@frozen(eq=False, repr=False)
class Revoke(Value):
    """Have what runs on this lease stopped; its release will come. `by`: for whom; empty: since it is over, and `why`
    says more of that, or nothing."""

    lease: Lease
    by: str
    why: str = ""


@frozen(eq=False, repr=False)
class Wake(Value):
    """Call `Gate.expire` with this rid after so many seconds."""

    rid: str
    after: float


@frozen(eq=False, repr=False)
class Note(Value):
    """Put this lease down. What follows is done only when that is durable. `given`: nobody has heard of it yet."""

    lease: Lease
    given: bool = False


@frozen(eq=False, repr=False)
class Strike(Value):
    """This lease is out no more. What follows is done only when that is put down."""

    token: int


GateOut = Decided | Revoke | Wake | Note | Strike


@frozen(kw_only=True, eq=False, repr=False)
class Question(Value):
    """An open question.

    Attributes:
        request: What was asked.
        since: `Now.wall` of the asking.
        run: Which run of the agent asks.
        waits_for: Tokens to be released first; empty: it waits for a person.
        deadline: `Now.boot` after which a person's silence is a denial, or None.
        waits: Why it waits, or empty.
        displaces: Whether what it waits for was asked to end.
    """

    request: PermitRequest
    since: float
    run: str = ""
    waits_for: frozenset[int] = frozenset()
    deadline: float | None = None
    waits: str = ""
    displaces: bool = False

    @property
    def for_a_person(self) -> bool:
        """Whether a person has to answer it."""
        return not self.waits_for
