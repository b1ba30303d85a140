"""One request of HTTP from the door to its answer. Nothing here knows a route by name: the table says it all."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from attrs import evolve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive

from ...abc import Call, Caller, Door, Pending, Service
from ...core.matching import is_pattern
from ...core.messages import AnyReply, Approve, Batch, Deny, Failure, Status
from ...core.records import Item
from ...errors import ProcctlError, refusal
from ...wire.codec import ENCODER, item_text, unstructure
from .asking import Asked, asked, named, peer_of
from .places import resumed
from .problems import Problem, misses_out, problem, status_of
from .routes import Answer, Route
from .streams import JSON, SSE, StreamAnswer, event_documents, line_documents

__all__ = ["Desk"]

logger = logging.getLogger("procctl.gateways.http")

SLACK = 5.0
"""Seconds beyond a deadline for a service that does not keep it."""


class Desk:
    """Answers requests.

    Args:
        service: Who is asked.
        door: Says on whose word.
        document: Makes the OpenAPI document.
        max_body: Bytes of the longest body that is taken.
    """

    def __init__(self, service: Service, door: Door, document: Callable[[str], Any], max_body: int) -> None:
        self._streams: set[StreamAnswer] = set()
        self._service = service
        self._door = door
        self._document = document
        self._max_body = max_body

    def endpoint(self, route: Route) -> Callable[[Request], Awaitable[Any]]:
        """What answers a route, whatever happens."""

        async def answer(request: Request) -> Any:
            try:
                return await self._answer(route, request)
            except (ProcctlError, Problem) as error:
                return problem(error)
            except Exception as error:
                logger.exception("%s %s ended by a defect", route.method, route.path)
                return problem(error)

        return answer

    def close(self) -> None:
        """The server ends: streams end now."""
        for stream in list(self._streams):
            stream.close()

    def admit(self, scope: Any, headers: Any) -> Caller:
        """On whose word. Raises as `peer_of` and the door do."""
        peer = peer_of(scope, headers)
        return named(self._door.admit(peer), peer)

    async def _answer(self, route: Route, request: Request) -> Any:
        caller = self.admit(request.scope, request.headers)
        if route.shape == "document":
            return JSONResponse(self._document(request.scope.get("root_path", "")))
        uuid = request.path_params.get("uuid", "")
        if is_pattern(uuid):
            raise refusal("no-such-target", f"{uuid!r} is no uuid", "POST /processes/VERB?name=… takes patterns")
        found = await asked(route, request, self._max_body)
        if route.shape in ("lines", "events"):
            return self._stream(route, found, caller, request)
        message = found.message
        if isinstance(message, Answer):
            message = _to_approval(message, request.path_params["approval"])
        reply = await self._ask(evolve(found, message=message), caller, request.receive)
        return _answered(route, found, reply, request)

    async def _ask(self, found: Asked, caller: Caller, receive: Receive) -> AnyReply:
        call = Call(request=found.message, caller=caller, key=found.key, until=found.until, deadline=found.deadline)
        pending = self._service.submit(call)
        return pending.reply or await _reply(pending, receive, found.deadline + SLACK)

    def _stream(self, route: Route, found: Asked, caller: Caller, request: Request) -> StreamAnswer:
        live = SSE in request.headers.get("accept", "")
        message = found.message
        since = (request.headers.get("last-event-id", "") if live else "") or message.since
        if "follow" in request.query_params and message.follow and not live:
            raise Problem(406, "bad-request", "only Server-Sent Events go on", f"Accept: {SSE}")
        follow = message.follow if "follow" in request.query_params else live
        documents: Any = event_documents
        if route.shape == "lines":
            since, skip = resumed(since)
            documents = partial(line_documents, skip)
            if since:
                message = evolve(message, tail=None)
        items = self._service.stream(evolve(message, since=since, follow=follow), caller)
        return StreamAnswer(items, documents, live, self._streams, caller.until)


async def _reply(pending: Pending, receive: Receive, limit: float) -> AnyReply:
    """Wait for an answer, and for whoever wants it to leave.

    Raises:
        Refused: It did not come.
    """
    come = anyio.Event()
    pending.then(lambda _: come.set())
    left = False

    async def leaving(scope: anyio.CancelScope) -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        left = True
        scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(leaving, group.cancel_scope)
            with anyio.move_on_after(limit):
                await come.wait()
            group.cancel_scope.cancel()
    finally:
        if pending.reply is None:
            # as over a lost link: the same key may come again for the answer
            lose = pending.lose or pending.give_up
            if lose is not None:
                lose()
    if pending.reply is not None:
        return pending.reply
    if left:
        raise refusal("closed", "the client has left")
    raise refusal("timeout", f"no answer within {limit:g} s")


def _to_approval(answer: Answer, approval: str) -> Approve | Deny:
    if answer.answer == "approve":
        return Approve(approval=approval)
    return Deny(approval=approval, reason=answer.reason)


def _answered(route: Route, found: Asked, reply: AnyReply, request: Request) -> Response:
    """The response to a reply."""
    if isinstance(reply, Failure):
        return problem(refusal(reply.code, reply.message, reply.hint))
    if not isinstance(reply, Batch):
        return JSONResponse(unstructure(reply), headers=_FRESH)
    looking = isinstance(found.message, Status) and found.until == "settled" and route.shape == "batch"
    if reply.misses and not looking and not _succeeded(reply):
        return _missed(reply)
    if route.shape == "one":
        if len(reply.items) != 1:
            return problem(refusal("no-such-target", f"no process {request.path_params['uuid']!r}"))
        return Response(item_text(reply.items[0]), headers=_FRESH, media_type=JSON)
    items = [item for item in reply.items if not found.states or item.state in found.states]
    status = 207 if reply.misses and not looking else route.success
    headers = dict(_FRESH)
    if status == 201 and len(items) == 1:
        headers["location"] = f"{request.scope.get('root_path', '')}/processes/{items[0].uuid}"
    return Response(_batch(items, reply), status, headers, JSON)


_FRESH = {"cache-control": "no-store"}


def _batch(items: list[Item], reply: Batch) -> str:
    """As JSON. The text of an item is there already, if it was asked for before."""
    rest = {
        "misses": misses_out(reply),
        "details": [unstructure(detail) for detail in reply.details],
        "answers": [unstructure(answer) for answer in reply.answers],
    }
    return f'{{"items":[{",".join(map(item_text, items))}],{ENCODER.encode(rest)[1:]}'


def _succeeded(reply: Batch) -> bool:
    """Whether anything did as told: items are all that were meant, and misses name those that did not."""
    missed = Counter(miss.target for miss in reply.misses)
    for item in reply.items:
        target = item.name if missed[item.name] else f"{item.hostname}/{item.name}"
        if not missed[target]:
            return True
        missed[target] -= 1
    return False


def _missed(reply: Batch) -> Response:
    """Nothing did as told: the first reason, and all of them beside it."""
    first = reply.misses[0]
    text = first.message
    if len(reply.misses) > 1:
        text = f"{len(reply.misses)} targets did not do as told; {first.target}: {first.message}"
    return problem(Problem(status_of(first.code), first.code, text, first.hint), reply)
