"""What no request gets past: the names of the listener, and where a browser says that the request comes from.

A page of another site can make a browser send requests here. One that has its own name resolve to this address (DNS
rebinding) shows it in ``Host``; any other in ``Origin`` or ``Sec-Fetch-Site``. No CORS header is ever sent.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ...transports.http.place import Place
from .problems import Problem, problem

__all__ = ["Guard", "names_of"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def names_of(place: Place, options: Mapping[str, str]) -> frozenset[str] | None:
    """The names by which a listener may be called; None: any, since no browser reaches it."""
    if place.unix:
        return None
    names = {place.host.lower(), *(name.strip().lower() for name in options.get("host", "").split(",") if name)}
    if _is_loopback(place.host):
        names |= _LOOPBACK
    elif place.host in ("0.0.0.0", "::"):
        names |= {*_LOOPBACK, socket.gethostname().lower()}
    return frozenset(names)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """An ASGI application around another.

    Args:
        app: The other.
        names: See `names_of`.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] | None) -> None:
        self._app = app
        self._names = None if names is None else frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or refuse it."""
        if scope["type"] == "lifespan" or self._names is None:
            return await self._app(scope, receive, send)
        refused = self._refused(scope, Headers(scope=scope))
        if refused is None:
            return await self._app(scope, receive, send)
        return await refuse(refused, scope, receive, send)

    def _refused(self, scope: Scope, headers: Headers) -> Problem | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._known(_name(f"//{hosts[0]}"), scope):
            text = f"{', '.join(hosts)[:100] or 'no host'} is no name of this listener"
            return Problem(421, "forbidden", text, "the listener's option host=NAME adds one")
        origin = headers.get("origin")
        if origin is not None and not self._same(origin, hosts[0], scope):
            return Problem(403, "forbidden", f"requests from {origin[:100]} are not allowed")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            return Problem(403, "forbidden", f"requests from another site are not allowed ({site[:20]})")
        return None

    def _known(self, name: str | None, scope: Scope) -> bool:
        assert self._names is not None
        if name is None:
            return False
        # the address that was reached is no name that somebody else could give away
        return name in self._names or bool(scope.get("server") and name == scope["server"][0])

    def _same(self, origin: str, host: str, scope: Scope) -> bool:
        """Whether an origin is this listener under the same port."""
        try:
            theirs, ours = urlsplit(origin), urlsplit(f"//{host}")
            scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
            default = 443 if theirs.scheme == "https" else 80
            ports = (theirs.port or default, ours.port or (443 if scheme == "https" else 80))
        except ValueError:
            return False
        same = theirs.hostname == ours.hostname and ports[0] == ports[1]
        return theirs.scheme in ("http", "https") and same and self._known(theirs.hostname, scope)


def _name(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.port is None or parts.port >= 0 else None
    except ValueError:
        return None


async def refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem document, an upgrade too."""
    response: Any = problem(error)
    if scope["type"] == "http":
        await response(scope, receive, send)
    elif "websocket.http.response" in scope.get("extensions", {}):
        await receive()
        headers = response.raw_headers
        await send({"type": "websocket.http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": response.body, "more_body": False})
    else:
        await receive()
        await send({"type": "websocket.close", "code": 1008})
