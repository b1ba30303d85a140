"""Signals to a program in the foreground. Only here: the library installs no handlers."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import anyio

__all__ = ["ENDING", "on_reopen", "on_signals"]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def on_signals(first: Callable[[int], Awaitable[None]], again: Callable[[], Awaitable[None]]) -> None:
    """Call `first` with the first signal that asks for the end, `again` with each after it.

    A SIGHUP that is ignored on entry, as nohup(1) leaves it, stays ignored.
    """
    wanted = [s for s in ENDING if s != signal.SIGHUP or signal.getsignal(s) is not signal.SIG_IGN]
    with anyio.open_signal_receiver(*wanted) as signals:
        seen = False
        async for number in signals:
            if not seen:
                seen = True
                await first(number)
            else:
                await again()


async def on_reopen(reopen: Callable[[], Awaitable[object]]) -> None:
    """Call this with each SIGUSR2. Never returns; cancelled to end it."""
    with anyio.open_signal_receiver(signal.SIGUSR2) as signals:
        async for _ in signals:
            await reopen()
