"""The OpenAPI 3.1 document, made from the table of routes."""

from __future__ import annotations

import re
from typing import Any

from ...core.messages import UNTIL, Batch
from ...core.records import Item
from ...core.states import State
from ...version import __version__
from .routes import MAX_DEADLINE, ROUTES, Answered, Route
from .schemas import Schemas, kinds_of
from .streams import LineDocument

__all__ = ["document"]

_PROBLEM = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": "string"},
        "path": {"type": "string"},
        "misses": {"type": "array", "items": {"$ref": "#/components/schemas/Miss"}},
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
    },
    "required": ["title", "status", "code", "message", "hint"],
}
_MORE: dict[str, dict[str, Any]] = {
    "until": {"schema": {"type": "string", "enum": list(UNTIL)}, "description": "When it is answered."},
    "deadline": {
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_DEADLINE},
        "description": "Seconds after which it is answered in any case.",
    },
    "state": {
        "schema": {"type": "array", "items": {"type": "string", "enum": [state.word for state in State]}},
        "style": "form",
        "explode": False,
        "description": "Only processes in these states.",
    },
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key is the same command: it is carried out once.",
}
_RESUME = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Go on behind this event; a browser sends it by itself.",
}
_ALWAYS = ("400", "401", "403", "421", "500", "503", "504")


def document(prefix: str = "") -> dict[str, Any]:
    """The document. Args: prefix: The path below which everything is."""
    schemas = Schemas()
    schemas.of(Batch)  # with all that is in it
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "procctl", "version": __version__, "description": "Processes, here and on other hosts."},
        "servers": [{"url": prefix or "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas.components, "Problem": _PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": route.name, "summary": route.says, "parameters": [*_path(route)]}
    if route.request is not None:
        operation["parameters"] += _parameters(route, schemas)
    if route.body:
        assert route.request is not None
        strict = not set(route.body) & set(route.query)  # what may be in the query may be missing in the body
        schema = schemas.object(route.request, route.body, required=strict)
        content = {"application/json": {"schema": {**schema, "additionalProperties": False}}}
        operation["requestBody"] = {"required": strict, "content": content}
    success = {str(route.success): {"description": "Done.", "content": _content(route, schemas)}}
    if route.shape == "batch" and route.method != "GET":
        success["207"] = {"description": "Some did as told; the misses did not.", "content": _content(route, schemas)}
    codes = [*_ALWAYS, "404", "409"] + (["408", "413", "415", "422", "501"] if route.request is not None else [])
    if route.shape in ("lines", "events"):
        codes.append("406")
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"] = success | {code: {"description": "Refused.", "content": problem} for code in sorted(codes)}
    return operation


def _path(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _parameters(route: Route, schemas: Schemas) -> list[dict[str, Any]]:
    assert route.request is not None
    kinds = kinds_of(route.request)
    found: list[dict[str, Any]] = [
        {"name": name, "in": "query", "schema": _simple(schemas.of(kinds[name]))} for name in dict.fromkeys(route.query)
    ]
    found += [{"name": name, "in": "query", **_MORE[name]} for name in route.more]
    if route.shape in ("lines", "events"):
        found.append(_RESUME)
    elif route.method != "GET":
        found.append(_KEY)
    return found


def _simple(schema: dict[str, Any]) -> dict[str, Any]:
    """In a query there is no null: the parameter is left out."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def _content(route: Route, schemas: Schemas) -> dict[str, Any]:
    match route.shape:
        case "batch":
            return _json(schemas.of(Answered))
        case "one":
            return _json(schemas.of(Item))
        case "lines":
            return _stream(schemas.object(LineDocument), schemas)
        case "events":
            return _stream({"type": "object", "required": ["type"]}, schemas)
        case "document":
            return _json({"type": "object"})
        case "reply":
            replies = getattr(route.request, "replies", ())
            kinds = [schemas.of(reply) for reply in replies] or [{"type": "object"}]
            return _json(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _stream(element: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    array = {"type": "array", "items": element}
    whole = {"type": "object", "properties": {"items": array}, "required": ["items"]}
    return {**_json(whole), "text/event-stream": {"schema": {"type": "string"}}}
