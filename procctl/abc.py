"""What outsiders implement or hold, and what each promises.

A **Service** answers: an agent, a controller, and the far side of a link alike. A **Transport** moves frames: what
implements it is checked with `procctl.testing.check_transport` where that is installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import anyio
from attrs import field, frozen

from .core.happenings import AnyEvent, LogChunk, Lost
from .core.rights import LOCAL, Caller

if TYPE_CHECKING:
    from .core.events import Signal
    from .core.messages import AnyReply, AnyRequest, AnyStream, Until
    from .core.process import Process

__all__ = [
    "LOCAL",
    "Body",
    "Call",
    "Caller",
    "Connection",
    "Door",
    "Gateway",
    "Items",
    "Joinable",
    "Listener",
    "Peer",
    "Pending",
    "Prompt",
    "Service",
    "Store",
    "StreamItem",
    "Traits",
    "Transport",
]

StreamItem = LogChunk | AnyEvent | Lost
Items = AbstractAsyncContextManager[AsyncIterator[StreamItem]]


@frozen(kw_only=True)
class Call:
    """One request with its context.

    Attributes:
        request: What is asked.
        caller: Who asks.
        key: The client's; the same key is the same command, over reconnects too. Empty: never sent again.
        until: When a command on processes is answered.
        deadline: Seconds after which it is answered with what there is; None: never.
    """

    request: AnyRequest
    caller: Caller = LOCAL
    key: str = ""
    until: Until = "settled"
    deadline: float | None = None


class Pending:
    """The answer to come. Settled once; later settlings are ignored.

    Attributes:
        give_up: Called when nobody wants the answer any more.
        lose: Called when the link to who wants it is lost: the same request may come again by its key.
    """

    __slots__ = ("_callbacks", "_event", "give_up", "lose", "reply")

    def __init__(self, give_up: Callable[[], None] | None = None) -> None:
        self.reply: AnyReply | None = None
        self.give_up = give_up
        self.lose: Callable[[], None] | None = None
        self._event: anyio.Event | None = None
        self._callbacks: list[Callable[[AnyReply], None]] = []

    @classmethod
    def of(cls, reply: AnyReply) -> Pending:
        """One that is settled already."""
        pending = cls()
        pending.reply = reply
        return pending

    def settle(self, reply: AnyReply) -> None:
        """Here it is. Whoever waits is told, callbacks in this very call."""
        if self.reply is not None:
            return
        self.reply = reply
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(reply)
        if self._event is not None:
            self._event.set()

    def then(self, callback: Callable[[AnyReply], None]) -> None:
        """Call this with the reply when it comes; at once if it has."""
        if self.reply is not None:
            callback(self.reply)
        else:
            self._callbacks.append(callback)

    async def wait(self) -> AnyReply:
        """Wait for the reply.

        Cancellation: gives up the answer, never the command.
        """
        if self.reply is None:
            self._event = self._event or anyio.Event()
            try:
                await self._event.wait()
            finally:
                if self.reply is None and self.give_up is not None:
                    self.give_up()
        assert self.reply is not None
        return self.reply


class Service(Protocol):
    """Who answers."""

    def submit(self, call: Call) -> Pending:
        """Take a request. Decides and queues before it returns, never blocks and never raises: the order of submits
        is the order of effects."""
        ...

    def stream(self, request: AnyStream, caller: Caller) -> Items:
        """Items, inside a block; leaving it ends the stream at its source.

        Raises (when entered or while iterating):
            Refused: The service said no.
            PeerGone: The far side ended.
        """
        ...


class Body(Protocol):
    """How one process is acted on, over its runs: a child, or whatever else can be started and ends.

    What happens to it is fed as events; nothing here blocks, awaits or raises.
    """

    def start(self, process: Process, token: int) -> None:
        """Begin a run: feeds Spawned or SpawnFailed, and Exited at its end."""
        ...

    def signal(self, effect: Signal) -> None:
        """Send a signal; to what is gone is no error."""
        ...

    def look(self) -> None:
        """Is anything left of the run that has ended? Feeds Looked."""
        ...

    def close(self) -> None:
        """It is not needed any more; nothing of it runs."""
        ...

    def kill_now(self) -> None:
        """The last resort, when the agent's own parts have failed: end it and return when it is dead."""
        ...


@frozen(kw_only=True)
class Peer:
    """The other end of a connection.

    Attributes:
        name: What it calls itself; nothing is proven by it.
        identity: What the transport has proven (``uid:1000``, ``curve:…``, ``amqp:web-01``), or None.
        address: Where it is, for people.
        token: A bearer's credential that came with the connection, as in an HTTP header; proves nothing before a
            `Door` has looked at it.
    """

    name: str = ""
    identity: str | None = None
    address: str = ""
    token: str = field(default="", repr=False)


