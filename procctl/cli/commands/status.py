"""ps, status, show, why, wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ...core.messages import Batch, Status, Until
from ...service.fleet import Fleet
from .. import exits
from ..ask import ask_all, connected, error_of, finish, shown
from ..run_async import document, run
from ..settings import Settings, common, settings
from ..show import print_card, print_table, print_why
from ..targets import parse_all

__all__ = ["ps", "show", "status", "wait", "why"]

SOME = click.argument("targets", nargs=-1, metavar="[TARGET…]")
TARGETS = click.argument("targets", nargs=-1, required=True, metavar="TARGET…")
LAST_LINES = 10


async def _look(fleet: Fleet, found: Settings, targets: tuple[str, ...], detail: bool = False) -> Batch:
    chosen = parse_all(targets) or [{}]
    return await ask_all(fleet, found, chosen, lambda target: Status(detail=detail, **_plain(target)))


def _plain(target: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in target.items() if key != "all"}


@click.command()
@SOME
@common
def ps(targets: tuple[str, ...]) -> None:
    """Processes, a line each."""
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            batch = await _look(fleet, found, targets)
        if not found.json and batch.items:
            print_table(found, batch.items)
        elif not found.json and not batch.misses and not found.quiet:
            click.echo("no processes; procctl add NAME -- CMD… adds one", err=True)
        return finish(found, batch)

    run(work)


@click.command()
@SOME
@click.option("--agent", is_flag=True, help="The agent itself.")
@common
def status(targets: tuple[str, ...], agent: bool) -> None:
    """How something is, with its last lines; exit code 3 if it does not run."""
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            if agent:
                return await _agent(fleet, found)
            batch = await _look(fleet, found, targets)
            tails = {item.uuid: await _tail(fleet, item.uuid) for item in batch.items} if len(batch.items) == 1 else {}
        code = finish(found, batch)
        if not found.json:
            for item in batch.items if tails else ():
                print_card(found, item, None, tails.get(item.uuid, ()))
            if batch.items and not tails:
                print_table(found, batch.items)
        stopped = any(item.state != "running" for item in batch.items)
        return code or (exits.NOT_RUNNING if targets and stopped else exits.OK)

    run(work)


@click.command()
@TARGETS
@common
def show(targets: tuple[str, ...]) -> None:
    """Everything about a process: what is declared, how past runs ended, the last lines."""
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            batch = await _look(fleet, found, targets, detail=True)
            tails = {item.uuid: await _tail(fleet, item.uuid) for item in batch.items}
        details = {detail.uuid: detail for detail in batch.details}
        if found.json:
            from ...wire.codec import unstructure

            items = [
                {**shown(item), **unstructure(details[item.uuid]), "output": list(tails[item.uuid])}
                for item in batch.items
            ]
            click.echo(document(items, [error_of(miss) for miss in batch.misses]))
            return exits.of_misses(batch.misses)
        for item in batch.items:
            print_card(found, item, details.get(item.uuid), tails[item.uuid])
        return finish(found, batch)

    run(work)


@click.command()
@TARGETS
@common
def why(targets: tuple[str, ...]) -> None:
    """Why it is as it is: who asked, what refused or blocks, how it ended, when the next try is."""
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            batch = await _look(fleet, found, targets)
        for item in batch.items if not found.json else ():
            print_why(found, item)
        return finish(found, batch)

    run(work)


@click.command()
@TARGETS
@click.option(
    "--for",
    "until",
    type=click.Choice(["ready", "running", "stopped", "exit"]),
    default="exit",
    help="What to wait for; default: exit.",
)
@common
def wait(targets: tuple[str, ...], until: Until) -> None:
    """Wait until it runs, is ready, is stopped, or has ended."""
    found = settings()
    chosen = parse_all(targets)

    async def work() -> int:
        async with connected(found) as fleet:
            batch = await ask_all(fleet, found, chosen, lambda t: Status(stats=False, **_plain(t)), until)
        return finish(found, batch, lambda item: f"{item.name} is {item.state}/{item.detail}")

    run(work)


async def _tail(fleet: Fleet, uuid: str) -> Sequence[str]:
    async with fleet.logs(uuid=uuid, tail=LAST_LINES) as lines:
        return [line.text async for line in lines]


async def _agent(fleet: Fleet, found: Settings) -> int:
    from ...wire.codec import unstructure

    info = await fleet.info()
    if found.json:
        click.echo(document([unstructure(info)], []))
        return exits.OK
    click.echo(f"{info.role} {info.name}, procctl {info.version}, pid {info.pid}")
    click.echo(f"listens on {', '.join(info.urls) or 'nothing'}")
    if info.joined:
        click.echo(f"has joined {info.joined}")
    if info.config:
        click.echo(f"runs {info.config}")
    click.echo(f"{info.running} of {info.processes} processes run")
    return exits.OK
