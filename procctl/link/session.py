"""A Session joins a Connection, a Ledger and a Service, and is itself a Service: the far side.

One task reads and one writes. The reader submits requests in the order of their arrival and waits for nobody; answers
leave when they come, at once where the connection can take them (`Prompt`). A stream of the peer's is a task of its
own, held back by the peer's credit.

A link is a firewall: whatever goes wrong inside ends this link, is logged with the peer's name, and reaches nothing
else.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup
from attrs import evolve

from ..abc import Call, Caller, Connection, Items, Peer, Pending, Prompt, Service, StreamItem
from ..aio.clock import loop_clock
from ..aio.wake import Wake
from ..core.messages import (
    AnyReply,
    AnyStream,
    Done,
    Failure,
    Heartbeat,
    Hello,
    StreamRequest,
    Welcome,
)
from ..errors import BadMessage, Closed, PeerGone, ProcctlError, Refused, refusal
from ..wire.ledger import (
    Called,
    Cancelled,
    Complaint,
    Credit,
    Ended,
    Gave,
    Got,
    Ledger,
    Replied,
    Send,
)
from .inbox import WINDOW, Inbox
from .outbox import Outbox

__all__ = ["MISSED", "Admit", "Attach", "Session", "bounded"]

logger = logging.getLogger("procctl.link")

MISSED = 3
"""So many heartbeats without a word, and the peer counts as hung."""
GREETING = 10.0
"""Seconds for the answer to a hello."""
CLOSING = 10.0
"""Seconds for a connection to close; one that hangs then is left alone, and holds nobody up."""
OFTEN, SELDOM = 0.02, 3600.0
"""Seconds between signs of life: what a peer asks for is held within these."""

Admit = Callable[[Peer], Caller]
"""Says on whose word a peer's requests are acted upon. Called once, at the peer's first word; raises `Refused`."""
Attach = Callable[["Session", Hello | None], tuple[Service, Welcome] | Failure]
"""Gives the service that a peer may talk to, and the welcome. Called once, with the peer's hello if it said one."""


class _Credit:
    """How many more items a peer takes of one stream."""

    __slots__ = ("_left", "_wake")

    def __init__(self) -> None:
        self._left = 0
        self._wake = Wake()

    def add(self, items: int) -> None:
        self._left += items
        self._wake.set()

    async def take(self) -> None:
        while self._left <= 0:
            await self._wake.wait()
        self._left -= 1


