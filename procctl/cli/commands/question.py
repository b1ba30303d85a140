"""ask: a question of one's own to programs on the channel."""

from __future__ import annotations

import json
from typing import Any

import click

from ...core import messages as m
from ..ask import ask_all, connected, error_of, preview
from ..exits import of_misses
from ..run_async import document, run
from ..settings import common, settings
from ..targets import parse_all

__all__ = ["ask"]


@click.command()
@click.argument("target", metavar="TARGET")
@click.argument("action", metavar="ACTION")
@click.argument("data", metavar="[JSON]", required=False, default="null")
@common
def ask(target: str, action: str, data: str) -> None:
    """Put a question to programs that have a channel, and print their answers, a line of JSON each."""
    chosen = parse_all((target,))
    found = settings()
    text = _checked(data)

    async def work() -> int:
        async with connected(found) as fleet:
            if found.dry_run:
                return await preview(fleet, found, chosen, f"ask for {action}")
            batch = await ask_all(fleet, found, chosen, lambda t: m.Ask(action=action, data=text, **t))
        if found.json:
            answers = [_answer(answer) for answer in batch.answers]
            click.echo(document(answers, [error_of(miss) for miss in batch.misses]))
            return of_misses(batch.misses)
        for answer in batch.answers:
            click.echo(answer.data if len(batch.answers) == 1 else f"{answer.hostname}/{answer.name} {answer.data}")
        for miss in batch.misses:
            click.echo(f"procctl: {miss.target}: {miss.message}", err=True)
            if miss.hint:
                click.echo(f"  {miss.hint}", err=True)
        return of_misses(batch.misses)

    run(work)


def _answer(answer: m.ChildAnswer) -> dict[str, Any]:
    return {"name": answer.name, "uuid": answer.uuid, "hostname": answer.hostname, "data": json.loads(answer.data)}


def _checked(data: str) -> str:
    try:
        return json.dumps(json.loads(data), allow_nan=False)
    except ValueError as error:
        raise click.UsageError(f"{data[:40]!r} is no JSON: {error}; a text is '\"in quotes\"'") from None
