"""Frames arrive: whole, in order, each once, both ways, up to a size, and no faster than they are read."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from ...abc import Connection, Listener
from ...errors import BadMessage, PeerGone
from ..flood import Flood
from ..frames import LAST, SMALL, collect, compare, labels, send_all
from ..grouping import tasks, together
from ..peers import Far
from ..promises import BrokenPromise, Promise
from ..stage import FarEnd, Stage

__all__ = ["check_backpressure", "check_limit", "check_order", "check_sizes", "exchange"]

_EDGES = (1, 2, 39, 40, 125, 126, 127, 255, 256, 257, 1023, 1024, 4095, 4096, 4097, 16383, 16384, 65535, 65536, 65537)
_LARGE = 1 << 20
_MANY = 1000
_BLOCK = 1 << 15
_STILL = 0.7
"""Seconds without progress, and a sender counts as held back."""


async def exchange(
    stage: Stage, near: Connection, end: FarEnd, sizes: Sequence[int], seconds: float | None = None
) -> None:
    """Send frames of these sizes both ways at once, and look at what arrives, each within so many seconds."""
    seconds = seconds or stage.patience
    with stage.expect(Promise.KEPT, "frames both ways", 12 * seconds):
        _, _, here, there = await together(
            lambda: send_all(near, "here", sizes),
            lambda: end.send("there", sizes),
            lambda: collect(near, f"there:{LAST}", seconds),
            lambda: end.receive(f"here:{LAST}", seconds),
        )
        compare(labels("there", sizes), here, "from the peer")
        compare(labels("here", sizes), there, "to the peer")


async def check_sizes(stage: Stage, far: Far, listener: Listener) -> None:
    """Every size, and those around which lengths change their form."""
    longest = stage.transport.traits.max_frame or _LARGE
    sizes = sorted({size for size in (*range(1, 300), *_EDGES, longest - 1, longest) if size <= longest})
    async with stage.pair(far, listener) as (near, end):
        await exchange(stage, near, end, sizes)
    stage.keeps(Promise.WHOLE)


async def check_order(stage: Stage, far: Far, listener: Listener) -> None:
    """Many frames of mixed sizes, both ways at once."""
    sizes = [SMALL + i * 37 % 700 for i in range(_MANY)]
    async with stage.pair(far, listener) as (near, end):
        begun = anyio.current_time()
        await exchange(stage, near, end, sizes)
        stage.figures["frames"] = 2 * _MANY / (anyio.current_time() - begun)
    stage.keeps(Promise.ORDERED)
    stage.keeps(Promise.ONCE)


async def check_limit(stage: Stage, far: Far, listener: Listener) -> None:
    """One byte too many."""
    longest = stage.transport.traits.max_frame
    if longest is None:
        stage.skipped[Promise.LIMITED] = "the transport takes frames of any length"
        return
    async with stage.pair(far, listener) as (near, end):
        with stage.expect(Promise.LIMITED, f"a frame of {longest + 1} bytes", 6 * stage.patience):
            seen, sent = await together(
                lambda: collect(near, f"there:{LAST}", stage.patience), lambda: _too_large(end, longest + 1)
            )
            if stage.too_large == "ends":
                if seen.labels or not seen.end.startswith("PeerGone"):
                    raise BrokenPromise(Promise.LIMITED, f"{seen.labels[:1]} {seen.end}, where the link should end")
                return
            refused = sent == "BadMessage" or "BadMessage" in seen.labels
            if not refused or f"there:{LAST}" not in seen.labels:
                first = ", ".join(seen.labels[:2]) or "nothing"
                raise BrokenPromise(Promise.LIMITED, f"{longest + 1} bytes: there came {first}; {seen.end or sent}")


async def _too_large(end: FarEnd, size: int) -> str:
    """Have it sent, and the last frame behind it: how the sender saw that."""
    try:
        await end.send("there", [size])
    except BadMessage:
        await end.send("there", [])
        return "BadMessage"
    except PeerGone as error:
        return f"PeerGone: {error}"
    return "the sender noticed nothing"


async def check_backpressure(stage: Stage, far: Far, listener: Listener) -> None:
    """Nobody receives: the sender waits, and goes on when somebody does."""
    size = min(_BLOCK, stage.transport.traits.max_frame or _BLOCK)
    async with stage.pair(far, listener) as (near, end):
        with stage.expect(Promise.HELD_BACK, "a peer that does not receive", 12 * stage.patience):
            here = await _flood_there(stage, near, end, size)
            there = await _flood_here(stage, near, end, size)
    stage.figures["buffered"] = max(here, there)


async def _flood_there(stage: Stage, near: Connection, end: FarEnd, size: int) -> int:
    flood = Flood(near, "flood", size, stage.window)
    async with tasks() as group:
        group.start_soon(flood.run)
        count, since = -1, anyio.current_time()
        while anyio.current_time() - since < _STILL:
            _bounded(stage, flood.frames * size)
            if flood.frames != count:
                count, since = flood.frames, anyio.current_time()
            await anyio.sleep(0.02)
        flood.stop()
        seen = await end.receive(f"flood:{LAST}", stage.patience)
        compare(labels("flood", [size] * flood.frames), seen, "held back on the way to the peer")
    return count * size


async def _flood_here(stage: Stage, near: Connection, end: FarEnd, size: int) -> int:
    await end.far.do("flood", number=end.number, tag="deluge", size=size, limit=stage.window)
    count, since = -1, anyio.current_time()
    while anyio.current_time() - since < _STILL:
        frames, _ = await end.far.do("flooded", number=end.number, stop=False)
        _bounded(stage, frames * size)
        if frames != count:
            count, since = frames, anyio.current_time()
        await anyio.sleep(0.05)
    await end.far.do("flooded", number=end.number, stop=True)
    seen = await collect(near, f"deluge:{LAST}", stage.patience)
    frames, _ = await end.far.do("flooded", number=end.number, stop=True)
    compare(labels("deluge", [size] * frames), seen, "held back on the way from the peer")
    return count * size


def _bounded(stage: Stage, accepted: int) -> None:
    if accepted >= stage.window:
        raise BrokenPromise(Promise.HELD_BACK, f"{accepted} bytes were accepted that nobody reads")
