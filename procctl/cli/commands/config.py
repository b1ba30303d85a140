"""config check, config schema, config show."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import click
from attrs import evolve

from ...config.lookup import load
from ...config.schema import schema as make_schema
from ...core.specs import ProcessSpec
from .. import exits
from ..run_async import document, run
from ..settings import common, settings

__all__ = ["config"]

FILE = click.option("-f", "--file", metavar="FILE", help="Default: the usual places.")


@click.group()
@common
def config() -> None:
    """Check a configuration, show it as it is understood, or print its schema."""


@config.command()
@FILE
@common
def check(file: str | None) -> None:
    """Say what is wrong with a configuration, if anything is."""
    found = settings()

    async def work() -> int:
        declared = load(file, Path.cwd())
        missing = [spec for spec in declared.processes if not _found(spec)]
        if found.json:
            errors = [
                {"target": s.name, "code": "no-program", "message": f"{s.command[0]!r} is not found", "hint": ""}
                for s in missing
            ]
            click.echo(document([spec.name for spec in declared.processes], errors))
        else:
            for spec in missing:
                click.echo(
                    f"procctl: {declared.file}: {spec.command[0]!r} is not found at process.{spec.name}", err=True
                )
            if not missing and not found.quiet:
                click.echo(f"{declared.file}: {len(declared.processes)} processes, nothing wrong", err=True)
        return exits.FAILED if missing else exits.OK

    run(work)


@config.command()
@common
def schema() -> None:
    """Print the JSON Schema of procctl.toml."""
    click.echo(json.dumps(make_schema(), indent=2))


@config.command()
@FILE
@common
def show(file: str | None) -> None:
    """Print what a configuration declares, as it is understood; values of the environment are not shown."""

    async def work() -> int:
        from ...wire.codec import unstructure

        declared = load(file, Path.cwd())
        shown = {
            "file": declared.file,
            "agent": {
                "name": declared.name,
                "listen": list(declared.listen),
                "join": declared.join,
                "state_dir": declared.state_dir,
                "on_exit": declared.on_exit,
            },
            "auth": unstructure(declared.auth),
            "policies": len(declared.policies),
            "processes": [
                {**unstructure(evolve(spec, env={})), "environment": sorted(spec.env)} for spec in declared.processes
            ],
        }
        click.echo(json.dumps(shown, indent=2))
        return exits.OK

    run(work)


def _found(spec: ProcessSpec) -> bool:
    program = spec.command[0]
    if "/" in program:
        return os.access(Path(spec.cwd or ".") / program, os.X_OK)
    return shutil.which(program, path=spec.env.get("PATH") or None) is not None
