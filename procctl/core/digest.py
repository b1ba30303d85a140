"""One number for all that a host has told of its processes, kept up to date change by change. Pure.

It is the sum, modulo 2^64, of a hash of each process as it was told; so a process that has not changed costs nothing,
and neither the order of changes nor that of processes matters. It is there to find what went wrong between two ends
that mean each other well; it is no signature.

What counts is what stays true until the next change: not how much memory a process has, nor for how long it runs.
"""

from __future__ import annotations

from hashlib import blake2b
from math import modf

from .records import Item

__all__ = ["MASK", "hash_of", "text_of"]

MASK = (1 << 64) - 1


def hash_of(item: Item) -> int:
    """Of one process: the first eight bytes, big-endian, of BLAKE2b (RFC 7693) with a digest of eight bytes, over its
    fields as texts, joined by U+001F; times in microseconds, None as an empty text."""
    end, why = item.exit, item.why
    ended = "" if end is None else f"{_text(end.code)}\x1f{_text(end.signal)}\x1f{_micros(end.at)}"
    ready = "" if item.ready is None else int(item.ready)
    text = (
        f"{item.uuid}\x1f{item.name}\x1f{item.group}\x1f{item.pid}\x1f{item.status}\x1f{item.detail}\x1f{ready}\x1f"
        f"{_micros(item.timestamp)}\x1f{item.restarts}\x1f{item.said}\x1f{item.trouble}\x1f{why.code}\x1f{why.text}"
        f"\x1f{why.by}\x1f{ended}"
    )
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def text_of(digest: int) -> str:
    """As heartbeats have it: 16 hexadecimal digits."""
    return f"{digest:016x}"


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _micros(seconds: float) -> int:
    """As the wire's times are rounded (RFC 3339 with six digits): to the nearest, from the fraction alone."""
    fraction, whole = modf(seconds)
    return int(whole) * 1_000_000 + round(fraction * 1e6)
