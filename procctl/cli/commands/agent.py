"""agent: in the foreground, for service managers and containers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from ...agent.agent import Agent, OnExit
from ...config.declared import Declared
from ...config.lookup import load
from ...transports.stdio import StdioListener, StdioTransport
from .. import exits
from ..places import runtime_folder, socket_url
from ..run_async import run
from ..settings import common, settings
from ..signals import on_reopen, on_signals

__all__ = ["agent", "lasting"]

F = TypeVar("F", bound=Callable[..., Any])


def lasting(command: F) -> F:
    """Options of what outlives an agent."""
    command = click.option("--state-dir", metavar="D", help="Where the next agent finds what it has to know.")(command)
    help_text = "Whether what it runs ends with it, or lives on for the next one. Default: stop."
    return click.option("--on-exit", type=click.Choice(["stop", "keep"]), help=help_text)(command)


@click.command()
@click.option("-f", "--file", metavar="FILE", help="A procctl.toml or Procfile: what it declares is started.")
@click.option("--listen", multiple=True, metavar="URL", help="Where it is controlled; default: a private unix socket.")
@click.option("--join", metavar="URL", help="A controller to be part of.")
@click.option("--name", default="", metavar="HOST", help="Default: $B0_HOST_ID, then the host's name.")
@lasting
@common
def agent(
    file: str | None,
    listen: tuple[str, ...],
    join: str | None,
    name: str,
    state_dir: str | None,
    on_exit: OnExit | None,
) -> None:
    """An agent in the foreground. SIGTERM and SIGINT stop all that it runs, a second one kills.


    With --on-exit keep they end the agent alone: what it runs lives on, and the next agent on the same state folder
    takes it over. A controller that is not there yet is joined as soon as it is. SIGUSR2 reopens log files. One that
    listens on stdio: stops with its stdin as well.
    """
    found = settings()

    async def work() -> int:
        declared = load(file, Path.cwd()) if file else Declared(file="")
        called = name or declared.name
        urls = listen or declared.listen
        if not urls:
            runtime_folder(make=True)
            urls = (socket_url(called),)
        stdio = await StdioTransport().listen("stdio:", {}) if "stdio:" in urls else None
        above = join or declared.join or None
        if above and declared.policies:
            click.echo(f"procctl: {declared.file}: its policies do not count, since the controller decides", err=True)
        made = Agent(
            called,
            listen=[stdio if stdio is not None and url == "stdio:" else url for url in urls],
            join=above,
            await_join=False,
            auth=found.auth(declared.auth),
            approval=() if above else declared.policies,
            config=str(Path(declared.file).resolve()) if declared.file else "",
            state_dir=state_dir or declared.state_dir or None,
            on_exit=on_exit or declared.on_exit,
        )
        over = anyio.Event()

        async def stop(number: int) -> None:
            over.set()

        async with made as running, anyio.create_task_group() as group:

            async def kill() -> None:
                await running.kill(all=True, until="accepted")

            async def watch() -> None:
                await running.asked_to_stop()
                over.set()

            async def end_with_stdin(listener: StdioListener) -> None:
                await listener.ended()
                over.set()

            group.start_soon(watch)
            if stdio is not None:
                group.start_soon(end_with_stdin, stdio)
            group.start_soon(on_signals, stop, kill)
            group.start_soon(on_reopen, partial(running.reopen, all=True))
            await running.declare(declared.processes)
            if not found.quiet:
                click.echo(f"agent {running.name} listens on {', '.join(running.urls)}", err=True)
            await over.wait()
            if not running.keeps:
                await running.stop_all()  # here, and not by leaving the block, so that a second signal is still heard
            group.cancel_scope.cancel()
        return exits.OK

    run(work)
