"""start, stop, restart, kill, signal, reopen, detach, delete."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from ...core import messages as m
from ...core.check import signal_name
from ...core.messages import Batch, Request, Until
from ...core.records import Item
from ..ask import ask_all, connected, finish, preview
from ..run_async import run
from ..settings import DURATION, common, settings
from ..targets import parse_all

__all__ = ["delete", "detach", "kill", "reopen", "restart", "signal", "start", "stop"]

TARGETS = click.argument("targets", nargs=-1, required=True, metavar="TARGET…")


def _command(
    targets: tuple[str, ...],
    make: Callable[[dict[str, Any]], Request[Batch]],
    tell: Callable[[Item], str],
    what: str,
    until: Until = "settled",
    destructive: bool = False,
) -> None:
    chosen = parse_all(targets)
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            if found.dry_run:
                return await preview(fleet, found, chosen, what)
            return finish(found, await ask_all(fleet, found, chosen, make, until, chosen), tell)

    everything = any(target.get("all") for target in chosen)
    if destructive and everything and not (found.yes or found.dry_run) and sys.stdin.isatty():
        click.confirm(f"{what} every process?", abort=True, err=True)
    run(work)


def _running(item: Item) -> str:
    return f"{item.name} is {item.state}" + (f" (pid {item.pid})" if item.pid else "")


def _ended(item: Item) -> str:
    if item.pid:
        return f"{item.name} is {item.state}, {item.detail} (pid {item.pid})"
    told = f"{item.name} is {item.state}"
    if item.exit is None or item.exit.describe() not in item.why.text:  # that was an earlier run
        return told
    return f"{told}; it {'was ' if item.exit.signal else ''}{item.exit.describe()}"


@click.command()
@TARGETS
@click.option("--force", is_flag=True, help="Stop other holders of the slot first.")
@click.option("--standby", is_flag=True, help="Wait for the holder of the slot to end.")
@click.option("--wait", is_flag=True, help="Until it is ready, not only running.")
@common
def start(targets: tuple[str, ...], force: bool, standby: bool, wait: bool) -> None:
    """Start what is stopped or was never started."""
    until: Until = "ready" if wait else "settled"
    _command(targets, lambda t: m.Start(force=force, standby=standby, **t), _running, "start", until)


@click.command()
@TARGETS
@click.option("--grace", type=DURATION, metavar="TIME", help="Until SIGKILL, instead of the process's own.")
@click.option("--hard", is_flag=True, help="End programs with hooks too, which would only pause their work.")
@click.option("--no-wait", is_flag=True, help="Do not wait until nothing is left.")
@common
def stop(targets: tuple[str, ...], grace: float | None, hard: bool, no_wait: bool) -> None:
    """Ask to end, and return when nothing is left of it; programs with hooks pause their work and live on."""
    until: Until = "accepted" if no_wait else "settled"
    _command(targets, lambda t: m.Stop(grace=grace, hard=hard, **t), _ended, "stop", until, destructive=True)


@click.command()
@TARGETS
@click.option("--wait", is_flag=True, help="Until it is ready, not only running.")
@common
def restart(targets: tuple[str, ...], wait: bool) -> None:
    """Stop, and start again when nothing is left; start what is stopped."""
    _command(targets, lambda t: m.Restart(**t), _running, "restart", "ready" if wait else "settled")


@click.command()
@TARGETS
@click.option("-s", "--signal", "name", default="KILL", metavar="SIG", help="Begin with this; SIGKILL follows.")
@common
def kill(targets: tuple[str, ...], name: str) -> None:
    """End at once; it stays stopped whatever its restart policy."""
    chosen = _signal(name)
    _command(targets, lambda t: m.Kill(signal=chosen, **t), _ended, "kill", destructive=True)


@click.command()
@click.argument("name", metavar="SIG")
@TARGETS
@common
def signal(name: str, targets: tuple[str, ...]) -> None:
    """Send a signal to the process itself and leave everything else as it is."""
    chosen = _signal(name)
    _command(targets, lambda t: m.Signal(signal=chosen, **t), lambda i: f"{i.name} was sent {chosen}", "signal")


@click.command()
@TARGETS
@common
def detach(targets: tuple[str, ...]) -> None:
    """Let what runs go on without procctl; adopt takes it back."""
    _command(targets, lambda t: m.Detach(**t), lambda i: f"{i.name} is {i.why.text}", "detach", destructive=True)


@click.command()
@TARGETS
@common
def reopen(targets: tuple[str, ...]) -> None:
    """Write on in the log files that are at their paths now: somebody has moved the old ones away."""
    _command(targets, lambda t: m.Reopen(**t), lambda i: f"{i.name} has reopened its files", "reopen")


@click.command()
@TARGETS
@common
def delete(targets: tuple[str, ...]) -> None:
    """Forget processes that do not run."""
    _command(targets, lambda t: m.Delete(**t), lambda i: f"{i.name} is deleted", "delete", destructive=True)


def _signal(text: str) -> str:
    name = signal_name(text)
    if name is None:
        raise click.UsageError(f"{text!r} is no signal; for example TERM, HUP or USR1")
    return name
