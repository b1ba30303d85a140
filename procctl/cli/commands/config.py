"""config check, config schema, config show."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
from attrs import evolve

from ...config.declared import Declared
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
        wrong = list(_findings(declared))
        if found.json:
            errors = [{"target": at, "code": code, "message": text, "hint": ""} for at, code, text in wrong]
            click.echo(document([spec.name for spec in declared.processes], errors))
        else:
            for at, _, text in wrong:
                click.echo(f"procctl: {declared.file}: {text} at {at}", err=True)
            if not wrong and not found.quiet:
                click.echo(f"{declared.file}: {len(declared.processes)} processes, nothing wrong", err=True)
        return exits.FAILED if wrong else exits.OK

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


def _findings(declared: Declared) -> Iterator[tuple[str, str, str]]:
    """What a file can declare and this machine lacks: where, a word for it, and what."""
    for spec in declared.processes:
        if not _found(spec):
            yield f"process.{spec.name}", "no-program", f"{spec.command[0]!r} is not found"
    if declared.on_exit == "keep" and not declared.state_dir:
        yield "agent.on_exit", "no-folder", "keep needs a state folder (state_dir, or --state-dir)"
    token = declared.auth.token_file
    if token and not os.path.exists(token):
        yield "auth.token_file", "no-file", f"there is no {token}"


def _found(spec: ProcessSpec) -> bool:
    program = spec.command[0]
    if "/" in program:
        return os.access(Path(spec.cwd or ".") / program, os.X_OK)
    return shutil.which(program, path=spec.env.get("PATH") or None) is not None
