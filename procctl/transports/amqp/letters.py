"""What peers say to each other through the exchange. No I/O.

A letter is an AMQP message. Its ``type`` is its kind, ``correlation_id`` names the connection, ``reply_to`` is the
routing key of who sent it, ``user_id`` is who that is, as the broker has checked. A frame is the body, with the number
in ``message_id``: ``<connection>.<number>``. The headers ``got`` and ``read`` say how far the other direction is.

| kind | says |
|---|---|
| `open` | may I have a connection? header ``name`` |
| `opened` | you have one |
| `frame` | a frame |
| `mark` | how far I am; or only a sign of life |
| `sync` | this is how far I am: send me what is behind that, and say how far you are |
| `synced` | the same, as the answer |
| `bye` | the connection is over; header ``why`` |
"""

from __future__ import annotations

import re
from typing import Any, Literal, cast, get_args

from attrs import frozen
from pamqp import commands

from .framing import Message
from .sequence import Marks

__all__ = ["Kind", "Letter", "is_peer_of", "listener_key", "peer_key"]

Kind = Literal["open", "opened", "frame", "mark", "sync", "synced", "bye"]
_KINDS = get_args(Kind)
_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST = 200


@frozen(kw_only=True)
class Letter:
    """One of them.

    Attributes:
        kind: See the module.
        connection: Its name, 32 hexadecimal digits.
        sender: The routing key of who sent it.
        user: The broker's user who sent it; empty: the broker was not asked to check.
        number: Of a frame.
        body: The frame; None: it is larger than what is taken here.
        size: Bytes of the frame.
        marks: How far the sender is with what it gets.
        text: The name of who opens, or why it is over.
    """

    kind: Kind
    connection: str
    sender: str
    user: str
    number: int = 0
    body: bytes | None = b""
    size: int = 0
    marks: Marks = Marks(0, 0)
    text: str = ""

    def properties(self) -> commands.Basic.Properties:
        """What goes with the body."""
        headers: dict[str, Any] = {"got": self.marks.got, "read": self.marks.read}
        if self.text:
            headers["why" if self.kind == "bye" else "name"] = self.text[:_LONGEST]
        return commands.Basic.Properties(
            content_type="application/json",
            headers=headers,
            correlation_id=self.connection,
            reply_to=self.sender,
            message_id=f"{self.connection}.{self.number}" if self.kind == "frame" else None,
            message_type=self.kind,
            user_id=self.user,
            app_id="procctl",
        )

    @classmethod
    def read(cls, message: Message) -> Letter | None:
        """A message as a letter; None if it is none. Nothing in it is believed but its user."""
        properties = message.properties
        kind, connection = properties.message_type, properties.correlation_id or ""
        headers = properties.headers or {}
        number = _number((properties.message_id or "").removeprefix(f"{connection}."))
        marks = Marks(_count(headers.get("got")), _count(headers.get("read")))
        if kind not in _KINDS or not _ID.fullmatch(connection) or (kind == "frame" and number < 1):
            return None
        text = headers.get("why") or headers.get("name")
        return cls(
            kind=cast(Kind, kind),
            connection=connection,
            sender=properties.reply_to or "",
            user=properties.user_id or "",
            number=number,
            body=message.body,
            size=message.size,
            marks=marks,
            text=text[:_LONGEST] if isinstance(text, str) else "",
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 16 else 0


def _count(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0


def _word(user: str) -> str:
    """A user's name in routing keys and names of queues."""
    return re.sub(r"[^A-Za-z0-9@:._-]", "_", user)[:100]


def listener_key(name: str) -> str:
    """The routing key of a listener."""
    return f"listen.{name}"


def peer_key(user: str, serial: str) -> str:
    """The routing key of one who connects."""
    return f"peer.{_word(user)}.{serial}"


def is_peer_of(key: str, user: str) -> bool:
    """Whether a routing key can be one of this user's: nobody has us write elsewhere."""
    return key.startswith(f"peer.{_word(user)}.") and bool(_ID.fullmatch(key.rpartition(".")[2]))
