"""The connections of one link: letters find theirs, new ones are begun, and those that are lost are looked for."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from typing import Any

import anyio

from ...abc import Peer
from ...aio.behind import start_behind
from ...aio.wake import Wake
from ...errors import Closed, PeerGone, ProcctlError
from .address import Address
from .connection import AmqpConnection, Far
from .letters import Kind, Letter, is_peer_of
from .link import Link, Queue
from .sequence import Marks

__all__ = ["Peers"]

logger = logging.getLogger("procctl.transports.amqp")

BACKLOG = 128
"""Connections that may wait to be accepted."""
ANSWER = 10.0
"""Seconds for a listener to answer."""
FAREWELL = 2.0
"""Seconds for the broker to take the last words."""
SOON, SELDOM = 0.2, 1.0
"""Seconds between looks at the connections: where one is lost, and else."""


class Peers:
    """Everybody at the other side of one queue.

    The link runs in a task of its own, from `open` until the last connection has left and nobody listens.

    Args:
        address: Of the broker.
        queue: See `Queue`.
        max_body: Bytes of the longest frame that is taken.
        listening: Whether others may open connections.
    """

    def __init__(self, address: Address, queue: Queue, max_body: int, *, listening: bool) -> None:
        self._address = address
        self._key = queue.key
        self._link = Link(address, queue, max_body, self)
        self._listening = listening
        self._known: dict[str, AmqpConnection] = {}
        self._dialled: dict[str, _Dialled] = {}
        self._waiting: deque[AmqpConnection] = deque()
        self._arrived = Wake()
        self._ended: ProcctlError | None = None
        self._over = anyio.Event()
        self._scope = anyio.CancelScope()
        self._task: Any = None

    async def open(self) -> None:
        """Make the link. Raises `PeerGone`, `Denied` or `BadConfig`."""
        await self._link.open()
        self._task = start_behind(self._run, f"procctl amqp {self._key}")

    async def _run(self) -> None:
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._tend)
                    await self._link.run()
                    group.cancel_scope.cancel()
        except Exception:
            logger.exception("a defect ended the link to the broker %s", self._address.broker)
            self.ended(PeerGone("a defect ended the link to the broker"))
        finally:
            self._over.set()

    async def _tend(self) -> None:
        """Look for those that are lost, and give up when an outage lasts too long."""
        worked = anyio.current_time()
        while True:
            now = anyio.current_time()
            if self._link.is_up:
                worked = now
            elif now - worked > self._address.patience:
                self._give_up()
            looks = [connection.tick(now) for connection in list(self._known.values()) if self.flowing]
            await anyio.sleep(SOON if any(looks) else SELDOM)

    def _give_up(self) -> None:
        text = f"the broker {self._address.broker} is out of order for more than {self._address.patience:g} s"
        for connection in list(self._known.values()):
            connection.end(f"{text}: {self._link.why}")

    # connections ----------------------------------------------------------------------------------------------

    async def dial(self, key: str, name: str) -> AmqpConnection:
        """A connection to the listener with this routing key.

        Raises:
            PeerGone: Nobody listens there, or it does not answer.
            Denied: The broker does not let us write there.
        """
        far = Far(id=secrets.token_hex(16), key=key, user="")
        dialled = self._dialled[far.id] = _Dialled(key)
        try:
            self.write(far, "open", Marks(0, 0), text=name)
            with anyio.move_on_after(ANSWER):
                await dialled.over.wait()
        finally:
            del self._dialled[far.id]
        if dialled.error is None and not dialled.over.is_set():
            dialled.error = PeerGone(f"who listens as {key} on {self._address.broker} has not answered")
        if dialled.error is not None:
            raise dialled.error
        peer = Peer(name="", identity=f"amqp:{dialled.user}", address=f"{self._address.broker} {key}")
        return self._begin(Far(id=far.id, key=key, user=dialled.user), peer)

    async def accept(self) -> AmqpConnection:
        """The next that has come. Raises `Closed` when nobody listens any more."""
        while not self._waiting:
            if not self._listening:
                raise Closed(f"nobody listens as {self._key} any more")
            if self._ended is not None:
                raise Closed(f"nobody listens as {self._key} any more: {self._ended.message}")
            await self._arrived.wait()
        return self._waiting.popleft()

    async def close(self) -> None:
        """Listen no more; connections live on, those that nobody has accepted excepted."""
        self._listening = False
        self._arrived.set()
        while self._waiting:
            await self._waiting.popleft().aclose()
        await self._perhaps_end()

    async def leave(self, connection: AmqpConnection) -> None:
        """One is closed."""
        self._known.pop(connection.far.id, None)
        await self._perhaps_end()

    async def _perhaps_end(self) -> None:
        """End the link when nobody needs it. It has ended when this returns, cancelled or not."""
        if self._listening or self._known or self._dialled or self._task is None:
            return
        try:
            with anyio.move_on_after(FAREWELL if self.flowing else 0):
                await self._link.confirmed()
                self._link.close()
                await self._over.wait()
        finally:
            self._scope.cancel()
            with anyio.CancelScope(shield=True):
                await self._over.wait()

    def _begin(self, far: Far, peer: Peer) -> AmqpConnection:
        connection = self._known[far.id] = AmqpConnection(self, far, peer)
        if self._ended is not None:
            connection.end(self._ended.message)
        return connection

    # posting --------------------------------------------------------------------------------------------------

    @property
    def flowing(self) -> bool:
        return self._link.is_up and not self._link.blocked

    def write(self, far: Far, kind: Kind, marks: Marks, number: int = 0, body: bytes = b"", text: str = "") -> None:
        """Send a letter."""
        letter = Letter(
            kind=kind,
            connection=far.id,
            sender=self._key,
            user=self._address.user,
            number=number,
            body=body,
            marks=marks,
            text=text,
        )
        self._link.post(letter, far.key)

    # what the link tells --------------------------------------------------------------------------------------

    def letter(self, letter: Letter) -> None:
        connection = self._known.get(letter.connection)
        dialled = self._dialled.get(letter.connection)
        if connection is not None:
            if (letter.user, letter.sender) == (connection.far.user, connection.far.key):
                connection.take(letter)
                if letter.kind == "open":
                    self.write(connection.far, "opened", Marks(0, 0))
            else:
                logger.warning("%s writes in the name of %s", letter.user or "somebody", connection.peer.identity)
        elif dialled is not None:
            dialled.answered(letter)
        elif letter.kind == "open":
            self._opened(letter)
        elif letter.kind != "bye":
            self._refuse(letter, "there is no such connection here any more")

    def returned(self, letter: Letter) -> None:
        connection = self._known.get(letter.connection)
        dialled = self._dialled.get(letter.connection)
        if connection is not None and letter.kind != "bye":
            connection.lose()
        elif dialled is not None:
            dialled.fail(PeerGone(f"nobody listens as {dialled.key} on {self._address.broker}"))

    def up(self) -> None:
        for connection in list(self._known.values()):
            connection.flow()
        for dialled in self._dialled.values():
            dialled.fail(PeerGone(f"the broker {self._address.broker} was away for a moment"))

    def ended(self, error: ProcctlError) -> None:
        self._ended = error
        for connection in list(self._known.values()):
            connection.end(str(error))
        for dialled in self._dialled.values():
            dialled.fail(error)
        self._arrived.set()

    def _opened(self, letter: Letter) -> None:
        """Somebody wants a connection."""
        if not letter.user:
            return self._refuse(letter, "the broker does not say who you are: publish with user_id")
        if not self._listening:
            return self._refuse(letter, "nobody listens here any more")
        if len(self._waiting) >= BACKLOG:
            return self._refuse(letter, "too many connections wait to be accepted")
        if not is_peer_of(letter.sender, letter.user):
            return logger.warning("%s wants answers at %r, which is not its own", letter.user, letter.sender)
        far = Far(id=letter.connection, key=letter.sender, user=letter.user)
        peer = Peer(name=letter.text, identity=f"amqp:{letter.user}", address=f"{self._address.broker} {letter.sender}")
        self._waiting.append(self._begin(far, peer))
        self.write(far, "opened", Marks(0, 0))
        return self._arrived.set()

    def _refuse(self, letter: Letter, why: str) -> None:
        """Say so to who sent it; never to a place that it only names."""
        if is_peer_of(letter.sender, letter.user):
            self.write(Far(id=letter.connection, key=letter.sender, user=""), "bye", Marks(0, 0), text=why)


class _Dialled:
    """An answer to come. Attributes: user: Who has answered. error: Why there is none."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.user = ""
        self.error: ProcctlError | None = None
        self.over = anyio.Event()

    def answered(self, letter: Letter) -> None:
        if letter.sender != self.key or not letter.user:
            return
        if letter.kind == "opened":
            self.user = letter.user
            self.over.set()
        elif letter.kind == "bye":
            self.fail(PeerGone(f"who listens as {self.key} refuses: {letter.text}"))

    def fail(self, error: ProcctlError) -> None:
        if not self.over.is_set():
            self.error = error
            self.over.set()
