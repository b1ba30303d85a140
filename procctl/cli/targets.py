"""Targets as people write them: ``web``, ``web.2``, ``'worker-*'``, ``host/web``, ``group:*``, ``uuid:…``, ``all``."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["parse", "parse_all"]


def parse(text: str) -> dict[str, Any]:
    """The fields of a request's target.

    Raises:
        click.UsageError: It is none.
    """
    if text == "all":
        return {"all": True}
    host, slash, name = text.rpartition("/")
    fields: dict[str, Any] = {"hostname": host} if slash else {}
    if slash and not host:
        raise click.UsageError(f"{text!r}: the host before the slash is missing")
    if slash and not name:
        raise click.UsageError(f"{text!r}: the name behind the slash is missing; '{host}/*' is everything on {host}")
    if name.startswith("group:"):
        fields["group"] = name.removeprefix("group:")
    elif name.startswith("uuid:"):
        fields["uuid"] = name.removeprefix("uuid:")
    elif name not in ("*", "all") or not slash:
        fields["name"] = name
    if not any(fields.values()):
        raise click.UsageError(f"{text!r} names nothing")
    return fields


def parse_all(texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Several; the same one twice counts once."""
    found: list[dict[str, Any]] = []
    for text in texts:
        fields = parse(text)
        if fields not in found:
            found.append(fields)
    return found
