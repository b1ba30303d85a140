"""stdio: this process's stdin and stdout, and an agent, joined."""

from __future__ import annotations

import os
import subprocess

import anyio
import click

from ...abc import Connection
from ...errors import PeerGone, ProcctlError
from ...service.urls import options_of, transport_for
from ...transports.ssh import MARK
from ...transports.stdio import StdioTransport
from ...version import __version__
from .. import exits
from ..places import log_file, runtime_folder, socket_url
from ..run_async import run
from ..settings import common, settings
from .background import STARTING, spawn_agent, words_of

__all__ = ["stdio"]

_LAST = 2**53 - 1
"""The number of a request of the relay's own, the last of all."""
_ANSWERS = 5.0
"""Seconds for what was asked before stdin ended."""


@click.command()
@click.option("--mark", is_flag=True, help="Begin with a line that says so: what came before it is not ours.")
@common
def stdio(mark: bool) -> None:
    """Relay stdin and stdout to this user's agent, and start one where there is none. Ends with its stdin."""
    found = settings()
    url = found.url or os.environ.get("PROCCTL_URL") or ""

    async def work() -> int:
        here = await StdioTransport().connect("stdio:", "", {})
        try:
            there = await (_connected(url) if url else _connected_or_started())
            try:
                if mark:
                    await here.send(MARK + f" {__version__}".encode())
                await _joined(here, there, ask=not mark)
            finally:
                await there.aclose()
        finally:
            await here.aclose()
        return exits.OK

    run(work)


async def _connected(url: str) -> Connection:
    return await transport_for(url).connect(url, "stdio", options_of(url))


async def _connected_or_started() -> Connection:
    """The local agent; the first to find none starts it, and others find that."""
    url = socket_url()
    try:
        return await _connected(url)
    except PeerGone:
        pass
    runtime_folder(make=True)
    log = log_file()
    begun = log.stat().st_size if log.exists() else 0
    process = spawn_agent([], log)
    with anyio.move_on_after(STARTING):
        while True:
            ended = process.poll() is not None
            try:
                connection = await _connected(url)
            except PeerGone:
                if ended:
                    break
            else:
                _leave(process)
                return connection
            await anyio.sleep(0.02)
    raise ProcctlError(f"the agent did not come up: {words_of(log, begun)}", f"its log is {log}")


def _leave(process: subprocess.Popen[bytes]) -> None:
    process.returncode = process.returncode or 0  # it goes on without us


async def _joined(here: Connection, there: Connection, *, ask: bool) -> None:
    """Pass frames on until stdin ends, or the agent does.

    Args:
        here: Stdin and stdout.
        there: The agent.
        ask: Whether what was asked before stdin ended, and needs no waiting for, is still answered.

    Raises:
        PeerGone: The agent has ended.
    """
    gone: list[PeerGone] = []
    async with anyio.create_task_group() as group:

        async def back() -> None:
            try:
                await _pass_back(there, here)
            except PeerGone as error:
                gone.append(error)
            group.cancel_scope.cancel()

        group.start_soon(back)
        try:
            await _pass(here, there)
        except PeerGone:
            await _last_answers(there, _ANSWERS if ask else 0.0)
            group.cancel_scope.cancel()
    if gone:
        raise gone[0]


async def _last_answers(there: Connection, seconds: float) -> None:
    """A sign of life is answered in the order of asking, so its answer is behind all that could be answered at once."""
    with anyio.move_on_after(seconds):
        await there.send(b'{"id": %d, "command": "heartbeat"}' % _LAST)
        await anyio.sleep_forever()


async def _pass(source: Connection, sink: Connection) -> None:
    while True:
        await sink.send(await source.receive())


async def _pass_back(there: Connection, here: Connection) -> None:
    """Until the answer to the last sign of life."""
    while not (frame := await there.receive()).startswith(b'{"re":%d,' % _LAST):
        await here.send(frame)
