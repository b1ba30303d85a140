"""One queue at a broker, over AMQP connections that come and go.

When a connection breaks, the next is made, with a growing pause between tries, until the link is closed. What was
not sent then is forgotten: who posts knows from `Office.up` that the other end may have to be asked.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Protocol

import anyio
from attrs import frozen
from pamqp import commands

from ...aio.wake import Wake
from ...errors import BadConfig, PeerGone, ProcctlError
from .address import Address
from .broker import Broker, Cut, Refusal, mended
from .framing import BEAT, Got, Message, method
from .letters import Letter

__all__ = ["FIRST_PAUSE", "LONGEST_PAUSE", "Link", "Office", "Queue"]

logger = logging.getLogger("procctl.transports.amqp")

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
STABLE = 10.0
"""Seconds after which a connection counts as good, and the next pause is a short one again."""


@frozen(kw_only=True)
class Queue:
    """What is declared on each new connection.

    Attributes:
        key: Its routing key on the exchange.
        name: Gives its name, which may be another one each time: the broker may hold the old one for a while.
        founding: Whether the exchange is made where it is missing; else there must be one.
        fatal: Reply codes by which the broker ends the link for good: what is refused now will be again.
    """

    key: str
    name: Callable[[], str]
    founding: bool
    fatal: frozenset[int] = frozenset()


class Office(Protocol):
    """Who gets what arrives. Nothing here blocks, awaits or raises."""

    def letter(self, letter: Letter) -> None: ...
    def returned(self, letter: Letter) -> None: ...
    def up(self) -> None: ...
    def ended(self, error: ProcctlError) -> None: ...


class Link:
    """See the module.

    Args:
        address: Of the broker.
        queue: See `Queue`.
        max_body: Bytes of the largest message that is taken whole.
        office: Who gets what arrives.

    Attributes:
        is_up: Whether there is a connection at present.
        blocked: Whether the broker takes nothing at present (``connection.blocked``: it is out of memory or disk).
        why: Why it is down, or was.
    """

    def __init__(self, address: Address, queue: Queue, max_body: int, office: Office) -> None:
        self.is_up = False
        self.blocked = False
        self.why = ""
        self._address = address
        self._queue = queue
        self._max_body = max_body
        self._office = office
        self._broker: Broker | None = None
        self._out: deque[bytes] = deque()
        self._beat_is_due = False
        self._published = 0
        self._unconfirmed: dict[int, None] = {}
        self._wake = Wake()
        self._confirmed = Wake()
        self._closing = False

    # opening --------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make the first connection; `run` keeps it up.

        Raises:
            PeerGone, Denied, BadConfig: It cannot be.
        """
        try:
            self._broker = await self._opened()
        except (Cut, Refusal) as error:
            raise mended(error, self._address) from None

    async def _opened(self) -> Broker:
        broker = await Broker.open(self._address, self._max_body)
        try:
            with anyio.fail_after(STABLE):
                await self._declare(broker)
        except BaseException as error:
            await broker.drop()
            if isinstance(error, TimeoutError):
                raise Cut(f"{self._address.broker} does not answer") from None
            raise
        self._out.clear()
        self._unconfirmed.clear()
        self._published = 0
        self.blocked = False
        self.is_up = True
        return broker

    async def _declare(self, broker: Broker) -> None:
        exchange, name, key = self._address.exchange, self._queue.name(), self._queue.key
        declare = commands.Exchange.Declare(
            exchange=exchange,
            exchange_type="topic",
            passive=not self._queue.founding,
            durable=self._address.durable,
            auto_delete=self._address.auto_delete,
        )
        await broker.ask(declare, commands.Exchange.DeclareOk)
        await broker.ask(commands.Queue.Declare(queue=name, exclusive=True), commands.Queue.DeclareOk)
        bind = commands.Queue.Bind(queue=name, exchange=exchange, routing_key=key)
        await broker.ask(bind, commands.Queue.BindOk)
        await broker.ask(commands.Confirm.Select(), commands.Confirm.SelectOk)
        consume = commands.Basic.Consume(queue=name, no_ack=True, exclusive=True)
        await broker.ask(consume, commands.Basic.ConsumeOk)

    # running --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep it up until it is closed; then the office is told. Raises nothing."""
        error: ProcctlError = PeerGone("the link was closed")
        try:
            error = await self._run()
        except Exception:
            logger.exception("a defect ended the link to the broker %s", self._address.broker)
            error = PeerGone("a defect ended the link to the broker")
        finally:
            self.is_up = False
            self._confirmed.set()
            self._office.ended(error)
            if self._broker is not None:
                await self._broker.drop()

    async def _run(self) -> ProcctlError:
        pause = FIRST_PAUSE
        while True:
            assert self._broker is not None
            began = anyio.current_time()
            cut = await self._serve(self._broker)
            if self._closing:
                return PeerGone("the link was closed")
            if isinstance(cut, Refusal) and cut.code in self._queue.fatal:
                return mended(cut, self._address)
            logger.warning("the link to the broker %s is down: %s", self._address.broker, cut)
            self.why = str(cut)
            pause = FIRST_PAUSE if anyio.current_time() - began > STABLE else min(LONGEST_PAUSE, pause * 2)
            self._broker = await self._again(pause)
            logger.info("the link to the broker %s is up again", self._address.broker)
            self._office.up()

    async def _again(self, pause: float) -> Broker:
        """The next connection."""
        while True:
            await anyio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(LONGEST_PAUSE, pause * 2)
            try:
                return await self._opened()
            except (Cut, Refusal, BadConfig) as error:
                self.why = str(error)

    async def _serve(self, broker: Broker) -> Cut | Refusal:
        """One connection, to its end: why."""
        cut: Cut | Refusal = Cut("closed")
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._write, broker)
                group.start_soon(self._watch, broker)
                await self._read(broker)
        except* (Cut, Refusal) as causes:
            cut = _first(causes)
        finally:
            self.is_up = False
            await broker.drop()
        return cut

    async def _read(self, broker: Broker) -> None:
        while True:
            got = await broker.receive()
            self._heard = anyio.current_time()
            if got is not None:
                self._take(got)

    def _take(self, got: Got) -> None:
        match got:
            case Message(method=commands.Basic.Return()):
                letter = Letter.read(got)
                if letter is not None:
                    self._office.returned(letter)
            case Message():
                letter = Letter.read(got)
                if letter is not None:
                    self._office.letter(letter)
                else:
                    logger.warning("a message that is no letter came to %s", self._queue.key)
            case commands.Basic.Ack(delivery_tag=tag, multiple=multiple):
                self._settle(tag, multiple)
            case commands.Basic.Nack():
                raise Cut("the broker has lost a message")
            case commands.Basic.Cancel():
                raise Cut("the broker has deleted the queue")
            case commands.Connection.Blocked(reason=reason):
                logger.warning("the broker %s takes nothing at present: %s", self._address.broker, reason)
                self.blocked = True
            case commands.Connection.Unblocked():
                logger.info("the broker %s takes messages again", self._address.broker)
                self.blocked = False
                self._wake.set()
                self._office.up()
            case commands.Connection.CloseOk():
                raise Cut("closed")
            case _:
                pass  # an answer that nobody waits for

    def _settle(self, tag: int, multiple: bool) -> None:
        if multiple:
            for older in [one for one in self._unconfirmed if one <= tag]:
                del self._unconfirmed[older]
        else:
            self._unconfirmed.pop(tag, None)
        if not self._unconfirmed:
            self._confirmed.set()

    async def _write(self, broker: Broker) -> None:
        while True:
            data = b""
            if self._beat_is_due:
                self._beat_is_due = False
                data = BEAT
            if not self.blocked and self._out:
                data += b"".join(self._out)
                self._out.clear()
            if data:
                await broker.send(data)
                self._spoke = anyio.current_time()
            else:
                await self._wake.wait()

    async def _watch(self, broker: Broker) -> None:
        """Signs of life, both ways (AMQP 0-9-1, 4.2.7): two that are missed, and it is over."""
        self._heard = self._spoke = anyio.current_time()
        if not broker.heartbeat:
            return
        while True:
            await anyio.sleep(broker.heartbeat / 2)
            now = anyio.current_time()
            if now - self._heard > 2 * broker.heartbeat:
                raise Cut(f"{self._address.broker} has not been heard for {now - self._heard:.0f} s")
            if now - self._spoke >= broker.heartbeat / 2:
                self._beat_is_due = True
                self._wake.set()

    # posting --------------------------------------------------------------------------------------------------

    def post(self, letter: Letter, to: str) -> None:
        """Send a letter to a routing key, as soon as the broker takes it; forgotten if there is no connection."""
        if self._broker is None or not self.is_up:
            return
        self._published += 1
        self._unconfirmed[self._published] = None
        data = self._broker.message(self._address.exchange, to, letter.properties(), letter.body or b"")
        self._out.append(data)
        self._wake.set()

    async def confirmed(self) -> None:
        """Wait until the broker has all that was posted, or there is no connection."""
        while self._unconfirmed and self.is_up:
            await self._confirmed.wait()

    def close(self) -> None:
        """End it in words; `run` returns when the broker has answered."""
        self._closing = True
        self._out.append(method(commands.Connection.Close(200, "bye", 0, 0), 0))
        self._wake.set()


def _first(causes: BaseExceptionGroup[Cut | Refusal]) -> Cut | Refusal:
    """A refusal if there is one: it says more than the end that follows it."""
    found: list[Cut | Refusal] = []
    todo: list[BaseException] = [causes]
    while todo:
        error = todo.pop()
        if isinstance(error, BaseExceptionGroup):
            todo += error.exceptions
        elif isinstance(error, Cut | Refusal):
            found.append(error)
    return next((error for error in found if isinstance(error, Refusal)), found[0])
