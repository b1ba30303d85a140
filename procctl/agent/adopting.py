"""A stranger that is to be adopted: what /proc says of it, before the core is asked."""

from __future__ import annotations

import os
import time
from pathlib import Path

from attrs import evolve

from ..core.messages import Adopt, Failure
from .identity import boot_id, start_of
from .procfs import KERNEL, facts_of

__all__ = ["described"]

_TRIES, _PAUSE = 20, 0.0005
"""And seconds in between, for an exec to come through."""


def described(request: Adopt) -> Adopt | Failure:
    """The request with the identity of what is meant, and the command and folder that it was started with unless others
    are given."""
    start = start_of(request.pid) if 0 < request.pid < 1 << 31 else 0
    if not start or request.start not in (0, start) or request.boot not in ("", boot_id()):
        text = f"there is no process {request.pid}" if not start else f"pid {request.pid} is another process by now"
        return Failure(code="no-such-target", message=text, hint="ps -e shows what there is")
    spec = request.spec
    if not spec.command:
        spec = evolve(spec, command=_command_at_last(request.pid), cwd=spec.cwd or _folder(request.pid))
        if not spec.command:
            text = f"what pid {request.pid} was started with is not to be seen"
            return Failure(code="bad-request", message=text, hint="say the command after --")
    return evolve(request, spec=spec, start=start, boot=boot_id())


def _command_at_last(pid: int) -> tuple[str, ...]:
    """Its command line, which is not there yet for a moment in the middle of an exec."""
    for _ in range(_TRIES):
        found = _command(pid)
        facts = facts_of(pid)
        if found or facts is None or facts.state in "ZX" or facts.flags & KERNEL:
            return found
        time.sleep(_PAUSE)
    return ()


def _command(pid: int) -> tuple[str, ...]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode(errors="surrogateescape") for word in words) if words != [b""] else ()


def _folder(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return None
