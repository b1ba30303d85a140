"""Tasks behind a block, and time limits, such that what goes wrong leaves as one exception that says what is broken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import anyio
from anyio.abc import TaskGroup

from .promises import BrokenPromise, Promise

__all__ = ["promised", "quietly", "tasks", "together"]


@asynccontextmanager
async def tasks() -> AsyncGenerator[TaskGroup]:
    """A task group that ends with its body, and raises one exception instead of a group."""
    try:
        async with anyio.create_task_group() as group:
            yield group
            group.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def together(*calls: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    """Do all at once: their results. The first exception ends the others."""
    results: list[Any] = [None] * len(calls)

    async def one(i: int) -> None:
        results[i] = await calls[i]()

    try:
        async with anyio.create_task_group() as group:
            for i in range(len(calls)):
                group.start_soon(one, i)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    return results


@contextmanager
def promised(promise: Promise, what: str, seconds: float) -> Generator[None]:
    """What happens in here is what a promise says: too long, or an exception, and it is broken."""
    try:
        with anyio.fail_after(seconds):
            yield
    except BrokenPromise:
        raise
    except TimeoutError:
        raise BrokenPromise(promise, f"{what}: not within {seconds:g} s") from None
    except Exception as error:
        raise BrokenPromise(promise, f"{what}: {type(error).__name__}: {error}") from error


async def quietly(call: Callable[[], Awaitable[Any]], seconds: float) -> None:
    """Tidy up behind a broken promise, as far as what broke it lets that be done: the promise is what is told."""
    with anyio.move_on_after(seconds, shield=True), suppress(Exception):
        await call()


def _first(error: BaseException) -> BaseException:
    """A broken promise if there is one in the group, else what came first."""
    leaves = list(_leaves(error))
    return next((leaf for leaf in leaves if isinstance(leaf, BrokenPromise)), leaves[0])


def _leaves(error: BaseException) -> Generator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
