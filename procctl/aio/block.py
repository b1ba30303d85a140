"""An ``async with`` with tasks behind it.

What the body raises leaves as itself, never in a group. The tasks behind it do not see the cancellation of the body:
they are still there for what has to be done when it is left, and end after that. A task that fails is a defect of
ours, which ends the block with one `InternalError`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup, TaskStatus

from ..errors import InternalError

__all__ = ["Block"]

logger = logging.getLogger("procctl")


class Block:
    """Enter it, start tasks in it, leave it.

    Args:
        what: For the message of an `InternalError`.
        leave: Awaited, shielded, when the block is left, before its tasks are cancelled.

    Attributes:
        failed: Whether one of its tasks has failed.
    """

    def __init__(self, what: str, leave: Callable[[], Awaitable[None]]) -> None:
        self.failed = False
        self._what = what
        self._leave = leave
        self._on_failure: list[Callable[[], object]] = []
        self._left = False
        self._scopes: set[anyio.CancelScope] = set()
        self._group: TaskGroup

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        return self

    def start_soon(self, task: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Start a task; it is cancelled when the block has been left."""
        self._group.start_soon(self._run, task, args)

    async def start(self, task: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        """Start a task and wait until it says that it has started (``task_status.started()``).

        What it raises before that is raised here.
        """
        beginning = _Beginning()
        self._group.start_soon(self._begin, task, args, beginning)
        await beginning.event.wait()
        if beginning.error is not None:
            raise beginning.error
        return beginning.value

    def fail(self, error: Exception) -> None:
        """A defect was met outside of the tasks: end the block as if one of them had raised it."""

        async def raise_it() -> None:
            raise error

        self.start_soon(raise_it)

    def on_failure(self, call: Callable[[], object]) -> None:
        """Call this when a task fails, even while the block is being left."""
        self._on_failure.append(call)

    async def _run(self, task: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        with anyio.CancelScope(shield=True) as scope:
            if self._left:
                return  # the block was left before this task had its first turn
            self._scopes.add(scope)
            try:
                await task(*args)
            except Exception:
                self._fail()
                raise
            finally:
                self._scopes.discard(scope)

    async def _begin(self, task: Callable[..., Awaitable[Any]], args: tuple[Any, ...], beginning: _Beginning) -> None:
        async def guarded() -> None:
            try:
                await task(*args, task_status=beginning)
            except Exception as error:
                if beginning.event.is_set():
                    raise
                beginning.error = error
                beginning.event.set()

        await self._run(guarded, ())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancelled = anyio.get_cancelled_exc_class()
        ours = self.failed and isinstance(error, cancelled)
        try:
            with anyio.CancelScope(shield=True):
                await self._leave()
        finally:
            self._left = True
            for scope in list(self._scopes):
                scope.cancel()
            self._group.cancel_scope.cancel()
            try:
                await self._group.__aexit__(*((kind, error, trace) if ours else (None, None, None)))
            except BaseExceptionGroup as group:
                first = _first(group)
                if not isinstance(first, Exception):
                    raise first from None
                if error is None or ours:
                    raise InternalError(f"a defect ended {self._what}: {first!r}") from first
                logger.error("a defect in %s, behind another exception", self._what, exc_info=first)
            except cancelled:
                if error is None or isinstance(error, cancelled):
                    raise

    def _fail(self) -> None:
        self.failed = True
        for call in self._on_failure:
            call()


class _Beginning(TaskStatus[Any]):
    """Until a task has started, what it raises is for whoever starts it. (A task group's own `start` would wait, when
    it is cancelled, for the task to end, which is shielded.)"""

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.error: Exception | None = None
        self.value: Any = None

    def started(self, value: Any = None) -> None:
        self.value = value
        self.event.set()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
