"""Ready when something accepts a connection."""

from __future__ import annotations

import anyio

from ...core.specs import ReadyTcp

__all__ = ["accepts"]


async def accepts(spec: ReadyTcp) -> None:
    """Return when a connection is accepted; try every `spec.every` seconds until then."""
    while True:
        try:
            with anyio.fail_after(max(1.0, spec.every)):
                stream = await anyio.connect_tcp(spec.host, spec.port)
        except (OSError, TimeoutError):
            await anyio.sleep(spec.every)
            continue
        await stream.aclose()
        return
