"""approvals, approve, deny."""

from __future__ import annotations

import time

import click

from ...config.units import show_duration
from ..ask import connected
from ..run_async import document, run
from ..settings import common, settings
from ..show import console

__all__ = ["approvals", "approve", "deny"]


@click.command()
@common
def approvals() -> None:
    """Starts that wait for a person."""
    found = settings()

    async def work() -> int:
        async with connected(found, 0.0) as fleet:
            waiting = await fleet.approvals()
        if found.json:
            from ...wire.codec import unstructure

            click.echo(document([unstructure(approval) for approval in waiting], []))
            return 0
        from rich.table import Table

        table = Table("ID", "NAME", "HOST", "MODE", "ASKED BY", "AGO", "LEFT", box=None, pad_edge=False)
        for a in waiting:
            ago = show_duration(int(time.time() - a.since))
            left = "" if a.until is None else show_duration(max(0, round(a.until - time.time())))
            table.add_row(a.approval, a.name, a.hostname, a.mode, a.asker, ago, left)
        if waiting:
            console(found).print(table)
        elif not found.quiet:
            click.echo("nothing waits for a person", err=True)
        return 0

    run(work)


@click.command()
@click.argument("approval", metavar="ID")
@common
def approve(approval: str) -> None:
    """Yes to a start that waits."""
    found = settings()

    async def work() -> int:
        async with connected(found, 0.0) as fleet:
            await fleet.approve(approval)
        if not found.quiet:
            click.echo(f"approved {approval}: it starts by itself", err=True)
        return 0

    run(work)


@click.command()
@click.argument("approval", metavar="ID")
@click.option("--reason", default="", metavar="R", help="What whoever asked is told.")
@common
def deny(approval: str, reason: str) -> None:
    """No to a start that waits."""
    found = settings()

    async def work() -> int:
        async with connected(found, 0.0) as fleet:
            await fleet.deny(approval, reason)
        if not found.quiet:
            click.echo(f"denied {approval}", err=True)
        return 0

    run(work)
