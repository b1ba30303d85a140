"""One AMQP connection with one channel, from its opening to its end. Nothing is tried again here.

What is told to the broker in turn (`ask`) is told before the loop over `receive` begins: what arrives between a
question and its answer is kept for that loop.
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import Self, TypeVar

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream
from attrs import frozen
from pamqp import base, commands, header

from ...errors import BadConfig, Denied, PeerGone, ProcctlError
from ...version import __version__
from .address import Address
from .framing import CHANNEL, Got, Malformed, Reader, content, method

__all__ = ["Broker", "Cut", "Refusal", "mended"]

M = TypeVar("M", bound=base.Frame)
OPENING = 10.0
"""Seconds for all that comes before a connection can be used."""
_READ = 1 << 16
_FRAME = 1 << 17
_CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}


class Cut(Exception):
    """The connection has ended; it may be tried again."""


@frozen
class Refusal(Exception):
    """The broker said no and closed. Attributes: code: Its reply code (AMQP 0-9-1, 1.2). text: Its words."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.text} ({self.code})"


class Broker:
    """See the module.

    Args:
        stream: Bytes to and from the broker.
        address: Who we are there.
        max_body: Bytes of the largest message whose body is kept.

    Attributes:
        heartbeat: Seconds between signs of life, as negotiated; 0: none.
    """

    def __init__(self, stream: ByteStream, address: Address, max_body: int) -> None:
        self.heartbeat = 0
        self._stream = stream
        self._address = address
        self._reader = Reader(max_body)
        self._got: deque[Got] = deque()
        self._max_frame = _FRAME

    @classmethod
    async def open(cls, address: Address, max_body: int) -> Self:
        """Connect and log in.

        Raises:
            Cut: Nobody is there, or it hung up.
            Refusal: It does not want us.
            BadConfig: The files for TLS cannot be used.
        """
        try:
            with anyio.fail_after(OPENING):
                broker = cls(await _stream(address), address, max_body)
        except TimeoutError:
            raise Cut(f"{address.broker} does not take a connection within {OPENING:g} s") from None
        try:
            with anyio.fail_after(OPENING):
                await broker._login()
        except BaseException as error:
            await broker.drop()
            if isinstance(error, TimeoutError):
                raise Cut(f"{address.broker} did not answer within {OPENING:g} s") from None
            raise
        return broker

    async def _login(self) -> None:
        await self.send(header.ProtocolHeader().marshal())
        start = await self._next(commands.Connection.Start, "a greeting")
        if "PLAIN" not in start.mechanisms.split():
            raise Refusal(403, f"it knows {start.mechanisms}, and not PLAIN")
        properties: dict[str, object] = {
            "product": "procctl",
            "version": __version__,
            "capabilities": dict(_CAPABILITIES),
        }
        response = f"\0{self._address.user}\0{self._address.password}"
        await self._tell(commands.Connection.StartOk(properties, "PLAIN", response))  # type: ignore[arg-type]
        tune = await self._next(commands.Connection.Tune, "the login")
        self._max_frame = self._reader.max_frame = min(tune.frame_max or _FRAME, _FRAME)
        wanted = self._address.heartbeat
        self.heartbeat = min(wanted, tune.heartbeat) if tune.heartbeat else wanted
        await self._tell(commands.Connection.TuneOk(tune.channel_max, self._max_frame, self.heartbeat))
        await self._tell(commands.Connection.Open(self._address.vhost))
        await self._next(commands.Connection.OpenOk, "the virtual host")
        await self.ask(commands.Channel.Open(), commands.Channel.OpenOk)

    async def ask(self, what: base.Frame, answer: type[M]) -> M:
        """Tell the broker on the channel, and wait for what it says to it. Raises `Refusal` or `Cut`."""
        await self.send(method(what))
        return await self._next(answer, what.name)

    async def receive(self) -> Got:
        """The next thing. Raises `Cut`, or `Refusal` where the broker has closed the channel or the connection."""
        while not self._got:
            try:
                self._got.extend(self._reader.feed(await self._stream.receive(_READ)))
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                raise Cut(f"{self._address.broker} has closed the connection") from None
            except Malformed as error:
                raise Cut(f"{self._address.broker}: {error}") from None
        got = self._got.popleft()
        if isinstance(got, commands.Connection.Close | commands.Channel.Close):
            raise Refusal(got.reply_code or 0, _words(got.reply_text))
        return got

    def message(self, exchange: str, key: str, properties: commands.Basic.Properties, body: bytes) -> bytes:
        """A publication as bytes; one that reaches no queue comes back."""
        publish = commands.Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)
        return content(publish, properties, body, self._max_frame)

    async def send(self, data: bytes) -> None:
        """Send bytes. Raises `Cut`."""
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            raise Cut(f"{self._address.broker} has closed the connection") from None

    async def drop(self) -> None:
        """Close at once; twice is fine. Everything has been closed when this returns, cancelled or not."""
        with anyio.CancelScope(shield=True):
            await anyio.aclose_forcefully(self._stream)

    async def _tell(self, what: base.Frame) -> None:
        await self.send(method(what, CHANNEL if what.name.startswith("Channel") else 0))

    async def _next(self, wanted: type[M], what: str) -> M:
        aside: list[Got] = []
        while True:
            got = await self.receive()
            if isinstance(got, wanted):
                self._got.extendleft(reversed(aside))
                return got
            if isinstance(got, base.Frame) and got.synchronous:
                raise Cut(f"{self._address.broker} answers {what} by {got.name}")
            aside.append(got)


