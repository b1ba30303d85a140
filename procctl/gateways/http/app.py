"""The ASGI application: the table of routes as starlette's, the links, and what stands around them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ...abc import Door, Service
from ...errors import Refused
from ...transports.http.arrivals import Arrivals
from .answering import Desk
from .asking import peer_of
from .guard import Guard, refuse
from .openapi import document
from .problems import Problem, problem
from .routes import ROUTES

__all__ = ["application"]


class _Link:
    """The handler of ``/link``: whoever is admitted becomes a connection."""

    def __init__(self, desk: Desk, arrivals: Arrivals) -> None:
        self._desk = desk
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._desk.admit(scope, headers)
        except (Refused, Problem) as error:
            return await refuse(error, scope, receive, send)
        return await self._arrivals.serve(scope, receive, send, peer_of(scope, headers))


def application(
    service: Service, door: Door, arrivals: Arrivals | None, names: Iterable[str] | None, max_body: int
) -> tuple[ASGIApp, Desk]:
    """The application, and what is told when it ends.

    Args:
        service: Who is asked.
        door: Says on whose word.
        arrivals: Where links go; None: there are none.
        names: See `Guard`.
        max_body: Bytes of the longest body that is taken.
    """
    desk = Desk(service, door, document, max_body)
    routes: list[BaseRoute] = []
    for route in ROUTES:
        path = route.path.replace("{approval}", "{approval:path}")  # a controller's have slashes
        routes.append(Route(path, desk.endpoint(route), methods=[route.method], name=route.name))
    if arrivals is not None:
        routes.append(WebSocketRoute("/link", _Link(desk, arrivals)))
    app: Any = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    app.router.redirect_slashes = False
    return Guard(app, names), desk


async def _refused(request: Request, error: Exception) -> Response:
    """What starlette itself says no to: a path, or a method of a path."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        allowed = headers.get("Allow", "")
        return problem(Problem(405, "bad-request", f"{request.method} is not for this path", allowed, headers))
    return problem(Problem(404, "no-such-target", "there is nothing here", "GET /openapi.json lists what there is"))
