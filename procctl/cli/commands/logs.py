"""logs."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from operator import attrgetter
from typing import Any

import anyio
import click

from ...config.units import duration
from ...core.pattern import Pattern, Unusable
from ...core.records import Item
from ...service.fleet import Fleet
from ...service.lines import Line
from ..ask import connected
from ..printing import Printer
from ..run_async import run
from ..settings import Settings, common, settings
from ..targets import parse_all

__all__ = ["logs"]


@click.command()
@click.argument("targets", nargs=-1, metavar="[TARGET…]")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--lines", type=click.IntRange(0), metavar="N", help="Begin N lines before the end of each.")
@click.option(
    "--since", default="", metavar="T", help="A time (12:30, 2026-01-31T12:30), how long ago (10m), a cursor."
)
@click.option("--grep", metavar="RE", help="Only lines that match.")
@click.option("--stream", type=click.Choice(["stdout", "stderr"]), help="Only this one.")
@click.option("--timestamps", is_flag=True, help="Print the time before each line.")
@common
def logs(
    targets: tuple[str, ...],
    follow: bool,
    lines: int | None,
    since: str,
    grep: str | None,
    stream: str | None,
    timestamps: bool,
) -> None:
    """Output of processes, merged in the order of time; what was lost is shown as a gap."""
    found = settings()
    chosen = parse_all(targets) or [{}]
    cursor, after = _since(since)
    there, pattern = _grep(grep)
    if lines is None and follow and not since:
        lines = 10

    kept: list[Line] = []

    async def one(fleet: Fleet, target: dict[str, Any], printer: Printer) -> None:
        fields = {key: value for key, value in target.items() if key != "all"}
        asked: dict[str, Any] = {
            "follow": follow,
            "tail": lines,
            "since": cursor,
            "stream": stream or "",
            "after": after,
            "grep": there,
        }
        async with fleet.logs(**asked, **fields) as stream_:
            async for line in stream_:
                if not (line.lost or pattern is None or pattern.search(line.text)):
                    continue
                if follow or len(chosen) == 1:
                    await printer.put(line)
                else:
                    kept.append(line)  # what several targets have kept is bounded; it is put in order below

    async def work() -> int:
        async with connected(found, 0.0) as fleet:
            names = await _names(fleet, chosen)
            printer = Printer(found, names, timestamps) if not found.json else _Json()
            async with anyio.create_task_group() as whole:
                whole.start_soon(_until_unread, printer, whole.cancel_scope)
                async with anyio.create_task_group() as printing:
                    printing.start_soon(printer.run)
                    async with anyio.create_task_group() as reading:
                        for target in chosen:
                            reading.start_soon(one, fleet, target, printer)
                    for line in sorted(kept, key=attrgetter("time")):
                        await printer.put(line)
                    printer.close()
                whole.cancel_scope.cancel()
        return 0

    run(work)


async def _until_unread(printer: Printer, scope: anyio.CancelScope) -> None:
    await printer.broken.wait()
    scope.cancel()


class _Json(Printer):
    def __init__(self) -> None:
        super().__init__(Settings(), [], False)

    def text(self, line: Line) -> str:
        shown: dict[str, Any] = {
            "time": datetime.fromtimestamp(line.time).astimezone().isoformat(),
            "name": line.name,
            "hostname": line.hostname,
            "stream": line.stream,
            "text": line.text,
            "cursor": line.cursor,
        }
        if line.lost:
            shown["lost"] = line.lost
        if line.approximate:
            shown["approximate"] = True
        return json.dumps(shown) + "\n"


def _grep(text: str | None) -> tuple[str, re.Pattern[str] | None]:
    """What is searched for at the source; what cannot be there is searched for here."""
    if not text:
        return "", None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise click.UsageError(f"--grep: {error}") from None
    try:
        Pattern(text)
    except Unusable:
        return "", pattern
    return text, None


async def _names(fleet: Fleet, targets: list[dict[str, Any]]) -> list[str]:
    found: list[Item] = []
    for target in targets:
        fields = {key: value for key, value in target.items() if key != "all"}
        found += [process.item for process in await fleet.processes(stats=False, **fields)]
    return list(dict.fromkeys(item.name for item in found))


def _since(text: str) -> tuple[str, float]:
    """A cursor and a time; one of them, or none."""
    if not text:
        return "", 0.0
    if re.fullmatch(r"[0-9a-f]{12}\.[0-9a-f-]{36}\.\d+(,.*)?", text):
        return text, 0.0
    try:
        return "", time.time() - duration(text)
    except ValueError:
        pass
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
            text = f"{datetime.now().date()}T{text.zfill(5)}"
        return "", datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise click.UsageError(f"--since {text!r}: expected a time, how long ago (10m), or a cursor") from None
