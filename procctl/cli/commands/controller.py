"""controller: in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import anyio
import click

from ...config.declared import Declared
from ...config.lookup import load
from ...controller.controller import Controller
from ...core.budget import RestartBudget
from ...core.reach import Reach
from .. import exits
from ..places import runtime_folder, socket_url
from ..run_async import run
from ..settings import DURATION, common, settings
from ..signals import on_signals

__all__ = ["controller"]


@click.command()
@click.option("-f", "--file", metavar="FILE", help="A procctl.toml: its policies decide who may run.")
@click.option("--listen", multiple=True, metavar="URL", help="Where agents and clients arrive; default: a unix socket.")
@click.option("--silent-after", type=DURATION, metavar="TIME", help="When a host is silent; default: 3 heartbeats.")
@click.option(
    "--on-silent", type=click.Choice(["show", "end"]), default="show", help="Then only show it, or end its link, too."
)
@click.option("--forget-after", type=DURATION, metavar="TIME", help="When a lost host is forgotten; default: never.")
@click.option(
    "--restarts", type=click.IntRange(min=1), metavar="N", help="Automatic restarts at a time; default: no bound."
)
@click.option("--state-dir", metavar="D", help="Where what it grants is put down; default: nowhere.")
@click.option("--name", default="controller", metavar="NAME", help="What it calls itself; default: controller.")
@common
def controller(
    file: str | None,
    listen: tuple[str, ...],
    state_dir: str | None,
    name: str,
    silent_after: float | None,
    on_silent: Literal["show", "end"],
    forget_after: float | None,
    restarts: int | None,
) -> None:
    """A controller in the foreground. SIGTERM and SIGINT end it; what agents run, they go on running."""
    found = settings()

    async def work() -> int:
        declared = load(file, Path.cwd()) if file else Declared(file="")
        urls = listen
        if not urls:
            runtime_folder(make=True)
            urls = (socket_url("controller"),)
        over = anyio.Event()

        async def stop(number: int) -> None:
            over.set()

        async def again() -> None:
            """It is ending already."""

        reach = Reach(silent_after=silent_after, on_silent=on_silent, forget_after=forget_after)
        auth = found.auth(declared.auth)
        budget = None if restarts is None else RestartBudget(restarts)
        made = Controller(
            name,
            listen=urls,
            approval=declared.policies,
            auth=auth,
            reach=reach,
            restarts=budget,
            state_dir=state_dir,
        )
        async with made as running, anyio.create_task_group() as group:
            group.start_soon(on_signals, stop, again)
            if not found.quiet:
                click.echo(f"controller {running.name} listens on {', '.join(running.urls)}", err=True)
            await over.wait()
            group.cancel_scope.cancel()
        return exits.OK

    run(work)
