"""A task that belongs to no block: for what is begun in one task and ended in another.

It runs until it ends or is told to; the loop cancels it when the loop itself ends. Whatever it raises would end the
loop on trio, so it must not raise: what starts one catches everything.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from .poller import on_asyncio

__all__ = ["start_behind"]


def start_behind(task: Callable[[], Awaitable[None]], name: str) -> Any:
    """Start it, soon: what holds it, to be kept for as long as it is to run (asyncio itself does not keep it)."""

    async def run() -> None:
        await task()

    if on_asyncio():
        return asyncio.get_running_loop().create_task(run(), name=name)
    import trio

    return trio.lowlevel.spawn_system_task(run, name=name, context=contextvars.copy_context())
