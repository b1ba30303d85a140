"""Durations and sizes as people write them."""

from __future__ import annotations

import re

__all__ = ["duration", "show_duration", "size"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


def duration(text: str | float) -> float:
    """``"1m30s"``, ``"500ms"``, ``"10"`` or 10 → seconds.

    Raises:
        ValueError: It is none.
    """
    if isinstance(text, int | float):
        if not 0 <= text <= 1e9:
            raise ValueError(f"{text} is no duration")
        return float(text)
    compact = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return duration(float(compact))
    parts = _PART.findall(compact)
    if not parts or _PART.sub("", compact).strip():
        raise ValueError(f"{text!r} is no duration; for example 500ms, 10s, 1m30s, 2h")
    return duration(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def size(text: str | int) -> int:
    """``"50MiB"``, ``"10k"``, ``"1.5GB"`` or 4096 → bytes. ``k`` and ``kB`` are 1000, ``KiB`` is 1024.

    Raises:
        ValueError: It is none.
    """
    if isinstance(text, int):
        if text < 0:
            raise ValueError(f"{text} is no size")
        return text
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size; for example 4096, 10kB, 50MiB, 1.5GiB")
    number, unit, binary = match.groups()
    power = " kmgt".index(unit.lower() or " ")
    return int(float(number) * (1024 if binary else 1000) ** power)


def show_duration(seconds: float) -> str:
    """Seconds as people write them: ``1m30s``."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    out = ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            out += f"{int(seconds // length)}{unit}"
            seconds %= length
    return out + (f"{seconds:g}s" if seconds or not out else "")
