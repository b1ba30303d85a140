"""The bookkeeping of one link, both directions. No I/O.

Whoever asks allocates the number. `id` opens, `re` answers what the *other* side opened, `to` is the asker's word
about what it opened itself: so one number may be open in both directions at once and no frame is ambiguous.

A frame that is wrong is answered with an error that names the path, to the request it belongs to if that can be
known, else as a complaint; the link goes on. Nothing a peer can send makes this raise.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from attrs import define, evolve, field, frozen

from ..core.messages import AnyReply, Batch, Failure, Heartbeat, Lost, StreamRequest, Until
from ..core.records import Item
from ..core.replies import NOTHING_NEW
from ..errors import BadMessage
from . import codec
from .envelope import Envelope, dump, load, open_envelope
from .quiet import quiet
from .repeated import Repeated

__all__ = [
    "MAX_OPEN",
    "PART",
    "Called",
    "Cancelled",
    "Complaint",
    "Credit",
    "Ended",
    "Gave",
    "Got",
    "Ledger",
    "Replied",
    "Send",
]

MAX_OPEN = 1024
"""How many requests of a peer may be open at once."""
PART = 2000
"""A status document of more processes than this comes in parts of as many."""


@frozen
class Called:
    """The peer asks. `id` is None where it wants no number on the answer."""

    id: int | None
    request: Any
    envelope: Envelope


@frozen
class Replied:
    """The answer to a request of ours."""

    id: int
    reply: AnyReply


@frozen
class Gave:
    """An item of a stream of ours."""

    id: int
    item: Any


@frozen
class Ended:
    """A stream of ours has ended; a failure if it was refused or broke."""

    id: int
    failure: Failure | None = None


@frozen
class Credit:
    """The peer takes so many more items of its stream."""

    id: int
    count: int


@frozen
class Cancelled:
    """The peer does not want the answer to its request any more."""

    id: int


@frozen
class Send:
    """Send this frame back: what arrived was wrong."""

    frame: bytes


@frozen
class Complaint:
    """The peer could not read a frame of ours. Never answered."""

    text: str


Got = Called | Replied | Gave | Ended | Credit | Cancelled | Send | Complaint


@define
class _Mine:
    stream: bool
    items: list[Item] = field(factory=list)


class Ledger:
    """What is open on one link."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._mine: dict[int, _Mine] = {}
        self._theirs: set[int] = set()
        self._surrounds: Envelope | None = None
        self._repeated = Repeated()

    # asking ---------------------------------------------------------------------------------------------------

    def ask(
        self, request: Any, *, key: str = "", by: str = "", until: Until = "settled", deadline: float | None = None
    ) -> tuple[int, bytes]:
        """Open a request: its number, and the frame to send.

        Raises:
            ValueError: It has a number that JSON does not (infinity); nothing is open then.
        """
        number = next(self._numbers)
        document: dict[str, Any] = {"id": number}
        if key:
            document["key"] = key
        if by:
            document["by"] = by
        if until != "settled":
            document["until"] = until
        if deadline is not None:
            document["deadline"] = deadline
        document.update(codec.request_out(request))
        frame = dump(document)
        self._mine[number] = _Mine(isinstance(request, StreamRequest))
        return number, frame

    def tell(self, request: Any) -> bytes:
        """A request whose answer is not wanted."""
        return dump(codec.request_out(request))

    def credit(self, number: int, items: int) -> bytes:
        """Take so many more items of a stream of ours."""
        return dump({"to": number, "credit": items})

    def give_up(self, number: int) -> bytes | None:
        """Close a request of ours without its answer; None if it is closed already."""
        if self._mine.pop(number, None) is None:
            return None
        return dump({"to": number, "cancel": True})

    # answering ------------------------------------------------------------------------------------------------

    def reply(self, number: int | None, reply: AnyReply) -> list[bytes]:
        """The answer to a request of the peer's, as frames."""
        if isinstance(reply, Batch):
            return self._status(number, reply)
        if number is None:
            return [dump(codec.reply_out(reply))]
        self._theirs.discard(number)
        if reply is NOTHING_NEW:
            return [b'{"re":%d,"heard":{}}' % number]
        return [dump({"re": number, **codec.reply_out(reply)})]

    def _status(self, number: int | None, batch: Batch) -> list[bytes]:
        """A status document, in parts where it is large."""
        if number is None:
            return [f"{{{codec.batch_text(batch)}}}".encode()]
        self._theirs.discard(number)
        frames = []
        while len(batch.items) > PART:
            part = codec.batch_text(Batch(items=batch.items[:PART]))
            frames.append(f'{{"re":{number},"item":{{{part}}}}}'.encode())
            batch = evolve(batch, items=batch.items[PART:])
        return [*frames, f'{{"re":{number},{codec.batch_text(batch)}}}'.encode()]

    def item(self, number: int, seq: int, item: Any) -> bytes:
        """An item for a stream of the peer's."""
        if isinstance(item, Lost):
            gap = {"re": number, "lost": item.count, "first": item.first, "next": item.next}
            return dump(gap)
        return f'{{"re":{number},"seq":{seq},"item":{codec.happening_text(item)}}}'.encode()

    def end(self, number: int) -> bytes:
        """The end of a stream of the peer's."""
        self._theirs.discard(number)
        return dump({"re": number, "end": True})

    def dropped(self, number: int) -> None:
        """A request of the peer's is closed without an answer: it did not want one."""
        self._theirs.discard(number)

    # receiving ------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> Got | None:
        """Take a frame. None: it is about something that was given up."""
        known = quiet(frame)
        if known is not None and known[0] not in self._theirs and len(self._theirs) < MAX_OPEN:
            self._theirs.add(known[0])
            return Called(known[0], known[2], self._quiet_by(known[1]))
        again = self._repeated.get(frame)
        if again is not None and again[0] not in self._theirs and len(self._theirs) < MAX_OPEN:
            self._theirs.add(again[0])
            return Called(*again)
        number = None
        try:
            document = load(frame)
            number = self._number(document)
            envelope = open_envelope(document)
            if envelope.command:
                called = self._called(envelope)
                if isinstance(called, Called) and called.id is not None and type(called.request) is not Heartbeat:
                    self._repeated.put(frame, called.request, envelope)
                return called
            if envelope.re is not None:
                return self._answered(envelope.re, envelope)
            if envelope.to is not None:
                return self._word(envelope.to, envelope)
            if envelope.error is not None:
                return Complaint(str(envelope.error.get("message", ""))[:200])
            raise BadMessage("expected a command, an answer, or a word about one")
        except BadMessage as error:
            failure = Failure(code="bad-message", message=str(error))
            return Send(dump({**({} if number is None else {"re": number}), **codec.reply_out(failure)}))

    def unreadable(self, error: BadMessage) -> Send:
        """A frame that could not even be received."""
        return Send(dump(codec.reply_out(Failure(code="bad-message", message=str(error)))))

    def _called(self, envelope: Envelope) -> Got:
        number = envelope.id
        if number is not None:
            if number in self._theirs:  # an error with `re` would pass for the answer to the first
                return self.unreadable(BadMessage(f"request {number} is open already", "$.id"))
            if len(self._theirs) >= MAX_OPEN:
                text = f"{MAX_OPEN} requests are open on this link; wait for answers"
                return Send(self._refuse(number, Failure(code="busy", message=text)))
        try:
            request = codec.request_in(envelope.command, envelope.body)
        except BadMessage as error:
            code = "unknown-command" if error.path == "$.command" else "bad-message"
            return Send(self._refuse(number, Failure(code=code, message=str(error))))
        if isinstance(request, StreamRequest) and number is None:
            raise BadMessage(f"{envelope.command} needs a number, so that its items can be told apart", "$.id")
        if number is not None:
            self._theirs.add(number)
        return Called(number, request, envelope)

    def _quiet_by(self, by: str) -> Envelope:
        """What surrounds a heartbeat, but for its number: the same each time."""
        if self._surrounds is None or self._surrounds.by != by:
            self._surrounds = Envelope(body={}, by=by, command=Heartbeat.command)
        return self._surrounds

    def _refuse(self, number: int | None, failure: Failure) -> bytes:
        head = {} if number is None else {"re": number}
        return dump({**head, **codec.reply_out(failure)})

    def _answered(self, number: int, envelope: Envelope) -> Got | None:
        mine = self._mine.get(number)
        if mine is None:
            return None
        if envelope.is_lost:
            return Gave(number, Lost(count=envelope.lost, first=envelope.first, next=envelope.next))
        if envelope.item is not None:
            if mine.stream:
                return Gave(number, codec.item_in(envelope.item))
            mine.items += codec.batch_in(envelope.item).items
            return None
        if envelope.credit:
            return None
        del self._mine[number]
        if envelope.end:
            if mine.stream:
                return Ended(number)
            return Replied(number, Failure(code="bad-reply", message="the end of a stream is no answer to this"))
        document = envelope.body if envelope.error is None else {"error": envelope.error}
        try:
            reply = codec.reply_in(document)
        except BadMessage as error:
            reply = Failure(code="bad-reply", message=str(error))
        if mine.stream:
            return Ended(number, reply if isinstance(reply, Failure) else None)
        if isinstance(reply, Batch) and mine.items:
            reply = evolve(reply, items=(*mine.items, *reply.items))
        return Replied(number, reply)

    def _number(self, document: dict[str, Any]) -> int | None:
        """The number of a new request, as far as it can be read, to address an error with."""
        number = document.get("id")
        if type(number) is not int or "command" not in document or number in self._theirs:
            return None
        return number

    def _word(self, number: int, envelope: Envelope) -> Got | None:
        if number not in self._theirs:
            return None
        if envelope.cancel:
            return Cancelled(number)
        return Credit(number, envelope.credit) if envelope.credit else None
