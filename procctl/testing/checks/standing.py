"""Who a peer is, and that two are two."""

from __future__ import annotations

from ...abc import Listener
from ..frames import LAST, collect, compare, labels, send_all
from ..grouping import together
from ..peers import Far
from ..promises import BrokenPromise, Promise
from ..stage import Stage

__all__ = ["check_apart", "check_identity"]

_CLAIMS = ("uid:0", "root")


async def check_identity(stage: Stage, far: Far, listener: Listener) -> None:
    """The same peer under two names."""
    found = []
    for claim in _CLAIMS:
        async with stage.pair(far, listener, claim) as (near, end):
            await end.send("there", [100])  # a transport may learn with the first frame
            await collect(near, f"there:{LAST}", stage.patience)
            found.append(near.peer.identity)
    told = ", ".join(f"who calls himself {claim} is {identity}" for claim, identity in zip(_CLAIMS, found, strict=True))
    proven = listener.traits.identity  # a transport that can be told to may not have been
    wrong = (
        (proven and None in found)
        or (not proven and found != [None, None])
        or found[0] != found[1]
        or (stage.identity is not None and found[0] != stage.identity)
    )
    if wrong:
        wanted = f"; expected {stage.identity}" if stage.identity else ""
        raise BrokenPromise(Promise.PROVEN, f"{told}; the trait says {'proven' if proven else 'none'}{wanted}")
    stage.keeps(Promise.PROVEN)


async def check_apart(stage: Stage, far: Far, listener: Listener) -> None:
    """Two peers at once: each is heard as itself, and hears what was meant for it."""
    seconds, sizes = stage.patience, [60 + i % 50 for i in range(300)]
    async with stage.pair(far, listener, "one") as (one, first), stage.pair(far, listener, "two") as (two, second):
        with stage.expect(Promise.APART, "two peers at once", 6 * seconds):
            *_, seen_one, seen_two, seen_first, seen_second = await together(
                lambda: first.send("first", sizes),
                lambda: second.send("second", sizes),
                lambda: send_all(one, "one", sizes),
                lambda: send_all(two, "two", sizes),
                lambda: collect(one, f"first:{LAST}", seconds),
                lambda: collect(two, f"second:{LAST}", seconds),
                lambda: first.receive(f"one:{LAST}", seconds),
                lambda: second.receive(f"two:{LAST}", seconds),
            )
            compare(labels("first", sizes), seen_one, "from the first of two peers")
            compare(labels("second", sizes), seen_two, "from the second of two peers")
            compare(labels("one", sizes), seen_first, "to the first of two peers")
            compare(labels("two", sizes), seen_second, "to the second of two peers")
