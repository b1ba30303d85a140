"""From a command to a coroutine and back: the loop, errors as sentences, exit codes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import click

from ..errors import PeerGone, ProcctlError
from . import exits
from .places import others
from .settings import Settings, settings

__all__ = ["complain", "document", "run"]


def run(work: Callable[[], Awaitable[int]]) -> None:
    """Run a command's work and exit with its code. The loop is asyncio's, or ``$PROCCTL_BACKEND``'s."""
    found = settings()
    level = [logging.ERROR if found.quiet else logging.WARNING, logging.INFO, logging.DEBUG][min(2, found.verbose)]
    logging.basicConfig(level=level, format="procctl: %(message)s", stream=sys.stderr)
    try:
        code = anyio.run(work, backend=os.environ.get("PROCCTL_BACKEND") or "asyncio")
    except BaseException as error:
        code = _code_of(found, _inner(error))
    raise SystemExit(code)


def _inner(error: BaseException) -> BaseException:
    """What is in a group of one, or first in a larger one: tasks raise groups, people read sentences."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _code_of(found: Settings, error: BaseException) -> int:
    """Say what ended a command, and with which code it ends."""
    match error:
        case KeyboardInterrupt():
            return exits.INTERRUPTED
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return exits.OK
        case TimeoutError():
            return complain(found, ProcctlError(f"no answer within {found.timeout or 0:g} s"), exits.TIMEOUT)
        case ProcctlError():
            if isinstance(error, PeerGone) and not error.hint.count("--url"):
                error = _with_others(found, error)
            return complain(found, error, exits.of_error(error))
    raise error


def complain(found: Settings, error: ProcctlError, code: int) -> int:
    """Say what went wrong, where stdout is data and prose is for stderr. Returns the code."""
    if found.json:
        entry = {"target": "", "code": getattr(error, "code", "failed"), "message": error.message, "hint": error.hint}
        click.echo(document([], [entry]))
    else:
        click.echo(f"procctl: {error.message}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
    return code


def document(items: list[Any], errors: list[dict[str, Any]]) -> str:
    """What ``--json`` prints."""
    import json

    return json.dumps({"v": 1, "ok": not errors, "items": items, "errors": errors}, indent=2)


def _with_others(found: Settings, error: PeerGone) -> PeerGone:
    running = [url for url in others() if url != found.target_url()]
    if found.url or not running:
        return error
    return PeerGone(error.message, f"{error.hint}; there is also procctl --url {running[0]}")
