"""free: the slot of a host that is lost for good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from ...core.messages import Holder
from .. import exits
from ..ask import connected
from ..run_async import document, run
from ..settings import common, settings

__all__ = ["free"]


@click.command()
@click.argument("name", metavar="[HOST/]NAME")
@click.option("--host", default="", metavar="HOST", help="Of whom holds it; default: wherever.")
@click.option("--force", is_flag=True, help="Although that host is there: what runs is ended, and asks anew.")
@common
def free(name: str, host: str, force: bool) -> None:
    """Say that what holds a slot has ended: it is free for others at once. You have seen to it yourself."""
    found = settings()
    before, slash, slot = name.rpartition("/")
    if slash and host:
        raise click.UsageError(f"{name!r} names a host, and --host another")
    host = host or before

    async def work() -> int:
        async with connected(found) as fleet:
            holders = await fleet.holders(slot, host)
        if found.dry_run:
            _tell("would free", holders, found.json)
            return exits.OK
        if not found.yes and sys.stdin.isatty():
            _tell("about to free", holders, False)
            click.confirm("has it ended there, for certain?", abort=True, err=True)
        freed: list[Holder] = []
        async with connected(found) as fleet:
            for hostname in dict.fromkeys(holder.hostname for holder in holders):
                freed += await fleet.free(slot, hostname, force=force)
        if not found.quiet:
            _tell("freed", freed, found.json)
        return exits.OK

    run(work)


def _tell(what: str, holders: Sequence[Holder], as_json: bool) -> None:
    if as_json:
        from ...wire.codec import unstructure

        click.echo(document([unstructure(holder) for holder in holders], []))
        return
    for holder in holders:
        pid = f"pid {holder.pid}, " if holder.pid else ""
        since = f", since {datetime.fromtimestamp(holder.since, UTC):%Y-%m-%dT%H:%M:%SZ}" if holder.since else ""
        there = "" if holder.responds else "; that host does not respond"
        told = f"{what} {holder.name} of {holder.hostname} ({pid}lease {holder.token}{since}{there})"
        click.echo(told, err=True)