class Session:
    """One link, from its connection's beginning to its end.

    Args:
        connection: Frames to and from the peer.
        attach: See `Attach`.
        admit: See `Admit`; None: the peer is nobody in particular.
        transport: The scheme over which it came, for people.

    Attributes:
        transport: As above.
        prompt: Whether its connection takes most frames at once (`procctl.abc.Prompt`).
        address: Where the peer is, for people.
        peer: The peer's name: what its hello says, else what the connection says.
        caller: On whose word the peer's requests are acted upon; None before its first word.
        gone: Set at the end.
        why: Why it ended, then.
    """

    def __init__(self, connection: Connection, attach: Attach, admit: Admit | None = None, transport: str = "") -> None:
        self.transport = transport
        self.address = connection.peer.address
        self.peer = connection.peer.name or connection.peer.identity or connection.peer.address
        self.gone = anyio.Event()
        self.why = ""
        self._connection = connection
        self._prompt = connection if isinstance(connection, Prompt) else None
        self.prompt = self._prompt is not None
        self._attach = attach
        self._admit = admit or _nobody
        self._near: Service | None = None
        self.caller: Caller | None = None
        self._delegates = False
        self._ledger = Ledger()
        self._calls: dict[int, Pending] = {}
        self._inboxes: dict[int, Inbox] = {}
        self._answering: dict[int, Pending] = {}
        self._feeding: dict[int, tuple[anyio.CancelScope, _Credit]] = {}
        self._out = Outbox()
        self._beat = 0.0
        self._paced = Wake()
        self._spoke = self._heard = 0.0
        self._clock: Callable[[], float] = anyio.current_time
        self._group: TaskGroup

    # the life of a link ---------------------------------------------------------------------------------------

    @property
    def silent(self) -> float:
        """Seconds since the peer was heard; signs of life count."""
        return self._clock() - self._heard

    @property
    def heard(self) -> float:
        """When that was, by the loop's clock."""
        return self._heard

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve the link until it ends. Raises nothing but cancellation."""
        try:
            async with anyio.create_task_group() as self._group:
                self._clock = loop_clock()
                self._spoke = self._heard = self._clock()
                self._group.start_soon(self._write)
                task_status.started()
                try:
                    await self._read()
                finally:
                    self._group.cancel_scope.cancel()
        except* PeerGone as group:
            self.why = self.why or str(group.exceptions[0])
        except* Exception as group:
            self.why = self.why or "a defect ended the link"
            logger.error("the link to %s ended by a defect", self.peer or "a peer", exc_info=group)
        finally:
            self._end()
            with anyio.move_on_after(CLOSING, shield=True) as scope:
                await self._connection.aclose()
            if scope.cancelled_caught:
                logger.error("the connection to %s does not let itself be closed", self.peer or "a peer")

    async def greet(self, hello: Hello) -> Welcome:
        """Say hello and wait for the welcome; then the near service is attached.

        Raises:
            PeerGone: The peer ended, or did not answer.
            Refused: It does not want us.
        """
        reply: Any = None
        with anyio.move_on_after(GREETING):
            reply = await self.submit(Call(request=hello)).wait()
        if isinstance(reply, Failure):
            raise refusal(reply.code, reply.message, reply.hint)
        if reply is None:
            self.end("it did not answer a hello")
            raise PeerGone(f"{self.peer} did not answer a hello within {GREETING:g} s")
        if not isinstance(reply, Welcome):
            raise Refused("bad-reply", f"{self.peer} answered a hello by {type(reply).__name__}")
        self._known(reply.name, reply.role, bounded(reply.heartbeat))
        return reply

    @property
    def beat(self) -> float:
        """Seconds within which each end is heard, or is heard to be alive; 0: neither has promised it."""
        return self._beat

    def pace(self, beat: float) -> None:
        """From now on so many seconds; both ends have to be told. Nothing where nothing was promised."""
        if self._beat and bounded(beat) != self._beat:
            self._beat = bounded(beat)
            self._paced.set()

    def end(self, why: str) -> None:
        """End the link from this side."""
        self.why = self.why or why
        if not self.gone.is_set():
            self._group.cancel_scope.cancel()

    def _known(self, name: str, role: str, heartbeat: float) -> None:
        self.peer = name or self.peer
        self._delegates = role in ("agent", "controller")
        if heartbeat and not self._beat:
            self._beat = heartbeat
            self._group.start_soon(self._watch)

    def _end(self) -> None:
        self.gone.set()
        lost = Failure(
            code="peer-gone", message=f"{self.peer or 'the peer'} is gone" + (f": {self.why}" if self.why else "")
        )
        for pending in list(self._calls.values()):
            pending.settle(lost)
        for inbox in list(self._inboxes.values()):
            inbox.close(lost)
        for pending in list(self._answering.values()):
            lose = pending.lose or pending.give_up
            if pending.reply is None and lose is not None:
                lose()

    async def _watch(self) -> None:
        """Signs of life, both ways. Only a peer that said hello has promised them."""
        while True:
            with anyio.move_on_after(self._beat / 2):
                await self._paced.wait()
            beat, now = self._beat, self._clock()
            if self._connection.suspended:
                self._heard = now
            if now - self._heard > MISSED * beat:
                raise PeerGone(f"{self.peer} has not been heard for {now - self._heard:.1f} s")
            if now - self._spoke >= beat / 2:
                self._put(self._ledger.tell(Heartbeat()))

    # asking ---------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> Pending:
        if self.gone.is_set():
            return Pending.of(Failure(code="peer-gone", message=f"{self.peer} is gone"))
        try:
            number, frame = self._ledger.ask(
                call.request, key=call.key, by=str(call.caller), until=call.until, deadline=call.deadline
            )
        except ValueError as error:
            return Pending.of(Failure(code="bad-request", message=f"{call.request.command} cannot be said: {error}"))
        pending = self._calls[number] = Pending(lambda: self._forget(number))
        self._put(frame)
        return pending

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        return self._stream(request, caller)

    @asynccontextmanager
    async def _stream(self, request: AnyStream, caller: Caller) -> AsyncGenerator[AsyncIterator[StreamItem]]:
        if self.gone.is_set():
            raise PeerGone(f"{self.peer} is gone")
        number, frame = self._ledger.ask(request, by=str(caller))
        inbox = self._inboxes[number] = Inbox(lambda items: self._put(self._ledger.credit(number, items)))
        self._put(frame)
        self._put(self._ledger.credit(number, WINDOW))
        try:
            async with aclosing(inbox.items()) as items:
                yield items
        finally:
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._calls.pop(number, None)
        self._inboxes.pop(number, None)
        frame = self._ledger.give_up(number)
        if frame is not None:
            self._put(frame)

    # answering ------------------------------------------------------------------------------------------------

    def _called(self, called: Called) -> None:
        request = called.request
        if isinstance(request, Heartbeat) and not request.beat:
            return self._reply(called.id, Done())
        if (self._near is None or self.caller is None) and not self._greeted(called):
            return None
        assert self._near is not None
        assert self.caller is not None
        if isinstance(request, Hello):
            text = "hello is the first word on a link, or is not said at all"
            return self._reply(called.id, Failure(code="bad-request", message=text))
        envelope = called.envelope
        caller = self.caller
        if self._delegates and caller.has("agent") and envelope.by:
            caller = evolve(caller, on_behalf=envelope.by)
        if isinstance(request, StreamRequest):
            assert called.id is not None
            scope, credit = self._feeding[called.id] = anyio.CancelScope(), _Credit()
            self._group.start_soon(self._feed, called.id, request, caller, scope, credit)
            return None
        call = Call(request=request, caller=caller, key=envelope.key, until=envelope.until, deadline=envelope.deadline)
        pending = self._near.submit(call)
        if called.id is not None and pending.reply is None:
            self._answering[called.id] = pending
        pending.then(partial(self._answered, called.id))
        return None

    def _greeted(self, called: Called) -> bool:
        """The first word decides which service this peer talks to. False: it is refused, or was only a hello."""
        hello = called.request if isinstance(called.request, Hello) else None
        peer = evolve(self._connection.peer, name=self.peer)
        if hello is not None:
            peer = evolve(peer, name=hello.name, token=hello.token or peer.token)
        try:
            self.caller = self._admit(peer)
        except Refused as error:
            self._reply(called.id, Failure(code=error.code, message=error.message, hint=error.hint))
            return False
        attached = self._attach(self, hello)
        if isinstance(attached, Failure):
            self._reply(called.id, attached)
            return False
        self._near, welcome = attached
        if hello is None:
            return True
        beat = bounded(welcome.heartbeat or hello.heartbeat)  # who attaches it may know better
        self._known(hello.name, hello.role, beat)
        self._reply(called.id, evolve(welcome, heartbeat=beat))
        return False

    def _answered(self, number: int | None, reply: AnyReply) -> None:
        if number is not None:
            self._answering.pop(number, None)
        self._reply(number, reply)

    def _reply(self, number: int | None, reply: AnyReply) -> None:
        if number is None and isinstance(reply, Done):
            return None  # nobody asked to be told
        if isinstance(reply, Failure) and reply.code == "closed":
            reply = evolve(reply, code="peer-gone")  # what is closed here is gone over there
        try:
            frames = self._ledger.reply(number, reply)
        except Exception:  # whoever settled the answer has nothing to do with it
            logger.exception("an answer to %s cannot be sent", self.peer or "a peer")
            return self.end("a defect: an answer cannot be sent")
        for frame in frames:
            self._put(frame)
        return None

    async def _feed(self, number: int, request: Any, caller: Caller, scope: anyio.CancelScope, credit: _Credit) -> None:
        assert self._near is not None
        seq = 0
        try:
            with scope:
                async with self._near.stream(request, caller) as items:
                    async for item in items:
                        await credit.take()
                        seq += 1
                        self._put(self._ledger.item(number, seq, item), item=True)
                self._put(self._ledger.end(number), item=True)
        except Refused as error:
            self._reply(number, Failure(code=error.code, message=error.message, hint=error.hint))
        except ProcctlError as error:
            code = "peer-gone" if isinstance(error, PeerGone | Closed) else "failed"
            self._reply(number, Failure(code=code, message=error.message, hint=error.hint))
        finally:
            self._ledger.dropped(number)
            self._feeding.pop(number, None)

    # frames ---------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            try:
                frame = await self._connection.receive()
            except BadMessage as error:
                self._put(self._ledger.unreadable(error).frame)
                continue
            self._heard = self._clock()
            got = self._ledger.receive(frame)
            if got is not None:
                self._got(got)

    def _got(self, got: Got) -> None:
        match got:
            case Called():
                self._called(got)
            case Replied(number, reply):
                pending = self._calls.pop(number, None)
                if pending is not None:
                    pending.settle(reply)
            case Gave(number, item) if number in self._inboxes:
                self._inboxes[number].put(item)
            case Ended(number, failure) if number in self._inboxes:
                self._inboxes[number].close(failure)
            case Credit(number, items) if number in self._feeding:
                self._feeding[number][1].add(items)
            case Cancelled(number):
                self._cancelled(number)
            case Send(frame):
                self._put(frame)
            case Complaint(text):
                logger.warning("%s could not read a frame of ours: %s", self.peer or "a peer", text)
            case _:
                pass  # it is about something that was given up meanwhile

    def _cancelled(self, number: int) -> None:
        self._ledger.dropped(number)
        if number in self._feeding:
            self._feeding[number][0].cancel()
        pending = self._answering.pop(number, None)
        if pending is not None and pending.give_up is not None:
            pending.give_up()

    def _put(self, frame: bytes, *, item: bool = False) -> None:
        if self.gone.is_set():
            return
        try:
            if self._prompt is None or item or not self._out.idle or not self._prompt.send_nowait(frame):
                self._out.put(frame, item=item)
            else:
                self._spoke = self._clock()
        except PeerGone as error:
            self.end(error.message)
        except Exception:  # whoever asks or answers has nothing to do with it
            logger.exception("a frame to %s cannot be sent", self.peer or "a peer")
            self.end("a defect ended the link")

    async def _write(self) -> None:
        while True:
            frame = await self._out.get()
            await self._connection.send(frame)
            self._spoke = self._clock()


def bounded(heartbeat: float) -> float:
    """What a peer wants, as far as it makes sense; 0 or less: none."""
    return min(max(heartbeat, OFTEN), SELDOM) if heartbeat > 0 else 0.0


def _nobody(peer: Peer) -> Caller:
    return Caller(name=peer.name or peer.address)
