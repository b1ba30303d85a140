"""A line: a service elsewhere, over sessions that come and go.

While a session is lost, requests with a key wait and are sent again with the same key over the next one, so each is
answered once; streams go on from their cursor. Nothing is kept beyond the life of this program.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from attrs import define, evolve

from ..abc import Call, Caller, Connection, Items, Pending, StreamItem
from ..aio.wake import Wake
from ..core.messages import (
    AnyReply,
    AnyStream,
    Failure,
    Goodbye,
    Hello,
    LogChunk,
    Lost,
    Welcome,
)
from ..errors import PeerGone, ProcctlError, Refused, refusal
from .session import Admit, Attach, Session

__all__ = ["Line"]

logger = logging.getLogger("procctl.link")

Dial = Callable[[], Awaitable[Connection]]
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
FAREWELL = 2.0


@define
class _Open:
    call: Call
    pending: Pending
    sent: Pending | None = None


class Line:
    """A Service on the far side.

    Args:
        dial: Makes a connection; raises `PeerGone` when nobody is there.
        hello: The first word, made anew for each session.
        attach: What the far side may ask of us.
        patience: Seconds to try again after a session was lost; then everything open fails with ``peer-gone``.
        joined: Called with each session after its welcome.
        admit: On whose word the far side's requests are acted upon.
        spread: Within how many seconds to come back when a session is lost, at a moment of chance: so that a thousand
            that have lost the same far side do not come back together.
        roll: The dice.
        called: The far side, for messages.
        at_once: Begin although nobody is there yet, who is tried again like one that went away.
    """

    def __init__(
        self,
        dial: Dial,
        hello: Callable[[], Hello],
        attach: Attach,
        *,
        patience: float = 10.0,
        joined: Callable[[Session, Welcome], None] = lambda session, welcome: None,
        admit: Admit | None = None,
        spread: Callable[[], float] = lambda: 0.0,
        roll: Callable[[], float] = random.random,
        at_once: bool = False,
        called: str = "the far side",
    ) -> None:
        self._at_once = at_once
        self._called = called
        self._spread = spread
        self._roll = roll
        self._dial = dial
        self._hello = hello
        self._attach = attach
        self._patience = patience
        self._joined = joined
        self._admit = admit
        self._session: Session | None = None
        self._gone: Failure | None = None
        self._refused: Refused | None = None
        self._open: dict[int, _Open] = {}
        self._numbers = 0
        self._changed = Wake()
        self.welcome: Welcome | None = None

    @property
    def connected(self) -> bool:
        """Whether a session is up at present."""
        return self._session is not None

    @property
    def absent(self) -> str:
        """Why nobody can answer at present, or empty."""
        return "" if self.connected else f"{self._called} is not there"

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep a session up; `started` after the first welcome, or with `at_once` as soon as nobody is there.

        Raises:
            PeerGone, Refused: The first session did not come about. Later ones are tried again.
        """
        try:
            await self._session_of(await self._dial(), task_status)
        except PeerGone as error:
            if not self._at_once:
                raise
            logger.warning("%s: it is tried again until somebody does", error.message)
            task_status.started()
        while True:
            pause = FIRST_PAUSE
            try:
                with anyio.fail_after(None if self._patience == float("inf") else self._patience) as outage:
                    await anyio.sleep(self._roll() * self._spread())
                    while not await self._again(outage):
                        await anyio.sleep(pause * (0.5 + self._roll() / 2))
                        pause = min(max(LONGEST_PAUSE, self._spread()), pause * 2)
            except TimeoutError:
                return self._give_up("and has not come back")

    async def _again(self, outage: anyio.CancelScope) -> bool:
        """One more try; False: the far side took the connection and did not welcome us."""
        connection = await self._redial()
        try:
            await self._session_of(connection, _Reached(outage))
        except Refused as error:
            if self._refused is None or self._refused.args != error.args:
                logger.warning("it does not let us in again: %s", error)
            self._refused = error
            return False
        except ProcctlError:
            return False
        return True

    async def _session_of(self, connection: Connection, reached: anyio.abc.TaskStatus[None]) -> None:
        """One session, from its greeting to its end.

        Raises:
            PeerGone, Refused: There was no welcome.
        """
        session = Session(connection, self._attach, self._admit)
        failed: ProcctlError | None = None
        async with anyio.create_task_group() as group:
            await group.start(session.run)
            try:
                self.welcome = await session.greet(self._hello())
            except ProcctlError as error:
                failed = error
                group.cancel_scope.cancel()
            else:
                self._up(session, self.welcome)
                reached.started()
                await session.gone.wait()
        self._session = None
        if failed is not None:
            raise failed

    async def _redial(self) -> Connection:
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._dial()
            except ProcctlError:  # what is set up anew over there may refuse us for a while
                await anyio.sleep(pause * (0.5 + self._roll() / 2))
                pause = min(max(LONGEST_PAUSE, self._spread()), pause * 2)

    def _up(self, session: Session, welcome: Welcome) -> None:
        self._session = session
        self._refused = None
        self._joined(session, welcome)
        for number in list(self._open):
            self._send(number)
        self._changed.set()

    def _give_up(self, text: str) -> None:
        name = self.welcome.name if self.welcome else "the peer"
        self._gone = Failure(code="peer-gone", message=f"{name} is gone {text}", hint="procctl doctor")
        if self._refused is not None:
            refused = self._refused
            self._gone = Failure(code=refused.code, message=refused.message, hint=refused.hint)
        for number in list(self._open):
            self._settle(number, self._gone)
        self._changed.set()

    async def farewell(self) -> None:
        """Tell the far side that this end leaves on purpose; one that cannot be told will notice."""
        if self._session is not None:
            with anyio.move_on_after(FAREWELL):
                await self._session.submit(Call(request=Goodbye())).wait()

    # asking ---------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> Pending:
        if self._gone is not None:
            return Pending.of(self._gone)
        self._numbers += 1
        number = self._numbers
        pending = Pending(lambda: self._forget(number))
        self._open[number] = _Open(call, pending)
        if self._session is not None:
            self._send(number)
        elif not call.key:
            self._settle(number, Failure(code="peer-gone", message="the link is down at present"))
        return pending

    def _send(self, number: int) -> None:
        assert self._session is not None
        entry = self._open[number]
        entry.sent = self._session.submit(entry.call)
        entry.sent.then(lambda reply: self._replied(number, reply))

    def _replied(self, number: int, reply: AnyReply) -> None:
        entry = self._open.get(number)
        if entry is None:
            return
        lost = isinstance(reply, Failure) and reply.code == "peer-gone"
        if lost and entry.call.key and self._gone is None:
            return  # sent again over the next session
        self._settle(number, reply)

    def _settle(self, number: int, reply: AnyReply) -> None:
        entry = self._open.pop(number, None)
        if entry is not None:
            entry.pending.settle(reply)

    def _forget(self, number: int) -> None:
        entry = self._open.pop(number, None)
        if entry is not None and entry.sent is not None and entry.sent.give_up is not None:
            entry.sent.give_up()

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        return self._stream(request, caller)

    @asynccontextmanager
    async def _stream(self, request: AnyStream, caller: Caller) -> AsyncGenerator[AsyncIterator[StreamItem]]:
        stream = self._resumed(request, caller)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def _resumed(self, request: AnyStream, caller: Caller) -> AsyncGenerator[StreamItem]:
        cursors: dict[str, str] = {}
        while True:
            session = await self._up_again()
            try:
                async with session.stream(request, caller) as items:
                    async for item in items:
                        _note(cursors, item)
                        yield item
                return
            except PeerGone:
                if not session.gone.is_set():
                    raise  # somebody beyond the far side is gone, not the far side itself
            if cursors:
                request = evolve(request, since=",".join(cursors.values()))

    async def _up_again(self) -> Session:
        while self._session is None or self._session.gone.is_set():
            if self._gone is not None:
                raise refusal(self._gone.code, self._gone.message, self._gone.hint)
            await self._changed.wait()
        return self._session


class _Reached:
    """A welcome ends an outage: what follows has all the time it needs."""

    def __init__(self, outage: anyio.CancelScope) -> None:
        self._outage = outage

    def started(self, value: None = None) -> None:
        """It has come."""
        self._outage.deadline = float("inf")


def _note(cursors: dict[str, str], item: StreamItem) -> None:
    """Remember where a stream is: for output one place per process, for events one."""
    if isinstance(item, LogChunk):
        cursors[item.uuid] = item.cursor
    elif isinstance(item, Lost):
        if item.next:
            cursors[item.next.split(".")[1] if "." in item.next else "events"] = item.next
    elif item.cursor:
        cursors["events"] = item.cursor
