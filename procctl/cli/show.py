"""Processes on a terminal: tables, cards, durations and sizes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.units import show_duration
from ..core.messages import Detail
from ..core.records import ExitRecord, Item
from ..core.specs import AnyReady, ProcessSpec, ReadyCommand, ReadyLog, ReadyMessage, ReadyTcp
from .settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "print_card", "print_table", "print_why", "uptime"]

_STYLE = {"running": "green", "pending": "yellow", "stopped": "", "notstarted": "dim", "notresponding": "red"}
_BAD = {"failed", "denied"}


def console(settings: Settings) -> Console:
    """For stdout; as wide as the lines need where it is no terminal."""
    from rich.console import Console

    made = Console(
        force_terminal=settings.color,
        color_system="auto" if settings.color else None,
        no_color=not settings.color,
        highlight=False,
    )
    if not sys.stdout.isatty():
        made.width = 10_000
    return made


def uptime(seconds: float) -> str:
    """``1:02:03``, as Kontrol showed it."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}" if size else "-"


def _style(item: Item) -> str:
    if item.detail in _BAD:
        return "red"
    return _STYLE.get(item.state, "")


def _state(item: Item) -> str:
    shown = item.state if item.detail in (item.state, "up") else f"{item.state}/{item.detail}"
    return shown + (" (not ready)" if item.ready is False and item.state != "stopped" else "")


def print_table(settings: Settings, items: Sequence[Item]) -> None:
    """One line each."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("NAME", "HOST", "PID", "UPTIME", "MEM MB", "STATE", "WHY"):
        table.add_column(
            head, justify="right" if head in ("PID", "UPTIME", "MEM MB") else "left", no_wrap=head != "WHY"
        )
    for item in sorted(items, key=lambda item: (item.hostname, item.name)):
        why = "" if item.detail == "up" and not item.restarts else item.why.text
        if item.restarts:
            why = f"{item.restarts} restart{'s' if item.restarts > 1 else ''}; {why}"
        if item.trouble:
            why = f"{why}; {item.trouble}" if why else item.trouble
        table.add_row(
            Text(item.name),
            Text(item.hostname),
            str(item.pid or "-"),
            uptime(item.uptime) if item.pid else "-",
            megabytes(item.memory),
            Text(_state(item), style=_style(item)),
            Text(why),
        )
    console(settings).print(table)


def print_card(settings: Settings, item: Item, detail: Detail | None, lines: Sequence[str] = ()) -> None:
    """One process, all that is known of it."""
    from rich.text import Text

    out = console(settings)
    rows = [
        ("name", item.name),
        ("host", item.hostname),
        ("uuid", item.uuid),
        ("state", _state(item)),
        ("why", item.why.text),
        ("since", _clock(item.why.since)),
    ]
    if item.why.next is not None:
        rows.append(("next try", _clock(item.why.next)))
    if item.pid:
        rows += [("pid", str(item.pid)), ("uptime", uptime(item.uptime))]
        rows += [("memory", f"{megabytes(item.memory)} MB"), ("cpu", f"{item.cpu:g} %")]
    if item.said:
        rows.append(("says", item.said))
    if item.metrics:
        rows.append(("metrics", ", ".join(f"{name} {value:g}" for name, value in item.metrics.items())))
    if item.trouble:
        rows.append(("trouble", item.trouble))
    rows.append(("restarts", str(item.restarts)))
    if item.exit is not None:
        rows += _exit_rows(item.exit)
    if detail is not None:
        rows += _detail_rows(detail)
    for head, text in rows:
        out.print(Text(f"{head:>12}  {text}", style=_style(item) if head == "state" else ""))
    for line in lines:
        out.print(Text(f"{'|':>12}  {line}"))


def print_why(settings: Settings, item: Item) -> None:
    """Why it is as it is."""
    from rich.text import Text

    out = console(settings)
    out.print(Text(f"{item.name} on {item.hostname} is {_state(item)}: {item.why.text}", style=_style(item)))
    if item.trouble:
        out.print(Text(f"  but {item.trouble}"))
    if item.why.by:
        out.print(Text(f"  asked for by {item.why.by}, {_clock(item.why.since)}"))
    if item.why.next is not None:
        wait = max(0.0, item.why.next - time.time())
        out.print(Text(f"  next try {_clock(item.why.next)} (in {show_duration(round(wait, 1))})"))
    if item.exit is not None:
        for head, text in _exit_rows(item.exit):
            out.print(Text(f"  {head}: {text}"))
        for line in item.exit.last_lines:
            out.print(Text(f"  | {line}"))


def _exit_rows(record: ExitRecord) -> list[tuple[str, str]]:
    rows = [("last exit", f"{record.describe()} after {show_duration(round(record.uptime, 1))}, {_clock(record.at)}")]
    if record.by:
        rows.append(("ended by", record.by))
    if record.cause:
        rows.append(("because", record.cause))
    if record.usage is not None:
        used = record.usage
        rows.append(("used", f"{used.user + used.system:.2f} s CPU, {megabytes(used.max_rss)} MB at most"))
    if record.escaped:
        rows.append(("escaped", ", ".join(f"{stray.name} ({stray.pid})" for stray in record.escaped)))
    return rows


def _detail_rows(detail: Detail) -> list[tuple[str, str]]:
    spec = detail.spec
    rows = [
        ("command", " ".join(spec.command)),
        ("cwd", spec.cwd or "(the agent's)"),
        ("environment", ", ".join(detail.environment) or "(nothing added)"),
        ("mode", _mode(spec)),
        ("restart", spec.restart.policy),
        ("stop", ", ".join(f"{name} {show_duration(wait)}" for name, wait in spec.stop.steps) or "SIGKILL"),
    ]
    if spec.group:
        rows.append(("group", spec.group))
    if spec.depends_on:
        rows.append(("depends on", ", ".join(f"{name} {what}" for name, what in spec.depends_on.items())))
    if spec.ready is not None:
        rows.append(("ready", _check(spec.ready)))
    if spec.watchdog is not None:
        rows.append(("watchdog", f"a word every {show_duration(spec.watchdog.every)}, else {spec.watchdog.on_silence}"))
    if spec.hooks is not None:
        rows.append(("hooks", f"answers within {show_duration(spec.hooks.timeout)}, else {spec.hooks.on_timeout}"))
    if spec.logs.file:
        rows.append(("log file", spec.logs.file))
    rows += [("past run", f"{r.describe()}, {_clock(r.at)}") for r in detail.past[1:]]
    return rows


def _mode(spec: ProcessSpec) -> str:
    if spec.admission is False:
        return f"{spec.mode}, and it never asks"
    alone = f", {spec.level}" if spec.mode != "many" else ""
    return f"{spec.mode}, {spec.scope}{alone}" + (", stands by" if spec.standby else "")


def _check(spec: AnyReady) -> str:
    match spec:
        case ReadyTcp(port=port, host=host):
            what = f"{host}:{port} accepts a connection"
        case ReadyLog(pattern=pattern):
            what = f"a line matches {pattern}"
        case ReadyCommand(command=command):
            what = f"{' '.join(command)} exits with 0"
        case ReadyMessage(message=message):
            what = f"it sends {message!r}"
    return f"when {what}, within {show_duration(spec.timeout)}"


def _clock(seconds: float) -> str:
    if not seconds:
        return "-"  # an agent of an earlier version has not said so
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
