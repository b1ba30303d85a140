"""A request of HTTP as one of the protocol: parameters of the path and the query, a JSON body, headers."""

from __future__ import annotations

from typing import Any, cast

import anyio
from attrs import evolve, frozen
from starlette.requests import ClientDisconnect, Request

from ...abc import Caller, Peer
from ...core.messages import UNTIL, Until
from ...core.states import State
from ...errors import BadMessage
from ...wire.codec import structure
from ...wire.envelope import load
from .problems import Problem
from .routes import MAX_DEADLINE, Route
from .schemas import from_text, kinds_of, known

__all__ = ["DEADLINE", "Asked", "asked", "named", "peer_of"]

DEADLINE = 60.0
"""Seconds for an answer, unless ``deadline`` says otherwise."""
BODY_TIME = 10.0
"""Seconds in which the whole body has to come."""
_KEY = 255


@frozen(kw_only=True)
class Asked:
    """What is asked.

    Attributes:
        message: The request, or what the route's class is.
        key: From ``Idempotency-Key``.
        until, deadline: See `procctl.abc.Call`.
        states: Only items in these states; empty: all.
    """

    message: Any
    key: str = ""
    until: Until = "settled"
    deadline: float = DEADLINE
    states: frozenset[str] = frozenset()


def peer_of(scope: Any, headers: Any) -> Peer:
    """Who asks, for the door.

    Raises:
        Problem: The credential is none of a kind that is known here.
    """
    found = scope.get("extensions", {}).get("procctl.peer") or {}
    client = scope.get("client")
    given = headers.get("authorization", "")
    kind, _, token = given.partition(" ")
    if given and (kind.lower() != "bearer" or not token.strip()):
        raise Problem(401, "unauthorized", "only bearer tokens are known here", "Authorization: Bearer TOKEN")
    # without the port: a key is known again over another connection of the same peer
    return Peer(identity=found.get("identity"), address=client[0] if client else "unix", token=token.strip())


async def asked(route: Route, request: Request, max_body: int) -> Asked:
    """What a request asks for.

    Raises:
        BadMessage: A value is wrong; names the path.
        Problem: The body is too large, too slow, or no JSON.
    """
    assert route.request is not None
    body = _object(await _body(request, max_body), request, route)
    values, around = _query(route, request)
    for name in body:
        if name in values:
            raise BadMessage(f"{name!r} is given in the query and in the body", f"$.{name}")
    document = {**body, **values, **_path(request, route)}
    return Asked(
        message=structure(document, route.request),
        key=_key(request),
        until=_until(around.get("until", "settled")),
        deadline=_deadline(around.get("deadline")),
        states=_states(around.get("state")),
    )


def _path(request: Request, route: Route) -> dict[str, str]:
    names = kinds_of(route.request) if route.request is not None else {}
    return {name: value for name, value in request.path_params.items() if name in names}


def _query(route: Route, request: Request) -> tuple[dict[str, Any], dict[str, str]]:
    """Fields of the message, and what stands around it."""
    assert route.request is not None
    kinds = kinds_of(route.request)
    allowed = dict.fromkeys((*route.query, *route.more))
    values: dict[str, Any] = {}
    around: dict[str, str] = {}
    for name, text in request.query_params.multi_items():
        known(allowed, name, "parameter")
        if name in values or name in around:
            raise BadMessage("the parameter is there twice", f"?{name}")
        if name in route.query:
            values[name] = from_text(kinds[name], text, f"?{name}")
        else:
            around[name] = text
    return values, around


async def _body(request: Request, most: int) -> bytes:
    length = request.headers.get("content-length", "0")
    if length == "0" and "transfer-encoding" not in request.headers:
        return b""  # as almost every GET; waiting for it would take as long as answering
    too_large = Problem(413, "bad-request", f"the body has more than {most} bytes", headers={"connection": "close"})
    if length.isdecimal() and int(length) > most:
        raise too_large
    body = bytearray()
    try:
        with anyio.fail_after(BODY_TIME):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        text = f"the body did not come within {BODY_TIME:g} s"
        raise Problem(408, "timeout", text, headers={"connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "bad-request", "the body ended before it was whole") from None
    return bytes(body)


def _object(body: bytes, request: Request, route: Route) -> dict[str, Any]:
    if not body:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        text = f"expected application/json, got {kind[:80] or 'no content-type'}"
        raise Problem(415, "bad-message", text, "Content-Type: application/json")
    document = load(body)
    for name in document:
        if name not in route.body:
            raise BadMessage(f"unknown field, there are {', '.join(route.body) or 'none'}", f"$.{name[:40]}")
    return document


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if len(key) > _KEY:
        raise BadMessage(f"a key has at most {_KEY} characters", "Idempotency-Key")
    return str(key)


def _until(text: str) -> Until:
    if text not in UNTIL:
        raise BadMessage(f"expected one of {', '.join(UNTIL)}, got {text[:40]!r}", "?until")
    return cast(Until, text)


def _deadline(text: str | None) -> float:
    if text is None:
        return DEADLINE
    seconds: float = from_text(float, text, "?deadline")
    if not 0 < seconds <= MAX_DEADLINE:
        raise BadMessage(f"expected seconds, more than 0 and at most {MAX_DEADLINE:g}", "?deadline")
    return seconds


def _states(text: str | None) -> frozenset[str]:
    words = {state.word for state in State}
    found = frozenset(text.split(",")) if text is not None else frozenset()
    if not found <= words:
        raise BadMessage(f"expected states of {', '.join(sorted(words))}, separated by commas", "?state")
    return found


def named(caller: Caller, peer: Peer) -> Caller:
    """The caller under the name of the credential, where all that is known of the peer is its address."""
    if caller.name != peer.address or not caller.identity:
        return caller
    return evolve(caller, name=caller.identity.removeprefix("token:"))
