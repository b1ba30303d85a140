"""run: a declared set of processes in the foreground."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import anyio
import click
from attrs import define, field

from ...agent.agent import Agent
from ...config.declared import Declared, chosen
from ...config.lookup import load
from ...core.messages import AnyEvent, Lost, Snapshot, StateChanged
from ...core.records import Item
from ...errors import BadConfig
from ...service.fleet import Fleet
from .. import exits
from ..hints import after_failure
from ..printing import Printer
from ..run_async import run as run_work
from ..settings import Settings, common, settings
from ..signals import on_reopen, on_signals

__all__ = ["run"]

LAST_WORDS = 0.02
"""Seconds for the last lines and events to reach the terminal."""


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option("-f", "--file", metavar="FILE", help="A Procfile or procctl.toml, or the folder of one.")
@click.option("--keep-going", is_flag=True, help="Do not stop the rest when one ends.")
@click.option("--exit-code-from", metavar="NAME", help="End with the code of this one.")
@click.option("--listen", multiple=True, metavar="URL", help="Also take commands here.")
@common
def run(
    names: tuple[str, ...], file: str | None, keep_going: bool, exit_code_from: str | None, listen: tuple[str, ...]
) -> None:
    """Run a Procfile or procctl.toml in the foreground.

    Ctrl-C stops everything, a second one kills. The first process that ends stops the others, unless it is a one-shot
    that something depends on; procctl then ends with its code.
    """
    found = settings()

    async def work() -> int:
        declared = chosen(load(file, Path.cwd()), names)
        if exit_code_from is not None and exit_code_from not in {spec.name for spec in declared.processes}:
            raise BadConfig(f"--exit-code-from {exit_code_from!r}: {declared.file} declares no such process")
        if found.dry_run:
            for spec in declared.processes:
                click.echo(f"would run {spec.name}: {' '.join(spec.command)}", err=True)
            return exits.OK
        return await _Run(found, declared, keep_going, exit_code_from).whole(listen)

    run_work(work)


@define
class _Run:
    """One run in the foreground."""

    settings: Settings
    declared: Declared
    keep_going: bool
    exit_code_from: str | None
    code: int | None = None
    interrupted: int = 0
    ended: dict[str, Item] = field(factory=dict)
    over: anyio.Event = field(factory=anyio.Event)
    _killing: bool = False

    async def whole(self, listen: tuple[str, ...]) -> int:
        """From the first start to the last end; the exit code."""
        declared = self.declared
        auth = self.settings.auth(declared.auth)
        agent = Agent(declared.name, listen=listen, auth=auth, approval=declared.policies, config=declared.file)
        names = [
            spec.name if spec.instances == 1 else f"{spec.name}.{i}"
            for spec in self.declared.processes
            for i in range(1, spec.instances + 1)
        ]
        printer = Printer(self.settings, names, times=True, prefix=True)
        async with agent, anyio.create_task_group() as group:
            group.start_soon(on_signals, self._signalled, lambda: self._kill(agent))
            group.start_soon(on_reopen, lambda: agent.reopen(all=True))
            for spec in self.declared.processes:
                await agent.add(spec, start=False)
            async with anyio.create_task_group() as shown:
                shown.start_soon(printer.run)
                group.start_soon(self._unread, printer)
                async with anyio.create_task_group() as watched:
                    watched.start_soon(self._print, agent, printer)
                    await watched.start(self._watch, agent)
                    await agent.start(all=True, until="accepted")
                    await self.over.wait()
                    await agent.stop_all()
                    await anyio.sleep(LAST_WORDS)
                    watched.cancel_scope.cancel()
                printer.close()
            group.cancel_scope.cancel()
        return self._code()

    async def _kill(self, agent: Agent) -> None:
        if not self._killing:
            self._killing = True
            self._say("killed")
            await agent.kill(all=True, until="accepted")

    async def _signalled(self, number: int) -> None:
        self.interrupted = number
        self._say(f"{signal.Signals(number).name}: stopping; once more kills")
        self.over.set()

    async def _unread(self, printer: Printer) -> None:
        await printer.broken.wait()
        self.over.set()

    async def _print(self, agent: Fleet, printer: Printer) -> None:
        async with agent.logs(follow=True) as lines:
            async for line in lines:
                await printer.put(line)

    async def _watch(
        self, agent: Fleet, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async with agent.events() as events:
            async for event in events:
                if isinstance(event, Snapshot):
                    task_status.started()
                await self._happened(event)

    async def _happened(self, event: AnyEvent | Lost) -> None:
        if not isinstance(event, StateChanged):
            return
        item = event.process
        if item.detail == "up" and event.old != event.new:
            self._say(f"{item.name} started (pid {item.pid})")
        elif item.detail == "backoff":
            self._say(f"{item.name} {item.why.text}")
            if item.restarts == 1:
                await self._hint(item)
        elif item.detail in ("exited", "failed", "denied", "detached"):
            await self._ended(item)

    async def _ended(self, item: Item) -> None:
        self._say(f"{item.name} {item.why.text}" if item.why.code != "exited" else f"{item.name} {_past(item)}")
        self.ended[item.name] = item
        failed = item.detail != "exited" or (item.exit is not None and item.exit.failed)
        if failed and not self.over.is_set():
            await self._hint(item)
        if self.exit_code_from is not None and _base(item.name, self.exit_code_from):
            self.code = _process_code(item)
            self.over.set()
        everything = len(self.ended) == sum(spec.instances for spec in self.declared.processes)
        needed = any(_any_base(item.name, spec.depends_on) for spec in self.declared.processes)
        one_shot = needed and not failed
        first = self.code is None and self.exit_code_from is None and not self.over.is_set()
        if first and not one_shot and (failed or not self.keep_going):
            self.code = _process_code(item)
        if everything or not (one_shot or self.keep_going):
            self.over.set()

    async def _hint(self, item: Item) -> None:
        spec = next(s for s in self.declared.processes if item.name in (s.name, *_slots(s.name, s.instances)))
        hint = await after_failure(spec, item)
        if hint:
            self._say(hint)

    def _code(self) -> int:
        if self.interrupted and self.code is None:
            return 128 + self.interrupted
        return self.code or exits.OK

    def _say(self, text: str) -> None:
        if self.settings.quiet:
            return
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} procctl: {text}\n")
        sys.stderr.flush()


def _process_code(item: Item) -> int:
    if item.why.code == "spawn-failed":
        return 127
    if item.exit is None:
        return exits.DENIED if item.detail == "denied" else exits.FAILED
    code = exits.of_process(item.exit.code, item.exit.signal)
    return code or (exits.FAILED if item.detail == "failed" else exits.OK)


def _past(item: Item) -> str:
    assert item.exit is not None
    return ("was " if item.exit.signal else "") + item.exit.describe()


def _slots(name: str, instances: int) -> list[str]:
    return [f"{name}.{i}" for i in range(1, instances + 1)]


def _base(slot: str, name: str) -> bool:
    return slot == name or slot.rpartition(".")[0] == name


def _any_base(slot: str, names: Iterable[str]) -> bool:
    return any(_base(slot, name) for name in names)
