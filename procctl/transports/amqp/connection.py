"""One peer, through a broker that may be away for a while."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import anyio
from attrs import frozen

from ...abc import Peer
from ...aio.wake import Wake
from ...errors import BadMessage, PeerGone
from .address import LARGEST
from .letters import Kind, Letter
from .sequence import Incoming, Marks, Outgoing

__all__ = ["AmqpConnection", "Far", "Post"]

GRACE = 2.0
"""Seconds in which a peer has to be found again that cannot be reached while our own link is up."""
AFTER_OUTAGE = 10.0
"""The same after an outage of our own link: the peer's may last longer."""
PROBE = 5.0
"""Seconds of silence after which it is tried whether the peer can be reached."""


@frozen(kw_only=True)
class Far:
    """The other end. Attributes: id: Of the connection. key: Its routing key. user: Who it is to the broker."""

    id: str
    key: str
    user: str


class Post(Protocol):
    """What a connection needs of its link."""

    @property
    def flowing(self) -> bool:
        """Whether what is written goes out at present."""
        ...

    def write(self, far: Far, kind: Kind, marks: Marks, number: int = 0, body: bytes = b"") -> None: ...
    async def leave(self, connection: AmqpConnection) -> None: ...


class AmqpConnection:
    """See `procctl.abc.Connection`.

    Args:
        post: The link that it goes over.
        far: The other end.
        peer: The same, for people.
    """

    def __init__(self, post: Post, far: Far, peer: Peer) -> None:
        self.peer = peer
        self.far = far
        self._post = post
        self._out = Outgoing()
        self._in = Incoming()
        self._inbox: deque[tuple[int, bytes | None]] = deque()
        self._arrived = Wake()
        self._room = Wake()
        self._why = ""
        self._lost: float | None = None
        self._grace = GRACE
        self._heard = self._spoke = anyio.current_time()

    @property
    def suspended(self) -> bool:
        return not self._why and (self._lost is not None or not self._post.flowing)

    async def send(self, frame: bytes) -> None:
        await anyio.lowlevel.checkpoint_if_cancelled()
        if len(frame) > LARGEST:
            raise PeerGone(f"a frame of {len(frame)} bytes is more than a broker takes")
        while not self._why and (self._out.full or not self._post.flowing):
            await self._room.wait()
        if self._why:
            raise PeerGone(self._why)
        self._frame(self._out.add(frame), frame)

    async def receive(self) -> bytes:
        await anyio.lowlevel.checkpoint_if_cancelled()
        while not self._inbox:
            if self._why:
                raise PeerGone(self._why)
            await self._arrived.wait()
        size, frame = self._inbox.popleft()
        if self._in.read(size) and self._lost is None:
            self._say("mark")
        if frame is None:
            raise BadMessage(f"a frame of {size} bytes, which is too large")
        return frame

    async def aclose(self) -> None:
        if not self._why:
            self._say("bye")
        self._inbox.clear()
        self.end("the connection was closed here")
        await self._post.leave(self)

    # what its link tells it -----------------------------------------------------------------------------------

    def take(self, letter: Letter) -> None:
        """A letter has come."""
        self._heard = anyio.current_time()
        if not self._out.mark(letter.marks):
            return self._break(f"{self._who} says that it has what was never sent")
        self._room.set()
        match letter.kind:
            case "frame":
                self._take_frame(letter)
            case "sync":
                self._find()
                self._say("synced")
            case "synced":
                self._find()
            case "bye":
                self.end(letter.text or f"{self._who} has closed the connection")
            case "mark" | "open" | "opened":
                pass
        return None

    def _take_frame(self, letter: Letter) -> None:
        if self._in.take(letter.number, letter.size):
            self._inbox.append((letter.size, letter.body))
            self._arrived.set()
            if self._in.overrun:
                self._break(f"{self._who} sends more than it may")
        elif self._in.missing(letter.number):
            self.lose()

    def _find(self) -> None:
        """It can be reached, and says what it has: send what it has not."""
        self._lost = None
        for number, frame in self._out.kept():
            self._frame(number, frame)

    def lose(self, grace: float = GRACE) -> None:
        """It could not be reached, or something is missing: ask until it answers or the grace has passed."""
        if self._lost is None or grace > self._grace:
            self._lost, self._grace = anyio.current_time(), grace
            self._say("sync")

    def flow(self) -> None:
        """The link is up again: the peer may have lost what was sent, and we what it sent."""
        self._lost, self._grace = anyio.current_time(), AFTER_OUTAGE
        self._say("sync")
        self._room.set()

    def tick(self, now: float) -> bool:
        """Called now and then while the link is up. True: it wants to be called soon."""
        if self._lost is not None:
            if now - self._lost > self._grace:
                self.end(f"{self._who} cannot be reached any more")
                return False
            self._say("sync")
            return True
        if now - max(self._heard, self._spoke) > PROBE:
            self._say("mark")
        return False

    def end(self, why: str) -> None:
        """It is over; what has arrived can be read still."""
        self._why = self._why or why
        self._arrived.set()
        self._room.set()

    def _break(self, why: str) -> None:
        self._say("bye")
        self._inbox.clear()
        self.end(why)

    def _say(self, kind: Kind) -> None:
        self._spoke = anyio.current_time()
        self._post.write(self.far, kind, self._in.marks())

    def _frame(self, number: int, frame: bytes) -> None:
        if self._lost is None:
            self._spoke = anyio.current_time()
            self._post.write(self.far, "frame", self._in.marks(), number, frame)

    @property
    def _who(self) -> str:
        return self.peer.name or self.peer.identity or self.peer.address
