"""token new: a credential in a file."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ...core.credentials import line_of, read_roles
from ...errors import BadConfig
from ...link.tokens import add_line, new_token, own_file, write_new
from .. import exits
from ..run_async import document, run
from ..settings import DURATION, common, settings

__all__ = ["token"]


@click.group()
@common
def token() -> None:
    """Make credentials."""


@token.command()
@click.option("--out", metavar="FILE", help="A new file; default: NAME.token, or token, in the user's configuration.")
@click.option("--for", "name", default="", metavar="NAME", help="Whose it is, for records.")
@click.option("--can", default="owner", metavar="VERBS", help="Roles and verbs, by commas; default: owner.")
@click.option("--expires", type=DURATION, metavar="TIME", help="After so long (12h, 30d); default: never.")
@click.option("--add-to", metavar="FILE", help="Also make it known to the listeners that use this file.")
@common
def new(out: str | None, name: str, can: str, expires: float | None, add_to: str | None) -> None:
    """Make a token, in a file that nobody else can read; print the path of the file."""
    found = settings()

    async def work() -> int:
        until = None if expires is None else time.time() + expires
        made = new_token(name or "owner", read_roles(can, "--can: "), until)
        file = Path(out) if out else own_file().with_name(f"{name}.token" if name else "token")
        if found.dry_run:
            click.echo(f"would write {file}" + (f" and add a line to {add_to}" if add_to else ""), err=True)
            return exits.OK
        try:
            write_new(file, line_of(made))
        except FileExistsError:
            raise BadConfig(f"{file} is there already", "--out FILE writes another") from None
        if add_to:
            add_line(Path(add_to), line_of(made, hashed=True))
        elif out or name:
            _tell(found.quiet, file)
        click.echo(document([str(file)], []) if found.json else str(file))
        return exits.OK

    run(work)


def _tell(quiet: bool, file: Path) -> None:
    if not quiet:
        click.echo(f"a listener knows it where {file} is its token file; --add-to FILE adds it to another", err=True)
