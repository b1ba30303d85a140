"""The end that connects: an upgrade by httpx2, then frames as WebSocket messages by wsproto."""

from __future__ import annotations

import base64
import contextlib
import os
from collections import deque
from collections.abc import Mapping
from typing import Any

import anyio
import httpcore2
import httpx2
from wsproto.connection import Connection as Wire
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from ...abc import Peer
from ...errors import BadConfig, BadMessage, PeerGone, ProcctlError, refusal
from ..unix import MAX_ANSWER
from .place import CONNECT, Place, checked, place_of
from .tls import client_context

__all__ = ["SUBPROTOCOL", "WebSocketConnection", "connect"]

SUBPROTOCOL = "procctl.1"
PATIENCE = 10.0
"""Seconds for the connection and for the answer to the upgrade."""
FAREWELL = 1.0
"""Seconds for saying goodbye."""
_READ = 1 << 16
_BROKEN = (
    *(httpx2.TransportError, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException),
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError),
)


class WebSocketConnection:
    """Frames over a WebSocket that we have asked for. No task stands behind it.

    Args:
        client: Made the upgrade; closed with the connection.
        response: The answer to the upgrade, whose stream is ours now.
        peer: The other end.
        max_frame: Bytes of the longest frame that is taken.
    """

    suspended = False

    def __init__(self, client: httpx2.AsyncClient, response: httpx2.Response, peer: Peer, max_frame: int) -> None:
        self.peer = peer
        self._client = client
        self._response = response
        self._stream: Any = response.extensions["network_stream"]
        self._max_frame = max_frame
        self._wire = Wire(ConnectionType.CLIENT)
        self._writing = anyio.Lock()
        self._frames: deque[bytes | None] = deque()
        self._parts: list[bytes] = []
        self._size = 0
        self._closed = False

    async def send(self, frame: bytes) -> None:
        await self._say(_message(frame))

    async def receive(self) -> bytes:
        await anyio.lowlevel.checkpoint_if_cancelled()
        while not self._frames:
            for event in await self._read():
                await self._got(event)
        frame = self._frames.popleft()
        if frame is None:
            raise BadMessage(f"a frame of more than {self._max_frame} bytes")
        return frame

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        with anyio.move_on_after(FAREWELL, shield=True):
            if self._wire.state is ConnectionState.OPEN:
                with contextlib.suppress(PeerGone):  # it has left before us
                    await self._say(CloseConnection(code=1000))
        with anyio.move_on_after(FAREWELL, shield=True), contextlib.suppress(*_BROKEN):
            await self._stream.aclose()
        with anyio.move_on_after(FAREWELL, shield=True), contextlib.suppress(*_BROKEN):
            await self._response.aclose()
            await self._client.aclose()

    async def _say(self, event: Event) -> None:
        async with self._writing:
            try:
                await self._stream.write(self._wire.send(event))
            except LocalProtocolError:
                raise PeerGone(f"the link to {self.peer.address} was closed") from None
            except _BROKEN as error:
                raise PeerGone(f"{self.peer.address} is gone: {_said(error)}") from None

    async def _read(self) -> list[Event]:
        try:
            data = await self._stream.read(_READ)
        except _BROKEN as error:
            raise PeerGone(f"{self.peer.address} is gone: {_said(error)}") from None
        if not data:
            raise PeerGone(f"{self.peer.address} has closed the connection")
        try:
            self._wire.receive_data(data)
            return list(self._wire.events())
        except (RemoteProtocolError, LocalProtocolError) as error:
            raise PeerGone(f"{self.peer.address} does not speak WebSocket: {error}") from None

    async def _got(self, event: Event) -> None:
        match event:
            case Ping():
                await self._say(event.response())
            case Message(data=data, message_finished=finished):
                part = data.encode() if isinstance(data, str) else bytes(data)
                self._size += len(part)
                if self._size <= self._max_frame:
                    self._parts.append(part)
                if finished:
                    self._frames.append(b"".join(self._parts) if self._size <= self._max_frame else None)
                    self._parts, self._size = [], 0
            case CloseConnection(code=code, reason=reason):
                why = f": {reason}" if reason else f" ({code})" if code not in (1000, 1001, 1005) else ""
                raise PeerGone(f"{self.peer.address} has closed the connection{why}")


