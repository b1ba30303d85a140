"""Ends: whatever waits is let go, twice is fine, the other side is told, and nobody is there afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from ...abc import Connection, Listener
from ...errors import Closed, PeerGone
from ..flood import Flood
from ..frames import collect
from ..grouping import tasks, together
from ..peers import Far
from ..promises import BrokenPromise, Promise
from ..stage import Stage

__all__ = ["check_cancelling", "check_closing", "check_ends", "check_listener"]

_MOMENT = 0.1
_LARGE = 1 << 20
"""Bytes of frames that do not fit into what lies between, so that a send waits in the middle of one."""


async def check_closing(stage: Stage, far: Far, listener: Listener) -> None:
    """A receive and a send that wait while their connection is closed here."""
    for what, waits in (("a receive", _receiving), ("a send", partial(_sending, _size(stage)))):
        async with stage.pair(far, listener) as (near, _):
            with stage.expect(Promise.CLOSES, f"close while {what} waits", 3 * stage.patience):
                told = f"{what} that waits while its connection is closed"
                await together(partial(_raises, partial(waits, near), told), partial(_close_soon, near))
            with stage.expect(Promise.CLOSES, "receive after close"):
                await _raises(near.receive, "receive after close")
            with stage.expect(Promise.CLOSES, "send after close"):
                await _raises(partial(near.send, b'"late"'), "send after close")
            with stage.expect(Promise.CLOSES, "close again"):
                await near.aclose()


async def _receiving(near: Connection) -> object:
    return await near.receive()


async def _sending(size: int, near: Connection) -> None:
    await Flood(near, "flood", size, 1 << 40).run()


def _size(stage: Stage) -> int:
    return min(_LARGE, stage.transport.traits.max_frame or _LARGE)


async def _close_soon(near: Connection) -> None:
    await anyio.sleep(2 * _MOMENT)
    await near.aclose()


async def _raises(what: Callable[[], Awaitable[object]], told: str) -> None:
    try:
        found = await what()
    except (PeerGone, Closed):
        return
    raise BrokenPromise(Promise.CLOSES, f"{told} gives {found!r}")


async def check_ends(stage: Stage, far: Far, listener: Listener) -> None:
    """What has been sent before a close arrives, and then the end, on either side."""
    async with stage.pair(far, listener) as (near, end):
        await end.send("there", [100] * 10)
        await end.close()
        with stage.expect(Promise.ENDS, "the peer has closed", 3 * stage.patience):
            _ended(await collect(near, "nothing", stage.patience), "the peer has closed")
    async with stage.pair(far, listener) as (near, end):
        await near.aclose()
        with stage.expect(Promise.ENDS, "closed here", 3 * stage.patience):
            _ended(await end.receive("nothing", stage.patience), "closed here, and seen by the peer")


def _ended(seen: object, what: str) -> None:
    end = getattr(seen, "end", "")
    if not end.startswith("PeerGone"):
        raise BrokenPromise(Promise.ENDS, f"{what}: {end}")


async def check_cancelling(stage: Stage, far: Far, listener: Listener) -> None:
    """A receive, then a send, that is cancelled because the connection is to end."""
    for what in ("receive", "send"):
        async with stage.pair(far, listener) as (near, end):
            with stage.expect(Promise.CANCELS, f"a {what} that is cancelled", 6 * stage.patience):
                flood = Flood(near, "flood", _size(stage), 1 << 40)
                async with tasks() as group:
                    group.start_soon(near.receive if what == "receive" else flood.run)
                    await anyio.sleep(_MOMENT)
                await near.aclose()
                seen = await end.receive("nothing", stage.patience)
                if not seen.end.startswith("PeerGone"):
                    raise BrokenPromise(Promise.CANCELS, f"the peer of a cancelled {what} sees: {seen.end}")
                expected = [f"flood:{number}" for number in range(len(seen.labels))]
                if seen.labels != expected:
                    strange = next(one for one, other in zip(seen.labels, expected, strict=True) if one != other)
                    raise BrokenPromise(Promise.CANCELS, f"after a cancelled {what} there came {strange}")


async def check_listener(stage: Stage, far: Far) -> None:
    """Accept lets go; what was accepted lives on; afterwards nobody is there."""
    async with stage.listener() as listener, stage.pair(far, listener) as (near, end):
        with stage.expect(Promise.CLOSES, "close while accept waits", 3 * stage.patience):
            await together(lambda: _accepts_no_more(listener), lambda: _close_listener(listener))
        with stage.expect(Promise.CLOSES, "accept after close"):
            await _accepts_no_more(listener)
        with stage.expect(Promise.CLOSES, "close a listener again"):
            await listener.aclose()
        with stage.expect(Promise.KEPT, "a connection whose listener was closed", 3 * stage.patience):
            await end.send("there", [100])
            seen = await collect(near, "there:0", stage.patience)
            if seen.end:
                raise BrokenPromise(Promise.KEPT, f"a connection whose listener was closed: {seen.end}")
    await _nobody(stage)


async def _close_listener(listener: Listener) -> None:
    await anyio.sleep(_MOMENT)
    await listener.aclose()


async def _accepts_no_more(listener: Listener) -> None:
    try:
        await listener.accept()
    except Closed:
        return
    raise BrokenPromise(Promise.CLOSES, "accept gives a connection after the listener was closed")


async def _nobody(stage: Stage) -> None:
    with stage.expect(Promise.REACHED, f"connecting to {stage.url}, where nobody listens any more", 3 * stage.patience):
        try:
            connection = await stage.connect()
        except PeerGone:
            return
        await connection.aclose()
        raise BrokenPromise(Promise.REACHED, f"connecting to {stage.url}, where nobody listens, gives a connection")
