"""Many descriptors, one wait: plain functions are called when something can be read, or written.

On Linux all descriptors are in one epoll set, and the loop watches that set's own descriptor: by a persistent reader
on asyncio (`anyio.wait_readable` would register it anew for each event), by a task on trio. Elsewhere, and where a
test asks for it, there is a task for each descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Callable
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from .wake import Wake

__all__ = ["EpollPoller", "Poller", "TaskPoller", "on_asyncio"]

OnEvent = Callable[[bool], None]
"""Called when there is something to read; the argument says whether the other end is closed as well."""

_AT_ONCE = 256
"""Descriptors that are served before others get a turn."""


def on_asyncio() -> bool:
    """Whether the caller is a task of asyncio (not of trio, nor of trio as a guest of asyncio)."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _say_asyncio() -> None:
    """Callbacks of the loop have no task by which anyio could tell whose loop it is, unless it has started the loop
    itself. They inherit the context in which they are registered: this task's own, where sniffio is told."""
    try:
        from sniffio import current_async_library_cvar
    except ImportError:
        return  # then anyio looks for a running loop of asyncio
    current_async_library_cvar.set("asyncio")


class Poller(Protocol):
    """Calls functions when descriptors can be read, for as long as `run` runs. They must not block or await."""

    def add(self, fd: int, call: OnEvent, *, writing: bool = False) -> None:
        """Begin to watch; the call is repeated for as long as there is something. With `writing`, for as long as it can
        be written to. A descriptor is watched for one of both."""
        ...

    def remove(self, fd: int) -> None:
        """Cease to; before the descriptor is closed. One that is not watched is ignored."""
        ...

    async def run(self) -> None:
        """Never returns; cancelled to end it. Raises what a call has raised."""
        ...


class EpollPoller(Poller):
    """One epoll set for all (epoll(7))."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, OnEvent] = {}
        self._failed: BaseException | None = None
        self._wake = Wake()

    def add(self, fd: int, call: OnEvent, *, writing: bool = False) -> None:
        self._calls[fd] = call
        self._epoll.register(fd, select.EPOLLOUT if writing else select.EPOLLIN)

    def remove(self, fd: int) -> None:
        if self._calls.pop(fd, None) is not None:
            with contextlib.suppress(FileNotFoundError, ValueError):  # closed, or the whole set is
                self._epoll.unregister(fd)

    async def run(self) -> None:
        try:
            if on_asyncio():
                await self._run_asyncio()
            else:
                while True:
                    await anyio.wait_readable(self._epoll.fileno())
                    self._dispatch()
        finally:
            self._epoll.close()

    async def _run_asyncio(self) -> None:
        _say_asyncio()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._epoll.fileno(), self._guarded)
        try:
            await self._wake.wait()
        finally:
            loop.remove_reader(self._epoll.fileno())
        if self._failed is not None:
            raise self._failed

    def _guarded(self) -> None:
        """A callback of the loop cannot raise to anybody: `run` does it."""
        try:
            self._dispatch()
        except BaseException as error:
            self._failed = error
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._wake.set()

    def _dispatch(self) -> None:
        for fd, events in self._epoll.poll(0, _AT_ONCE):
            call = self._calls.get(fd)  # an earlier call of this round may have removed it
            if call is not None:
                call(bool(events & (select.EPOLLHUP | select.EPOLLERR)))


class TaskPoller(Poller):
    """A task for each descriptor: portable, and slower."""

    def __init__(self) -> None:
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._new: list[tuple[int, OnEvent, bool]] = []
        self._wake = Wake()

    def add(self, fd: int, call: OnEvent, *, writing: bool = False) -> None:
        self._new.append((fd, call, writing))
        self._wake.set()

    def remove(self, fd: int) -> None:
        self._new = [entry for entry in self._new if entry[0] != fd]
        scope = self._scopes.pop(fd, None)
        if scope is not None:
            scope.cancel()
            anyio.notify_closing(fd)

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            while True:
                await self._wake.wait()
                self._begin(group)

    def _begin(self, group: TaskGroup) -> None:
        new, self._new = self._new, []
        for fd, call, writing in new:
            scope = self._scopes[fd] = anyio.CancelScope()
            group.start_soon(self._watch, fd, call, scope, writing)

    async def _watch(self, fd: int, call: OnEvent, scope: anyio.CancelScope, writing: bool) -> None:
        wait = anyio.wait_writable if writing else anyio.wait_readable
        with scope:
            while self._scopes.get(fd) is scope:
                with contextlib.suppress(anyio.ClosedResourceError):
                    await wait(fd)
                if self._scopes.get(fd) is scope:
                    call(False)
