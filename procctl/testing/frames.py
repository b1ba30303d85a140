"""Frames that can be recognised: each says who made it and which one it is, and its whole content follows from that.

They are JSON texts in UTF-8 without a line break, as all frames of the protocol are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import anyio
from attrs import field, frozen

from ..abc import Connection
from ..errors import BadMessage, ProcctlError
from .promises import BrokenPromise, Promise

__all__ = ["LAST", "SMALL", "Seen", "collect", "compare", "label", "labels", "make_frame", "send_all"]

SMALL = 40
"""Bytes that a frame needs to say which one it is; shorter ones are told apart by their length alone."""
LAST = 1_000_000
"""The number of the frame that says that no more come."""

_HEAD = re.compile(r'"([a-z]+):(\d+):(\d+):ü'.encode())
_FILLER = b"abcdefghijklmnopqrstuvwxyz"


def make_frame(tag: str, number: int, size: int) -> bytes:
    """The frame of `size` bytes that is `tag`'s so many-th."""
    if size < SMALL:
        return b"7" * size
    head = f'"{tag}:{number}:{size}:ü'.encode()
    left = size - len(head) - 1
    turn = number % len(_FILLER)
    filler = (_FILLER[turn:] + _FILLER[:turn]) * (left // len(_FILLER) + 1)
    return head + filler[:left] + b'"'


def label(frame: bytes) -> str:
    """Which frame this is; of one that nobody has made, how it begins."""
    if frame and len(frame) < SMALL and frame.count(b"7") == len(frame):
        return f"{len(frame)} bytes"
    head = _HEAD.match(frame)
    if head is not None:
        tag, number, size = head[1].decode(), int(head[2][:9]), int(head[3][:9])
        if size == len(frame) and frame == make_frame(tag, number, size):
            return f"{tag}:{number}"
    return f"{len(frame)} bytes that begin with {frame[:30]!r}"


def labels(tag: str, sizes: Sequence[int]) -> list[str]:
    """Those of frames of these sizes."""
    return [label(make_frame(tag, number, size)) for number, size in enumerate(sizes)] + [f"{tag}:{LAST}"]


async def send_all(connection: Connection, tag: str, sizes: Sequence[int]) -> None:
    """Send frames of these sizes, and the last one."""
    for number, size in enumerate(sizes):
        await connection.send(make_frame(tag, number, size))
    await connection.send(make_frame(tag, LAST, SMALL))


@frozen
class Seen:
    """What has arrived. Attributes: labels: Of the frames. end: Why no more were awaited; empty: the last has come."""

    labels: list[str] = field(factory=list)
    end: str = ""


async def collect(connection: Connection, last: str, seconds: float) -> Seen:
    """Receive until the last frame, an error, or so many seconds without a frame.

    An error that leaves the connection alive (`BadMessage`) counts as a frame.
    """
    seen = Seen()
    while True:
        try:
            with anyio.fail_after(seconds):
                found = label(await connection.receive())
        except BadMessage:
            found = "BadMessage"
        except TimeoutError:
            return Seen(seen.labels, f"nothing came for {seconds:g} s")
        except ProcctlError as error:
            return Seen(seen.labels, f"{type(error).__name__}: {error}")
        seen.labels.append(found)
        if found == last:
            return seen


def compare(expected: Sequence[str], seen: Seen, what: str) -> None:
    """Are these the frames that were sent?

    Raises:
        BrokenPromise: WHOLE, APART, ONCE, KEPT or ORDERED, whichever explains it.
    """
    found = seen.labels
    if list(expected) == found:
        return
    behind = f"; then: {seen.end}" if seen.end else ""
    strangers = list((Counter(found) - Counter(expected)).keys() - set(expected))
    missing = list((Counter(expected) - Counter(found)).elements())
    twice = [name for name, count in Counter(found).items() if count > max(1, list(expected).count(name))]
    if strangers:
        tags = {name.partition(":")[0] for name in expected}
        foreign = [name for name in strangers if re.fullmatch(r"[a-z]+:\d+", name) and name.split(":")[0] not in tags]
        promise = Promise.APART if foreign else Promise.WHOLE
        raise BrokenPromise(promise, f"{what}: there came {(foreign or strangers)[0]}{behind}")
    if twice:
        raise BrokenPromise(Promise.ONCE, f"{what}: {twice[0]} came {found.count(twice[0])} times")
    if missing:
        text = f"{what}: {len(missing)} of {len(expected)} did not come, the first is {missing[0]}{behind}"
        raise BrokenPromise(Promise.KEPT, text)
    first = next(i for i, (one, other) in enumerate(zip(expected, found, strict=False)) if one != other)
    raise BrokenPromise(Promise.ORDERED, f"{what}: {found[first]} came where {expected[first]} was due")
