"""``python -m procctl.testing.peer BACKEND MODULE:NAME SECONDS``: a peer in a process of its own.

Orders come on stdin and answers go to stdout, a line of JSON each; several may be under way. It ends with its stdin.
What a transport prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import anyio

from .actor import Actor, made

__all__: list[str] = []


async def main(where: str, seconds: float) -> None:
    """Do as told until stdin ends."""
    out = os.dup(1)
    os.dup2(2, 1)
    async with anyio.create_task_group() as group:
        actor = Actor(made(where), group, seconds)
        _answer(out, {"id": 0, "value": os.getpid()})
        buffer = b""
        while data := await _read():
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                group.start_soon(_obey, out, actor, json.loads(line))
        group.cancel_scope.cancel()


async def _read() -> bytes:
    await anyio.wait_readable(0)
    return os.read(0, 1 << 16)


async def _obey(out: int, actor: Actor, order: dict[str, Any]) -> None:
    try:
        value = await actor.do(order["do"], order["arguments"])
    except Exception as error:
        _answer(out, {"id": order["id"], "error": type(error).__name__, "text": str(error)})
    else:
        _answer(out, {"id": order["id"], "value": value})


def _answer(out: int, document: dict[str, Any]) -> None:
    left = json.dumps(document).encode() + b"\n"
    while left:
        left = left[os.write(out, left) :]


if __name__ == "__main__":
    anyio.run(main, sys.argv[2], float(sys.argv[3]), backend=sys.argv[1])