@runtime_checkable
class Connection(Protocol):
    """One peer, ordered, whole frames.

    `send` and `receive` are each called by one task, and cancelled only to end it.
    """

    @property
    def peer(self) -> Peer:
        """The other end."""
        ...

    @property
    def suspended(self) -> bool:
        """Whether what lies between is out of order at present and the connection waits for it (the trait
        ``suspends``): silence then says nothing about the peer."""
        ...

    async def send(self, frame: bytes) -> None:
        """Returns when the frame is accepted: waiting is the backpressure. Raises `PeerGone`."""
        ...

    async def receive(self) -> bytes:
        """The next whole frame. Raises `PeerGone` at the end, `BadMessage` for one that cannot be had (too large);
        the connection goes on after that."""
        ...

    async def aclose(self) -> None:
        """End it; twice is fine."""
        ...


@runtime_checkable
class Prompt(Connection, Protocol):
    """A connection that takes most frames at once. Optional: it spares each of them the turn of a task."""

    def send_nowait(self, frame: bytes) -> bool:
        """True: the frame is accepted, as by `send`. False: it cannot be at present, and the next call is `send` with
        the same frame. Never called while `send` runs. Raises `PeerGone`."""
        ...


class Joinable(Protocol):
    """What an agent of the same program can join: a `procctl.Controller`."""

    name: str

    async def dial(self, name: str) -> Connection:
        """A connection to it."""
        ...


class Listener(Protocol):
    """Where peers arrive."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it can be reached, ports and the like as they have become."""
        ...

    @property
    def traits(self) -> Traits:
        """Of its transport."""
        ...

    async def accept(self) -> Connection:
        """The next peer. Raises `Closed` after `aclose`."""
        ...

    async def aclose(self) -> None:
        """Stop listening; connections that were accepted live on."""
        ...


@frozen(kw_only=True)
class Traits:
    """What a transport is like: what may be expected of it, and is checked.

    Attributes:
        owner: Whoever can reach it is the owner of the program by the system's own rules.
        identity: It proves who a peer is (`Peer.identity`), or can be told to.
        suspends: An outage of what lies between suspends its connections, and they go on afterwards.
        broker: Frames go through a third party.
        in_process: Both ends are in one program.
        max_frame: Bytes of the longest frame that a listener takes, or None.
    """

    owner: bool = False
    identity: bool = False
    suspends: bool = False
    broker: bool = False
    in_process: bool = False
    max_frame: int | None = None


class Transport(Protocol):
    """Moves frames. Found by the scheme of a URL in the entry-point group ``procctl.schemes``."""

    @property
    def schemes(self) -> tuple[str, ...]:
        """Of the URLs that it is for."""
        ...

    @property
    def traits(self) -> Traits:
        """What it is like."""
        ...

    async def listen(self, url: str, options: Mapping[str, str]) -> Listener:
        """Begin to listen. Raises `BadConfig` if the place cannot be used."""
        ...

    async def connect(self, url: str, name: str, options: Mapping[str, str]) -> Connection:
        """Reach a listener, calling oneself `name`. Raises `PeerGone` if nobody is there.

        The options are the URL's; a caller who has a token adds it as ``token`` (it is never in a URL). A transport
        that can carry it with the connection does; the session says it in its hello in any case.
        """
        ...


class Door(Protocol):
    """Decides what the peers of one listener may be."""

    def admit(self, peer: Peer) -> Caller:
        """Somebody to act on the word of. Raises `Denied` (code ``unauthorized``)."""
        ...


class Store(Protocol):
    """A small key-value store, for what has to be known after this program's end. Used by one program at a time.

    What was put survives the program's SIGKILL as soon as `put` has returned. Found by the scheme of a URL, like a
    `Transport`.
    """

    def open(self, url: str) -> None:
        """Begin. Raises `BadConfig` if it cannot be used: it is not one, or torn, or another program has it."""
        ...

    def items(self) -> list[tuple[str, str]]:
        """Everything, in the order of the first puts."""
        ...

    def put(self, key: str, value: str) -> None:
        """Raises `OSError` where there is no room, and has changed nothing then."""
        ...

    def delete(self, key: str) -> None:
        """What is not there is no error. Raises as `put` does."""
        ...

    def write(self, changes: Sequence[tuple[str, str | None]]) -> None:
        """Several puts, and with None deletes, in one: all or none. Raises as `put` does."""
        ...

    def close(self) -> None:
        """End it; twice is fine."""
        ...


@runtime_checkable
class Gateway(Protocol):
    """Serves a service on a URL in another way than by sessions alone: REST, another system's dialect.

    Found like a `Transport`, whose place it takes where one listens. What arrives for sessions it gives as a
    `Listener`; all else it answers itself, each request on the word of whom the door admits.
    """

    @property
    def schemes(self) -> tuple[str, ...]:
        """Of the URLs that it is for."""
        ...

    def serve(
        self, url: str, options: Mapping[str, str], service: Service, door: Door
    ) -> AbstractAsyncContextManager[Listener]:
        """Listen for as long as the block lasts. Raises `BadConfig` on entry if the place cannot be used."""
        ...