def _said(error: BaseException) -> str:
    """What the exception says, or else the one behind it."""
    behind = error.__cause__ or error.__context__
    return str(error) or (_said(behind) if behind is not None else type(error).__name__)


def _message(frame: bytes) -> Event:
    """A text where it is one, so that a browser can read it."""
    try:
        return TextMessage(data=frame.decode())
    except UnicodeDecodeError:
        return BytesMessage(data=frame)


async def connect(url: str, name: str, options: Mapping[str, str]) -> WebSocketConnection:
    """See `procctl.abc.Transport.connect`. Environment variables about proxies have no effect."""
    options = checked(url, options, CONNECT)
    place = place_of(url)
    client = _client(place, url, options)
    try:
        response = await _upgrade(client, place, url, options.get("token", ""))
        return WebSocketConnection(client, response, Peer(address=place.url()), MAX_ANSWER)
    except BaseException:
        with anyio.move_on_after(FAREWELL, shield=True):
            await client.aclose()
        raise


def _client(place: Place, url: str, options: Mapping[str, str]) -> httpx2.AsyncClient:
    if not place.secure and any(name in options for name in ("ca", "cert")):
        raise BadConfig(f"{url!r} has certificates and no TLS", "begin it with https://")
    verify = client_context(url, options) if place.secure else False
    transport = httpx2.AsyncHTTPTransport(verify=verify, trust_env=False, uds=place.unix or None)
    timeout = httpx2.Timeout(PATIENCE, read=None, write=None)
    return httpx2.AsyncClient(transport=transport, timeout=timeout, trust_env=False)


async def _upgrade(client: httpx2.AsyncClient, place: Place, url: str, token: str) -> httpx2.Response:
    key = base64.b64encode(os.urandom(16))
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": key.decode(),
        "sec-websocket-protocol": SUBPROTOCOL,
    }
    if token:
        headers["authorization"] = f"Bearer {token}"
    at = f"http://localhost{place.prefix}" if place.unix else place.url()
    response = None
    try:
        with anyio.fail_after(PATIENCE):
            response = await client.send(client.build_request("GET", f"{at}/link", headers=headers), stream=True)
            if response.status_code != 101:
                raise await _refused(response, place)
    except TimeoutError:
        raise PeerGone(f"{place.url()} did not answer within {PATIENCE:g} s") from None
    except (*_BROKEN, httpx2.InvalidURL) as error:
        hint = "?ca=FILE names whom to trust" if "CERTIFICATE_VERIFY" in _said(error) else ""
        raise PeerGone(f"cannot connect to {place.url()}: {_said(error)}", hint) from None
    accept = generate_accept_token(key).decode()
    if response.headers.get("sec-websocket-accept") != accept:
        raise PeerGone(f"{place.url()} does not speak WebSocket")
    if response.headers.get("sec-websocket-protocol") != SUBPROTOCOL:
        raise PeerGone(f"{place.url()} does not speak {SUBPROTOCOL}")
    return response


async def _refused(response: httpx2.Response, place: Place) -> ProcctlError:
    """What an answer other than yes means: what its problem document says, where it has one."""
    status = response.status_code
    kind = response.headers.get("content-type", "")
    body = b""
    if kind.startswith("application/problem+json"):
        async for part in response.aiter_bytes():
            body += part
            if len(body) > _READ:
                break
    try:
        problem = httpx2.Response(status, content=body).json()
        code, message, hint = (str(problem.get(name) or "") for name in ("code", "message", "hint"))
    except (ValueError, AttributeError):
        code = message = hint = ""
    if code and message:
        return refusal(code, message, hint)
    if status in (401, 403):
        return refusal("unauthorized", f"{place.url()} wants a credential", "--token-file FILE shows one")
    if status >= 500:
        return PeerGone(f"{place.url()} answers {status} at present")
    return BadConfig(f"{place.url()} answers {status}: no procctl is there", "is the path of the URL right?")
