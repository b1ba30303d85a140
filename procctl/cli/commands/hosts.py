"""hosts: the agents that are known."""

from __future__ import annotations

import time

import click

from ...config.units import show_duration
from ...core.messages import HostInfo, Miss
from ...core.missing import no_host
from ...service.fleet import Fleet
from .. import exits
from ..ask import connected, error_of
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
            missing = await _missing(fleet, host) if host and not known else None
        if found.json:
            from ...wire.codec import unstructure

            errors = [] if missing is None else [error_of(missing)]
            click.echo(document([unstructure(one) for one in known], errors))
            return exits.OK if missing is None else exits.NO_TARGET
        if missing is not None:
            click.echo(f"procctl: {missing.message}\n  {missing.hint}", err=True)
            return exits.NO_TARGET
        from rich.table import Table
        from rich.text import Text

        table = Table("HOST", "STATE", "HEARD", "VERSION", "LINK", "WHO", "MAY", "RUNNING", "WITHOUT", box=None)
        table.pad_edge = False
        for one in known:
            table.add_row(*(Text(cell, style=_STYLE[one.state] if i == 1 else "") for i, cell in enumerate(_row(one))))
        if known:
            console(found).print(table)
        elif not found.quiet:
            click.echo("no host has joined; procctl agent --join URL", err=True)
        return exits.OK

    run(work)


async def _missing(fleet: Fleet, host: str) -> Miss:
    text, hint = no_host(host, [one.name for one in await fleet.hosts()])
    return Miss(target=host, code="no-such-target", message=text, hint=hint)


def _row(one: HostInfo) -> tuple[str, ...]:
    heard = "now" if one.state == "here" else f"{show_duration(max(0, int(time.time() - one.heard)))} ago"
    link = f"{one.transport} {one.address}" if one.address not in ("", one.transport) else one.transport
    lacks = ", ".join(name for name, has in one.features.items() if not has)
    running = f"{one.running}/{one.processes}"
    state = one.state if one.in_step or one.state != "joined" else "joined (in doubt)"
    return (one.name, state, heard, one.version, link, one.identity, ", ".join(one.roles), running, lacks)
