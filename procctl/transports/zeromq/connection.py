"""One peer over ZeroMQ: the same at both ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...abc import Peer
from ...aio.wake import Wake
from ...errors import BadMessage, PeerGone
from .flow import Flow
from .messages import Unfit
from .waiter import Waiter

__all__ = ["ZmqConnection"]


class ZmqConnection:
    """See `procctl.abc.Connection`.

    Args:
        peer: The other end.
        flow: Its frames.
        waiter: Of the socket.
        post: Sends a message to the peer now; false if there is nobody any more.
        leave: Called once, when this is closed.
    """

    suspended = False

    def __init__(
        self,
        peer: Peer,
        flow: Flow,
        waiter: Waiter,
        post: Callable[[bytes], bool],
        leave: Callable[[], Awaitable[None]],
    ) -> None:
        self.peer = peer
        self._flow = flow
        self._waiter = waiter
        self._post = post
        self._leave = leave
        self._came = Wake()
        self._room = Wake()
        self._closed = False

    def send_nowait(self, frame: bytes) -> bool:
        if self.ended or self._closed:
            raise self._gone()
        if self._waiter.busy or not self._flow.open_to(len(frame)):
            return False
        if not self._post(self._flow.say(frame)):
            self.finish("is gone")
            raise self._gone()
        return True

    async def send(self, frame: bytes) -> None:
        flow, size = self._flow, len(frame)
        await self._waiter.turn()
        if not flow.open_to(size):
            await self._waiter.until(lambda: flow.open_to(size) or flow.end is not None, self._room)
        if flow.end is None and not self._closed and not self._post(flow.say(frame)):
            self.finish("is gone")
        if flow.end is not None or self._closed:
            raise self._gone()

    async def receive(self) -> bytes:
        flow = self._flow
        await self._waiter.turn()
        if not flow.readable:
            await self._waiter.until(lambda: flow.readable, self._came)
        frame = None if self._closed else flow.next()
        if frame is None:
            raise self._gone()
        credit = flow.credit()
        if credit is not None and not self._post(credit):
            self.finish("is gone")
        if isinstance(frame, int):
            raise BadMessage(f"a frame of {frame} bytes, which is more than is taken here")
        return frame

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._flow.end is None:
            self._post(b"b")
        self.finish("was closed here")
        await self._leave()

    def came(self, message: bytes) -> None:
        """A message from the peer."""
        before = self._flow.room, self._flow.largest
        try:
            self._flow.came(message)
        except Unfit as error:
            self._post(b"b" + str(error).encode())
            self.finish(f"does not keep to the protocol: {error}")
        if self._flow.readable:
            self._came.set()
        if before != (self._flow.room, self._flow.largest):
            self._room.set()

    def finish(self, why: str) -> None:
        """There is nobody any more; what has come before can still be read."""
        self._flow.finish(why)
        self._came.set()
        self._room.set()
        self._waiter.stir()

    @property
    def ended(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._flow.end is not None

    def _gone(self) -> PeerGone:
        return PeerGone(f"{self.peer.name or self.peer.address} {self._flow.end or 'was closed here'}")
