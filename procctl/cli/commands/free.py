"""free: the slot of a host that is lost for good."""

from __future__ import annotations

import sys

import click

from .. import exits
from ..ask import connected
from ..run_async import run
from ..settings import common, settings

__all__ = ["free"]


@click.command()
@click.argument("name")
@click.option("--host", default="", metavar="HOST", help="Of whom holds it; default: wherever.")
@common
def free(name: str, host: str) -> None:
    """Say that what holds a slot has ended: it is free for others at once. You have seen to it yourself."""
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            if found.dry_run:
                click.echo(f"would free {name}", err=True)
                return exits.OK
            await fleet.free(name, host)
        return exits.OK

    if not (found.yes or found.dry_run) and sys.stdin.isatty():
        click.confirm(f"has {name} ended{f' on {host}' if host else ''}, for certain?", abort=True, err=True)
    run(work)
