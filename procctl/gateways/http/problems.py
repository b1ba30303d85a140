"""Errors as problem documents (RFC 9457): the protocol's code, message and hint under a status of HTTP."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import JSONResponse

from ...core.messages import Batch
from ...errors import BadConfig, BadMessage, Closed, PeerGone, ProcctlError, Refused
from ...wire.codec import unstructure

__all__ = ["STATUS", "Problem", "misses_out", "problem", "status_of"]

STATUS = {
    "bad-message": 400,
    "bad-request": 400,
    "bad-spec": 422,
    "bad-signal": 422,
    "needs-all": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "denied": 403,
    "no-such-target": 404,
    "ambiguous": 409,
    "exists": 409,
    "not-running": 409,
    "still-running": 409,
    "superseded": 409,
    "approval-pending": 409,
    "dependency-failed": 409,
    "spawn-failed": 422,
    "busy": 429,
    "escaped": 500,
    "failed": 500,
    "internal-error": 500,
    "unknown-command": 501,
    "bad-reply": 502,
    "peer-gone": 503,
    "closed": 503,
    "timeout": 504,
}
"""By code. The reasons of processes (``gave-up``, ``not-ready``, …) that stand in for one are 409."""
OTHERS = 409


class Problem(Exception):
    """An answer that is an error of HTTP itself.

    Args:
        status: The status.
        code: A stable word for programs.
        message: The same for people.
        hint: What to do next, or empty.
        headers: More of them.
    """

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.hint, self.headers = status, code, message, hint, headers or {}


def status_of(code: str) -> int:
    """The status for a code of the protocol."""
    return STATUS.get(code, OTHERS)


def problem(error: Exception, reply: Batch | None = None) -> JSONResponse:
    """The document for an exception; what is no `ProcctlError` is a defect, of which nothing is told.

    Args:
        error: What went wrong.
        reply: The answer in which nothing did as told: its misses and items are told too.
    """
    path, headers = "", {}
    match error:
        case Problem():
            status, code, message, hint, headers = error.status, error.code, error.message, error.hint, error.headers
        case BadMessage():
            message, code, hint, path, status = error.args[0], "bad-message", "", error.path, 400
        case ProcctlError():
            code, message, hint = _code(error), error.message, error.hint
            status = status_of(code)
        case _:
            status, code, message, hint = 500, "internal-error", "a defect of procctl", "its log says more"
    document: dict[str, Any] = {"title": message, "status": status, "code": code, "message": message, "hint": hint}
    if path:
        document["path"] = path
    if reply is not None:
        document |= {"misses": misses_out(reply), "items": [unstructure(item) for item in reply.items]}
    if status == 401:
        headers = {**headers, "www-authenticate": 'Bearer realm="procctl"'}
    return JSONResponse(document, status, headers, media_type="application/problem+json")


def misses_out(reply: Batch) -> list[Any]:
    """The misses of an answer."""
    return [{"hint": "", **unstructure(miss)} for miss in reply.misses]


def _code(error: ProcctlError) -> str:
    match error:
        case Refused(code=code):
            return code
        case PeerGone():
            return "peer-gone"
        case Closed():
            return "closed"
        case BadConfig():
            return "bad-request"
    # CamelCase of the tree as a word: InternalError -> internal-error
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
