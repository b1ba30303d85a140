"""What a newcomer may want to know when a program ends badly."""

from __future__ import annotations

import contextlib

import anyio.to_thread

from ..core.records import Item
from ..core.specs import ProcessSpec

__all__ = ["after_failure"]


async def after_failure(spec: ProcessSpec, item: Item) -> str:
    """A sentence, or nothing."""
    port = spec.env.get("PORT") or ""
    if item.exit is not None and item.exit.code and port.isdecimal():
        who = await anyio.to_thread.run_sync(_holder, int(port))
        if who:
            return f"port {port} is in use by {who}; stop that, or choose another PORT"
    return ""


def _holder(port: int) -> str:
    """Who listens on a port of this machine, as far as this user may know."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    return "another program"
                with contextlib.suppress(psutil.Error):
                    return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
