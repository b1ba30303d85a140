"""key new: a pair of CURVE keys in files."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import Unsupported
from ...link.tokens import own_file
from .. import exits
from ..run_async import document, run
from ..settings import common, settings

__all__ = ["key"]


@click.group()
@common
def key() -> None:
    """Make keys for links over ZeroMQ."""


@key.command()
@click.option("--out", metavar="FILE", help="A new file; default: key, in the user's configuration.")
@common
def new(out: str | None) -> None:
    """Make a pair of keys: the secret one in a file that nobody else can read, the public one in FILE.pub beside it.

    Prints the path of the first.
    """
    found = settings()

    async def work() -> int:
        try:
            from ...transports.zeromq.keys import new_pair, write_pair
        except ImportError as error:
            raise Unsupported(f"keys need {error.name}", "pip install 'procctl[zmq]'") from None
        file = Path(out) if out else own_file("key")
        if found.dry_run:
            click.echo(f"would write {file} and {file}.pub", err=True)
            return exits.OK
        pair = new_pair()
        public = write_pair(file, pair)
        if not found.quiet and not found.json:
            click.echo(f"{public} is for the other side: server={pair.public}, or a line curve:{pair.public}", err=True)
        shown = {"file": str(file), "public": pair.public, "identity": f"curve:{pair.public}"}
        click.echo(document([shown], []) if found.json else str(file))
        return exits.OK

    run(work)
