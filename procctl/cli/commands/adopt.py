"""adopt."""

from __future__ import annotations

from uuid import uuid4

import click

from ...core import messages as m
from ...core.specs import ProcessSpec
from ..ask import ask_all, connected, finish
from ..run_async import run
from ..settings import common, settings

__all__ = ["adopt"]


@click.command()
@click.argument("pid", type=click.IntRange(1))
@click.argument("command", nargs=-1, metavar="[-- CMD…]")
@click.option("--name", required=True, metavar="NAME", help="What it is called; of a detached process: it is that one.")
@click.option("--host", default="", metavar="GLOB", help="On which host.")
@common
def adopt(pid: int, command: tuple[str, ...], name: str, host: str) -> None:
    """Take over a program that runs already: procctl adopt 4711 --name web.

    Its next start runs CMD, or what it was started with. What it writes stays where it goes, and how it ends is known
    only where the kernel tells.
    """
    spec = ProcessSpec(name=name, command=command)
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            if found.dry_run:
                click.echo(f"would adopt pid {pid} as {name}", err=True)
                return 0
            target = {"pid": pid, "spec": spec, "hostname": host, "uuid": str(uuid4())}
            batch = await ask_all(fleet, found, [target], lambda t: m.Adopt(**t))
            told = "{0.name} is {0.state} (pid {0.pid}); what it writes stays where it goes"
            return finish(found, batch, lambda item: told.format(item))

    run(work)
