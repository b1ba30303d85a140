"""Ready when a program exits with 0."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from ...core.specs import ReadyCommand
from ..exits import End

__all__ = ["agrees"]


async def agrees(spec: ReadyCommand, run: Callable[[tuple[str, ...], float], Awaitable[End | str]]) -> str:
    """Return when the program exits with 0, or cannot be run at all; try every `spec.every` seconds until then.

    Args:
        spec: The check.
        run: Runs a program, for so many seconds at most; how it ended, or why it could not be run.

    Returns:
        Empty, or why there is no point in trying again.
    """
    while True:
        end = await run(spec.command, spec.timeout)
        if isinstance(end, str):
            return end
        if end.code == 0:
            return ""
        await anyio.sleep(spec.every)
