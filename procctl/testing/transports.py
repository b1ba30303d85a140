"""`check_transport`: what every transport is held to, the built-in ones too."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal

from ..abc import Transport
from ..service.urls import options_of
from .checks.closing import check_cancelling, check_closing, check_ends, check_listener
from .checks.losing import check_clients, check_firewall, check_server
from .checks.moving import check_backpressure, check_limit, check_order, check_sizes
from .checks.resting import Belongings, check_clean, check_suspends
from .checks.resuming import check_resume
from .checks.standing import check_apart, check_identity
from .promises import Promise, Report
from .stage import Stage

__all__ = ["check_transport"]

_WITH_A_LISTENER = (
    check_sizes,
    check_order,
    check_limit,
    check_closing,
    check_ends,
    check_cancelling,
    check_identity,
    check_apart,
    check_backpressure,
    check_suspends,
)


async def check_transport(
    transport: Transport,
    url: str,
    *,
    listen_options: Mapping[str, str] | None = None,
    connect_options: Mapping[str, str] | None = None,
    make: str = "",
    identity: str | None = None,
    too_large: Literal["skipped", "ends"] = "skipped",
    window: int = 32 << 20,
    patience: float = 5.0,
    heartbeat: float = 0.5,
    outage: Callable[[], AbstractAsyncContextManager[object]] | None = None,
    stranger: Callable[[str], socket.socket] | None = None,
) -> Report:
    """Hold a transport to its promises, with the peer in a process of its own (in a task, where the trait says so).

    Runs on the caller's backend, and the peer's process on the same. What is checked follows from
    ``transport.traits``. Takes some ten seconds.

    Args:
        transport: What is checked.
        url: Where to listen; free, and free again afterwards. Port 0 is fine, if the listener says what became of it.
        listen_options: More options for listening than the URL's: certificates, keys.
        connect_options: The same for connecting: a token, a password.
        make: ``module:name`` of a transport, or of what makes one without arguments, for the peer's process; default:
            the class of `transport`.
        identity: What the listener must find proven of whoever connects with these options; None: anything, but the
            same under every name.
        too_large: Whether a frame of more than ``max_frame`` bytes is skipped with `BadMessage`, or ends its
            connection, as the transport documents.
        window: Bytes, less than which must be accepted while nobody receives.
        patience: Seconds that something quick may take on a busy machine. What is slow by its nature has more.
        heartbeat: Seconds between signs of life of the sessions; a silent peer is noticed after three.
        outage: Gives a block while which what lies between is out of order, for the trait ``suspends``.
        stranger: Makes a plain socket to what listens on a URL, to speak nonsense to it; default: by the host and port
            in the URL, or the unix socket of its path.

    Returns:
        What was checked, what could not be, and some figures.

    Raises:
        BrokenPromise: The first promise that is broken, and what was seen.

    Cancellation: ends the peers; whatever the transport leaves behind is its own.
    """
    stage = Stage(
        transport=transport,
        url=url,
        listening={**options_of(url), **(listen_options or {})},
        connecting={**options_of(url), **(connect_options or {})},
        where=make or _place_of(transport),
        patience=patience,
        heartbeat=heartbeat,
        window=window,
        too_large=too_large,
        identity=identity,
        outage=outage,
        stranger=stranger,
    )
    await _checked(stage)
    kept = tuple(promise for promise in Promise if promise in stage.kept)
    return Report(kept=kept, skipped=stage.skipped, figures=stage.figures)


async def _checked(stage: Stage) -> None:
    async with stage.peer() as far:
        async with stage.listener() as listener, stage.pair(far, listener):
            pass  # what a transport keeps for the life of the program is there from now on
        before = Belongings.now()
        async with stage.listener() as listener:
            for check in _WITH_A_LISTENER:
                await check(stage, far, listener)
        await check_listener(stage, far)
        await check_firewall(stage, far)
    await check_clients(stage)
    await check_server(stage)
    async with stage.peer() as far:
        await check_resume(stage, far)
    await check_clean(stage, before)


def _place_of(transport: Transport) -> str:
    """How another process finds the same class."""
    kind = type(transport)
    if "<locals>" in kind.__qualname__ or kind.__module__ == "__main__":
        if transport.traits.in_process:
            return ""
        raise ValueError(f"another process cannot import {kind.__qualname__}: say make='module:name'")
    return f"{kind.__module__}:{kind.__qualname__}"
