"""up and down: an agent in the background."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import anyio
import click

from ...config.declared import OnExit
from ...config.lookup import load
from ...core.messages import AgentInfo
from ...core.records import Item
from ...errors import BadConfig, PeerGone, ProcctlError
from ...link.connect import connect
from ...service.fleet import Fleet
from .. import exits
from ..ask import connected
from ..places import log_file, runtime_folder, socket_url
from ..run_async import run
from ..settings import Settings, common, settings
from .agent import lasting

__all__ = ["STARTING", "down", "spawn_agent", "up", "words_of"]

STARTING = 20.0
"""Seconds for the agent to answer."""


@click.command()
@click.option("-f", "--file", metavar="FILE", help="A procctl.toml or Procfile, or the folder of one.")
@click.option("--name", default="", metavar="HOST", help="Of the agent; a named one has its own socket.")
@click.option("--wait", is_flag=True, help="Until everything is ready.")
@lasting
@common
def up(file: str | None, name: str, wait: bool, state_dir: str | None, on_exit: OnExit | None) -> None:
    """Start an agent in the background, with a declared state."""
    found = settings()

    async def work() -> int:
        declared = load(file, Path.cwd())
        called = name or declared.name
        runtime_folder(make=True)
        url = socket_url(called)
        if found.dry_run:
            click.echo(f"would start an agent on {url} with {len(declared.processes)} processes", err=True)
            return exits.OK
        await _not_there(url)
        log = log_file(called)
        options = ["--name", called] if called else []
        options += ["--on-exit", on_exit] if on_exit else []
        options += ["--state-dir", str(Path(state_dir).absolute())] if state_dir else []
        options += ["--token-file", str(Path(found.token_file).resolve())] if found.token_file else []
        process = spawn_agent(["-f", str(Path(declared.file).resolve()), *options], log)
        info = await _answers(process, url, log)
        async with connect(url, patience=0.0) as fleet:
            code = await _everything(fleet, found) if wait else exits.OK
        if not found.quiet:
            what = f"{len(declared.processes)} processes of {declared.file}"
            click.echo(f"agent {info.name} (pid {info.pid}) runs {what}; procctl ps shows them", err=True)
        return code

    run(work)


@click.command()
@common
def down() -> None:
    """Stop the agent and all that it runs; returns when all is verified empty."""
    found = settings()

    async def work() -> int:
        async with connected(found) as fleet:
            info = await fleet.info()
            if found.dry_run:
                click.echo(f"would stop agent {info.name} and {info.running} processes", err=True)
                return exits.OK
            with anyio.fail_after(found.timeout):
                with suppress(PeerGone):  # it has ended before it could answer: that is what was asked for
                    await fleet.shutdown()
        if not found.quiet:
            click.echo(f"agent {info.name} (pid {info.pid}) is down", err=True)
        return exits.OK

    run(work)


async def _not_there(url: str) -> None:
    try:
        async with connect(url, patience=0.0) as fleet:
            info = await fleet.info()
    except PeerGone:
        return
    raise BadConfig(
        f"agent {info.name} (pid {info.pid}) is up already",
        "procctl down stops it; --name NAME starts another beside it",
    )


def spawn_agent(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """``procctl agent`` in a session of its own, with nothing of ours."""
    command = [sys.executable, "-m", "procctl.cli", "agent", *arguments]
    with log.open("ab") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=_environment()
        )


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PROCCTL_URL")}


async def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> AgentInfo:
    begun = log.stat().st_size if log.exists() else 0
    with anyio.move_on_after(STARTING):
        while process.poll() is None:
            try:
                async with connect(url, patience=0.0) as fleet:
                    info = await fleet.info()
                if info.pid == process.pid:
                    process.returncode = 0  # it goes on without us
                    return info
            except PeerGone:
                pass
            await anyio.sleep(0.02)
    raise ProcctlError(f"the agent did not come up: {words_of(log, begun)}", f"its log is {log}")


def words_of(log: Path, begun: int) -> str:
    """The last lines of a log, of what came behind `begun` bytes or shortly before."""
    said = log.read_text(errors="replace")[max(0, begun - 2000) :].strip().splitlines()[-5:]
    return "; ".join(said) or "it said nothing"


async def _everything(fleet: Fleet, found: Settings) -> int:
    """Wait until all is ready, or has succeeded; the first that failed is named."""
    with anyio.fail_after(found.timeout):
        async with fleet.events() as events:
            async for _ in events:
                items = [process.item for process in await fleet.processes(stats=False)]
                failed = [item for item in items if _is_over(item) and not _succeeded(item)]
                for item in failed:
                    click.echo(f"procctl: {item.name} is {item.detail}: {item.why.text}", err=True)
                    click.echo(f"  procctl why {item.name}", err=True)
                if failed:
                    return exits.FAILED
                if all(item.ready or _succeeded(item) for item in items):
                    return exits.OK
    return exits.FAILED


def _is_over(item: Item) -> bool:
    return item.detail in ("exited", "failed", "denied", "detached")


def _succeeded(item: Item) -> bool:
    return item.detail == "exited" and item.exit is not None and item.exit.code == 0
