"""One request for several targets, and what came of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import click

from ..core.messages import Batch, Miss, Request, Status, Until
from ..core.records import Item
from ..errors import ProcctlError
from ..link.connect import connect
from ..service.fleet import Fleet
from . import exits
from .run_async import document
from .settings import Settings

__all__ = ["ask_all", "connected", "finish", "preview"]


_MOMENT = 2.0
"""Seconds after which it is said what a command waits for."""


@asynccontextmanager
async def connected(settings: Settings, spare: float = 2.0) -> AsyncGenerator[Fleet]:
    """The fleet that this command speaks to, as a block.

    All of it, the greeting too, has ``--timeout`` and `spare` seconds for the answer of those who keep the time
    themselves.

    Raises:
        TimeoutError: The time is over.
    """
    with anyio.fail_after(None if settings.timeout is None else settings.timeout + spare):
        async with connect(settings.target_url(), auth=settings.auth(), patience=2.0) as fleet:
            yield fleet


async def ask_all(
    fleet: Fleet,
    settings: Settings,
    targets: Sequence[dict[str, Any]],
    make: Callable[[dict[str, Any]], Request[Batch]],
    until: Until = "settled",
    watched: Sequence[dict[str, Any]] = (),
) -> Batch:
    """The same request for each target, all at once; their answers as one.

    Args:
        fleet: Who is asked.
        settings: Of the command.
        targets: Fields of each request.
        make: Makes it.
        until: When each is answered.
        watched: Targets of which it is said what they wait for, as long as there is no answer.

    Raises:
        ProcctlError: A request was refused as a whole, or the time was over (TimeoutError).
    """
    batches: list[Batch | None] = [None] * len(targets)
    failed: list[ProcctlError] = []

    async def one(i: int, target: dict[str, Any]) -> None:
        try:
            batches[i] = await fleet.request(make(target), until, settings.timeout)
        except ProcctlError as error:
            failed.append(error)

    async with anyio.create_task_group() as watching:
        if watched and until != "accepted" and not (settings.quiet or settings.json):
            watching.start_soon(_say_why, fleet, watched)
        async with anyio.create_task_group() as group:
            for i, target in enumerate(targets):
                group.start_soon(one, i, target)
        watching.cancel_scope.cancel()
    if failed:
        raise failed[0]
    found = [batch for batch in batches if batch is not None]
    items = {item.uuid + item.hostname: item for batch in found for item in batch.items}
    return Batch(
        items=tuple(items.values()),
        misses=tuple(miss for batch in found for miss in batch.misses),
        details=tuple(detail for batch in found for detail in batch.details),
        answers=tuple(answer for batch in found for answer in batch.answers),
    )


async def _say_why(fleet: Fleet, targets: Sequence[dict[str, Any]]) -> None:
    """What takes longer than a moment says why, and again when that changes."""
    said: dict[str, str] = {}
    while True:
        await anyio.sleep(_MOMENT)
        for target in targets:
            try:
                batch = await fleet.request(Status(stats=False, **_without_all(target)))
            except ProcctlError:  # the command itself is answered in this way, or this caller may not look
                return
            for item in batch.items:
                if item.state == "pending" and said.get(item.uuid) != item.why.text:
                    said[item.uuid] = item.why.text
                    click.echo(f"{item.hostname}/{item.name} {item.why.text}", err=True)


def finish(settings: Settings, batch: Batch, tell: Callable[[Item], str] | None = None) -> int:
    """Print what was done to whom; the exit code.

    Args:
        settings: Of the command.
        batch: What came of it.
        tell: A sentence for an item that did as told.
    """
    if settings.json:
        click.echo(document([shown(item) for item in batch.items], [error_of(miss) for miss in batch.misses]))
    else:
        missed = {miss.target for miss in batch.misses}
        for item in batch.items if tell is not None and not settings.quiet else ():
            if item.name not in missed and f"{item.hostname}/{item.name}" not in missed:
                assert tell is not None
                click.echo(tell(item), err=True)
        for miss in batch.misses:
            click.echo(f"procctl: {miss.target}: {miss.message}", err=True)
            if miss.hint:
                click.echo(f"  {miss.hint}", err=True)
    return exits.of_misses(batch.misses)


def shown(item: Item) -> dict[str, Any]:
    """An item as ``--json`` has it: what the protocol says."""
    from ..wire.codec import unstructure

    made: dict[str, Any] = unstructure(item)
    return made


def error_of(miss: Miss) -> dict[str, str]:
    return {"target": miss.target, "code": miss.code, "message": miss.message, "hint": miss.hint}


async def preview(fleet: Fleet, settings: Settings, targets: Sequence[dict[str, Any]], what: str) -> int:
    """``--dry-run``: what would be done to what."""
    batch = await ask_all(fleet, settings, targets, lambda target: Status(stats=False, **_without_all(target)))
    for item in batch.items:
        if not settings.json:
            click.echo(f"would {what} {item.hostname}/{item.name} ({item.state}/{item.detail})", err=True)
    return finish(settings, batch)


def _without_all(target: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in target.items() if key != "all"}
