"""THE table of the REST interface: the routes, the OpenAPI document, the reference and the tests are made from it."""

from __future__ import annotations

from typing import Any, Literal

import attrs
from attrs import frozen

from ...core import messages as m
from ...core.records import Item, Json
from .schemas import kinds_of

__all__ = ["MAX_DEADLINE", "ROUTES", "TARGET", "TIMING", "Answer", "Answered", "Route"]

Shape = Literal["batch", "one", "reply", "lines", "events", "document"]
"""What is answered: items with misses, one item, a reply of the protocol, lines of output, events, a document."""

TARGET = ("name", "hostname", "uuid", "group")
TIMING = ("until", "deadline")
"""Of a command on processes, from the envelope of the protocol."""
MAX_DEADLINE = 3600.0
"""Seconds for which an answer may be waited for."""


@frozen(kw_only=True)
class Answer:
    """What is said to an approval.

    Attributes:
        answer: approve or deny.
        reason: For a denial.
    """

    answer: Literal["approve", "deny"]
    reason: str = ""


@frozen(kw_only=True)
class Answered:
    """Some items.

    Attributes:
        items: The processes that were meant.
        misses: What did not do as told.
        details: What is declared of each, if asked for.
        answers: What the programs have answered, if they were asked.
    """

    items: tuple[Item, ...]
    misses: tuple[m.Miss, ...]
    details: tuple[m.Detail, ...] = ()
    answers: tuple[m.ChildAnswer, ...] = ()


@frozen(kw_only=True)
class Route:
    """One operation.

    Attributes:
        method: GET, POST or DELETE.
        path: With the names of its parameters in braces.
        says: What it does, in one sentence.
        request: The request of the protocol that it becomes; None: it is answered by the gateway itself.
        shape: See `Shape`.
        query: Fields of the request that may be in the query.
        body: Fields of the request that may be in a JSON object.
        more: Parameters of the query that are no fields of the request.
        success: The status of success.
    """

    method: str
    path: str
    says: str
    request: type[Any] | None = None
    shape: Shape = "reply"
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    success: int = 200

    @property
    def command(self) -> str:
        """The verb of the protocol, as rights name it; empty: none."""
        return "" if self.request is None else str(getattr(self.request, "command", ""))

    @property
    def name(self) -> str:
        """Of the operation, unique."""
        words = self.path.replace("{", "by-").replace("}", "").replace(".", "-").strip("/").split("/")
        return "-".join((self.method.lower(), *words))


def _fields(request: type[Any], *without: str) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(request) if field.name not in without)


def _verbs() -> list[type[Any]]:
    """Requests on targets that are answered by items: each is a verb below ``/processes``."""
    return [
        request
        for request in m.REQUESTS.values()
        if issubclass(request, m.Target)
        and getattr(request, "replies", ()) == (m.Batch,)
        and request not in (m.Status, m.Delete)
    ]


def _first_sentence(request: type[Any]) -> str:
    return " ".join((request.__doc__ or "").split("\n\n")[0].split())


def _of_verb(request: type[Any]) -> list[Route]:
    says = _first_sentence(request)
    own, all_ = _fields(request, *TARGET, "all"), _fields(request, *TARGET)
    values = [name for name, kind in kinds_of(request).items() if kind == Json]  # any JSON is for a body
    many = Route(
        method="POST",
        path=f"/processes/{request.command}",
        says=says,
        request=request,
        shape="batch",
        query=(*TARGET, *(name for name in all_ if name not in values)),
        body=all_,
        more=TIMING,
    )
    single = attrs.evolve(
        many,
        path=f"/processes/{{uuid}}/{request.command}",
        shape="batch" if request is m.Ask else "one",  # its answers are what is wanted
        query=tuple(name for name in own if name not in values),
        body=own,
    )
    return [many, single]


def _looking() -> list[Route]:
    return [
        Route(
            method="GET",
            path="/processes",
            says="The processes that match; with until it waits for that.",
            request=m.Status,
            shape="batch",
            query=_fields(m.Status),
            more=("state", *TIMING),
        ),
        Route(
            method="GET",
            path="/processes/{uuid}",
            says="One process; with until it waits for that.",
            request=m.Status,
            shape="one",
            query=("stats",),
            more=TIMING,
        ),
        Route(
            method="GET",
            path="/processes/{uuid}/logs",
            says="The output of one process: JSON of what there is, or Server-Sent Events that go on.",
            request=m.Logs,
            shape="lines",
            query=_fields(m.Logs, *TARGET),
        ),
        Route(
            method="GET",
            path="/logs",
            says="The output of all that match, merged in the order of time: JSON, or Server-Sent Events.",
            request=m.Logs,
            shape="lines",
            query=_fields(m.Logs),
        ),
        Route(
            method="GET",
            path="/events",
            says="What happens: a snapshot as JSON, or Server-Sent Events of a snapshot and what follows.",
            request=m.Events,
            shape="events",
            query=_fields(m.Events),
        ),
    ]


def _changing() -> list[Route]:
    delete = Route(
        method="DELETE",
        path="/processes/{uuid}",
        says=_first_sentence(m.Delete),
        request=m.Delete,
        shape="one",
        more=TIMING,
    )
    return [
        Route(
            method="POST",
            path="/processes",
            says=_first_sentence(m.Add),
            request=m.Add,
            shape="batch",
            body=_fields(m.Add),
            more=TIMING,
            success=201,
        ),
        Route(
            method="POST",
            path="/processes/adopt",
            says=_first_sentence(m.Adopt),
            request=m.Adopt,
            shape="batch",
            body=_fields(m.Adopt),
            more=TIMING,
            success=201,
        ),
        *(route for request in _verbs() for route in _of_verb(request)),
        delete,
        attrs.evolve(delete, path="/processes", shape="batch", query=_fields(m.Delete)),
    ]


def _around() -> list[Route]:
    found = [
        Route(method="GET", path="/approvals", says="The starts that wait for a person.", request=m.Approvals),
        Route(
            method="POST",
            path="/approvals/{approval}",
            says="Yes or no to one of them.",
            request=Answer,
            body=("answer", "reason"),
        ),
        Route(method="GET", path="/agent", says="The agent, or the controller, about itself.", request=m.AgentStatus),
        Route(method="POST", path="/agent/stop", says=_first_sentence(m.AgentStop), request=m.AgentStop),
        Route(method="GET", path="/openapi.json", says="This interface as an OpenAPI document.", shape="document"),
    ]
    if "hosts" in m.REQUESTS:  # a verb of controllers
        hosts = m.REQUESTS["hosts"]
        found.append(
            Route(method="GET", path="/hosts", says=_first_sentence(hosts), request=hosts, query=_fields(hosts))
        )
    return found


ROUTES: tuple[Route, ...] = (*_looking(), *_changing(), *_around())
