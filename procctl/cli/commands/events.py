"""events."""

from __future__ import annotations

import json
import re
import sys

import click

from ...core.messages import Lost
from ...wire.codec import item_out
from ..ask import connected
from ..run_async import run
from ..settings import common, settings

__all__ = ["events"]


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("--since", default="", metavar="CURSOR", help="Begin behind this cursor, without a snapshot.")
@common
def events(follow: bool, since: str) -> None:
    """What happens, as NDJSON: a snapshot, then changes; a gap shows as one."""
    found = settings()
    if since and not re.fullmatch(r".+-\d+", since):
        raise click.UsageError(f"--since {since!r}: expected a cursor, as events have it")

    async def work() -> int:
        async with connected(found, 0.0) as fleet, fleet.events(since=since, follow=follow) as stream:
            async for event in stream:
                if isinstance(event, Lost):
                    shown = {"type": "lost", "lost": event.count, "first": event.first, "next": event.next}
                else:
                    shown = item_out(event)
                sys.stdout.write(json.dumps(shown) + "\n")
                sys.stdout.flush()
        return 0

    run(work)
