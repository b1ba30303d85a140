"""add."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from ...core import messages as m
from ...core.specs import ProcessSpec, RestartSpec
from ..ask import ask_all, connected, finish
from ..run_async import run
from ..settings import common, settings

__all__ = ["add"]


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("name")
@click.argument("command", nargs=-1, required=True, metavar="-- CMD…")
@click.option("--mode", type=click.Choice(["one", "many", "force"]), default="many", help="How many of it may run.")
@click.option(
    "--level", type=click.Choice(["lease", "strict"]), default="lease", help="When a lost host's slot is free."
)
@click.option("--standby", is_flag=True, help="Wait for the holder of the slot to end.")
@click.option("--host", default="", metavar="GLOB", help="On which host.")
@click.option("--each", is_flag=True, help="On every host that matches.")
@click.option("--restart", type=click.Choice(["always", "on-failure", "never"]), default="never", help="After an end.")
@click.option("--instances", type=click.IntRange(1), default=1, help="How many: NAME.1, NAME.2, …")
@click.option("--env", "env", multiple=True, metavar="K=V", help="A variable of its environment.")
@click.option("--cwd", metavar="D", help="Its folder; default: this one.")
@click.option("--group", default="", metavar="NAME", help="For the target group:NAME.")
@click.option("--no-start", is_flag=True, help="Register it only.")
@common
def add(
    name: str,
    command: tuple[str, ...],
    mode: Any,
    level: Any,
    standby: bool,
    host: str,
    each: bool,
    restart: Any,
    instances: int,
    env: tuple[str, ...],
    cwd: str | None,
    group: str,
    no_start: bool,
) -> None:
    """Register a process and start it: procctl add web -- python -m http.server 8000."""
    variables: dict[str, str | None] = {}
    for pair in env:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--env {pair!r}: expected NAME=VALUE")
        variables[key] = value
    spec = ProcessSpec(
        name=name,
        command=command,
        cwd=str(Path(cwd or ".").expanduser().resolve()) if cwd or not host else None,
        env=variables,
        group=group,
        instances=instances,
        mode=mode,
        level=level,
        standby=standby,
        restart=RestartSpec(policy=restart),
    )
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            if found.dry_run:
                click.echo(f"would add {name}: {' '.join(command)}", err=True)
                return 0
            uuid = str(uuid4())
            target = {"spec": spec, "hostname": host, "each": each, "start": not no_start, "uuid": uuid}
            watched = [{"name": name, "hostname": host}]
            batch = await ask_all(fleet, found, [target], lambda t: m.Add(**t), watched=watched)
            return finish(
                found, batch, lambda item: f"{item.name} is {item.state}" + (f" (pid {item.pid})" if item.pid else "")
            )

    run(work)