async def _stream(address: Address) -> ByteStream:
    context = address.tls_context() if address.tls else None
    try:
        stream = await anyio.connect_tcp(address.host, address.port)
    except OSError as error:
        raise Cut(f"no broker at {address.broker}: {error.strerror or error}") from None
    if context is None:
        return stream
    try:
        return await TLSStream.wrap(stream, hostname=address.host, ssl_context=context, standard_compatible=False)
    except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream, OSError) as error:
        await anyio.aclose_forcefully(stream)
        if isinstance(error, ssl.SSLCertVerificationError):
            raise Refusal(495, f"its certificate is not to be trusted: {error.verify_message}") from None
        raise Cut(f"no TLS with {address.broker}: {error}") from None
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise


def _words(text: str) -> str:
    """What the broker said, without its shouted prefix."""
    return text.partition(" - ")[2] or text


def mended(error: Cut | Refusal, address: Address) -> ProcctlError:
    """What is told to users, with what to do about it."""
    if isinstance(error, Cut):
        return PeerGone(str(error), "is the broker running there?")
    where = f"the broker {address.broker}"
    match error.code:
        case 403 if "login" in error.text.lower():
            text = f"{where} does not know the user {address.user!r} with this password"
            return Denied("unauthorized", text, "rabbitmqctl authenticate_user tries it")
        case 403:
            return Denied("forbidden", f"{where} refuses: {error.text}", "see the permissions in the guide to AMQP")
        case 404:
            return PeerGone(f"{where} has nothing there: {error.text}", "is somebody listening?")
        case 405:
            return BadConfig(f"somebody listens as name={address.name} already: {error.text}", "choose another name=")
        case 406:
            return BadConfig(f"{where} has it otherwise: {error.text}", _differing(error.text))
        case 530:
            return BadConfig(f"{where} has no virtual host {address.vhost!r} for {address.user!r}: {error.text}")
    return BadConfig(f"{where}: {error}")


def _differing(text: str) -> str:
    """Which option a 406 is about: ``inequivalent arg 'durable' … received 'true' but current is 'false'``."""
    for option in ("durable", "auto_delete"):
        if f"arg '{option}'" in text:
            there = "yes" if "current is 'true'" in text else "no"
            return f"say {option}={there} in the URL, or exchange= for another one"
    return "say exchange=NAME in the URL for another exchange"
