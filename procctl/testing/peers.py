"""The kit's side of a peer: a process that takes orders, or, where both ends have to be in one program, a task."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Protocol

import anyio
from anyio.abc import Process

from .. import errors
from ..abc import Transport
from ..aio.poller import on_asyncio
from ..errors import ProcctlError
from .actor import Actor
from .grouping import quietly, tasks

__all__ = ["Far", "PeerFailed", "process_peer", "task_peer"]


_ENDED = "the peer's process has ended"


class PeerFailed(Exception):
    """The peer could not do as told, by an exception that is not procctl's."""


class Far(Protocol):
    """A peer that does as told."""

    async def do(self, order: str, **arguments: Any) -> Any:
        """Have an order carried out; see `Actor`. Raises what it raised there."""
        ...


class _TaskPeer:
    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    async def do(self, order: str, **arguments: Any) -> Any:
        return await self._actor.do(order, arguments)


@asynccontextmanager
async def task_peer(transport: Transport, seconds: float) -> AsyncGenerator[Far]:
    """A peer in a task."""
    async with tasks() as group:
        actor = Actor(transport, group, seconds)
        try:
            yield _TaskPeer(actor)
        except BaseException:
            await quietly(actor.leave, seconds)
            raise
        await actor.leave()


class ProcessPeer:
    """A peer in a process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._numbers = count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._ended = False
        self._speaking = anyio.Lock()
        self._waiting: dict[int, anyio.Event] = {0: anyio.Event()}

    async def do(self, order: str, **arguments: Any) -> Any:
        number = next(self._numbers)
        if self._ended:
            raise PeerFailed(_ENDED)
        self._waiting[number] = anyio.Event()
        document = {"id": number, "do": order, "arguments": arguments}
        assert self._process.stdin is not None
        async with self._speaking:
            await self._process.stdin.send(json.dumps(document).encode() + b"\n")
        return await self.answer(number)

    async def answer(self, number: int) -> Any:
        """Wait for one; number 0 is the peer's own, when it is there."""
        await self._waiting[number].wait()
        del self._waiting[number]
        answer = self._answers.pop(number, {"error": "PeerFailed", "text": _ENDED})
        if "error" in answer:
            raise _raised(answer["error"], answer["text"])
        return answer["value"]

    async def listen(self) -> None:
        """Take answers until the process ends."""
        buffer = b""
        assert self._process.stdout is not None
        try:
            while True:
                *lines, buffer = (buffer + await self._process.stdout.receive()).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self._ended = True
            for event in self._waiting.values():
                event.set()

    def _take(self, answer: dict[str, Any]) -> None:
        self._answers[answer["id"]] = answer
        if answer["id"] in self._waiting:
            self._waiting[answer["id"]].set()

    async def kill(self) -> None:
        """End it at once, as SIGKILL does."""
        self._process.kill()
        await self._process.wait()

    def stop(self) -> None:
        """Let it hang."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def process_peer(where: str, seconds: float, starting: float = 30.0) -> AsyncGenerator[ProcessPeer]:
    """A peer in a process of its own; it is killed when the block is left.

    Args:
        where: See `procctl.testing.actor.made`.
        seconds: For what must not take long over there.
        starting: Seconds for it to come up.
    """
    backend = "asyncio" if on_asyncio() else "trio"
    command = [sys.executable, "-m", "procctl.testing.peer", backend, where, str(seconds)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = await anyio.open_process(command, stderr=None, env=env)
    try:
        peer = ProcessPeer(process)
        async with tasks() as group:
            group.start_soon(peer.listen)
            with anyio.fail_after(starting):
                await peer.answer(0)
            yield peer
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


def _raised(kind: str, text: str) -> Exception:
    """An exception of the peer's as one of ours."""
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, ProcctlError) and kind in ("PeerGone", "Closed", "BadMessage"):
        return found(text)
    return PeerFailed(f"{kind}: {text}" if kind != "PeerFailed" else text)
