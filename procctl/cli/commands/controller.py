"""controller: in the foreground."""

from __future__ import annotations

from pathlib import Path

import anyio
import click

from ...config.declared import Declared
from ...config.lookup import load
from ...controller.controller import Controller
from .. import exits
from ..places import runtime_folder, socket_url
from ..run_async import run
from ..settings import common, settings
from ..signals import on_signals

__all__ = ["controller"]


@click.command()
@click.option("-f", "--file", metavar="FILE", help="A procctl.toml: its policies decide who may run.")
@click.option("--listen", multiple=True, metavar="URL", help="Where agents and clients arrive; default: a unix socket.")
@click.option("--state-dir", metavar="D", help="Where what it grants is put down; default: nowhere.")
@click.option("--name", default="controller", metavar="NAME", help="What it calls itself; default: controller.")
@common
def controller(file: str | None, listen: tuple[str, ...], state_dir: str | None, name: str) -> None:
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

        made = Controller(
            name, listen=urls, approval=declared.policies, auth=found.auth(declared.auth), state_dir=state_dir
        )
        async with made as running, anyio.create_task_group() as group:
            group.start_soon(on_signals, stop, again)
            if not found.quiet:
                click.echo(f"controller {running.name} listens on {', '.join(running.urls)}", err=True)
            await over.wait()
            group.cancel_scope.cancel()
        return exits.OK

    run(work)
