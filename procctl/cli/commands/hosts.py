"""hosts: the agents that are known."""

from __future__ import annotations

import time

import click

from ...config.units import show_duration
from ...core.messages import HostInfo
from ..ask import connected
from ..run_async import document, run
from ..settings import common, settings
from ..show import console

__all__ = ["hosts"]

_STYLE = {"joined": "green", "here": "green", "silent": "yellow", "lost": "red"}


@click.command()
@click.argument("host", required=False, default="", metavar="[GLOB]")
@common
def hosts(host: str) -> None:
    """Known agents: when they were heard last, their versions, links, and what their kernels offer."""
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            known = await fleet.hosts(host)
        if found.json:
            from ...wire.codec import unstructure

            click.echo(document([unstructure(one) for one in known], []))
            return 0
        from rich.table import Table
        from rich.text import Text

        table = Table("HOST", "STATE", "HEARD", "VERSION", "LINK", "WHO", "MAY", "RUNNING", "WITHOUT", box=None)
        table.pad_edge = False
        for one in known:
            table.add_row(*(Text(cell, style=_STYLE[one.state] if i == 1 else "") for i, cell in enumerate(_row(one))))
        if known:
            console(found).print(table)
        elif not found.quiet:
            click.echo("no host has joined" if not host else f"no host {host!r} is known", err=True)
        return 0

    run(work)


def _row(one: HostInfo) -> tuple[str, ...]:
    heard = "now" if one.state == "here" else f"{show_duration(max(0, int(time.time() - one.heard)))} ago"
    link = f"{one.transport} {one.address}" if one.address not in ("", one.transport) else one.transport
    lacks = ", ".join(name for name, has in one.features.items() if not has)
    running = f"{one.running}/{one.processes}"
    state = one.state if one.in_step or one.state != "joined" else "joined (in doubt)"
    return (one.name, state, heard, one.version, link, one.identity, ", ".join(one.roles), running, lacks)
