"""What a transport promises, and how one that was broken is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import frozen

__all__ = ["BrokenPromise", "Promise", "Report"]


class Promise(Enum):
    """Each a sentence that is true of every transport, as far as its traits let it be checked."""

    REACHED = "a listener is reached at the URL that it names, and where nobody listens is PeerGone"
    WHOLE = "frames arrive whole, byte for byte, from one byte to the longest that is taken"
    ORDERED = "frames arrive in the order of sending"
    KEPT = "no frame is lost while the connection lives"
    ONCE = "no frame arrives twice"
    LIMITED = "a frame that is too long is refused by BadMessage, and the connection goes on"
    HELD_BACK = "send waits when nobody receives, within a bounded number of bytes"
    APART = "what one peer sends never arrives as another's"
    PROVEN = "an identity is proven and never what a peer calls itself; without the trait it is None"
    CLOSES = "closing ends whatever waits, by PeerGone or Closed, and may be done twice"
    ENDS = "receive raises PeerGone when the other end has closed"
    CANCELS = "a receive or send that is cancelled to end a connection leaves nothing torn behind"
    DIES = "a peer that is killed is noticed, with a session's heartbeat at the latest"
    HANGS = "a peer that hangs is noticed by a session's heartbeat"
    RESUMES = "a line goes on over a new connection: commands are carried out once, streams show no gap"
    FIREWALL = "bytes that are no protocol end or complain on their link, and disturb no other"
    SUSPENDS = "an outage of what lies between suspends connections, and they go on afterwards"
    CLEAN = "nothing is left behind: no task, no descriptor"


class BrokenPromise(AssertionError):
    """A transport does not do as it has to.

    Args:
        promise: Which one is broken.
        seen: What was seen instead.
    """

    def __init__(self, promise: Promise, seen: str) -> None:
        super().__init__(promise, seen)
        self.promise = promise
        self.seen = seen

    def __str__(self) -> str:
        return f"{self.promise.name}: {self.promise.value}. Seen: {self.seen}"


@frozen(kw_only=True)
class Report:
    """What `check_transport` has found.

    Attributes:
        kept: The promises that were checked.
        skipped: Those that could not be, and why.
        figures: What was measured: ``buffered`` (bytes that were accepted and not read), ``death`` and ``hang``
            (seconds until a session's end), ``frames`` (per second, both ways at once).
    """

    kept: tuple[Promise, ...]
    skipped: Mapping[Promise, str]
    figures: Mapping[str, float]
