"""Time that passes only when everybody waits for it: a loop of asyncio's, and a clock of trio's."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Literal, TypeVar, TypeVarTuple

import anyio

__all__ = ["Backend", "VirtualLoop", "before_steps", "run_virtual", "virtual_backend"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Backend = Literal["asyncio", "trio"]


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still while there is something to do, and then jumps to the next timer.

    What comes from outside, from a socket or a thread, is not waited for as long as there is a timer: time has jumped
    by then.

    Args:
        cushion: So many seconds of real time everybody has to have waited before time jumps.
    """

    def __init__(self, cushion: float = 0.0) -> None:
        self._now = 0.0
        self.before_each: Callable[[], None] | None = None
        """Called before each step of a task, or None."""
        super().__init__(_Jumping(self._jump, cushion))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self.before_each is None:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(self._counted, callback, args, context=context)

    def _counted(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        if self.before_each is not None:
            self.before_each()
        callback(*args)


class _Jumping(selectors.BaseSelector):
    """Waits no longer than it has to, and says by how much time has to jump instead."""

    def __init__(self, jump: Callable[[float], None], cushion: float) -> None:
        self._jump = jump
        self._cushion = cushion
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return self._real.select(None)
        found = self._real.select(min(timeout, self._cushion) if timeout > 0 else 0)
        if not found and timeout > 0:
            self._jump(timeout)
        return found

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


def virtual_backend(backend: Backend = "asyncio", cushion: float = 0.0) -> tuple[str, dict[str, Any]]:
    """What anyio calls a backend and its options, for one run: ``anyio.run(main, backend=…, backend_options=…)``, or
    what a fixture ``anyio_backend`` gives. Time passes as in `VirtualLoop`; on trio by its ``MockClock``.

    Args:
        backend: ``asyncio`` or ``trio``.
        cushion: See `VirtualLoop`.
    """
    if backend == "trio":
        from trio.testing import MockClock

        return "trio", {"clock": MockClock(autojump_threshold=cushion)}
    return "asyncio", {"loop_factory": lambda: VirtualLoop(cushion)}


def run_virtual(
    main: Callable[..., Awaitable[T]], *args: object, backend: Backend = "asyncio", seed: int = 0, cushion: float = 0.0
) -> T:
    """Run this to its end, in virtual time.

    Args:
        main: A coroutine function.
        args: For it.
        backend: ``asyncio`` or ``trio``.
        seed: Of the order in which trio lets its tasks go on, which is random otherwise.
        cushion: See `VirtualLoop`.

    Returns:
        What it returns.

    What it raises leaves as itself.
    """
    name, options = virtual_backend(backend, cushion)
    with _in_order(backend, seed):
        return anyio.run(main, *args, backend=name, backend_options=options)


@contextmanager
def before_steps(call: Callable[[], None]) -> Iterator[None]:
    """For as long as the block lasts: call this before each step of any task, so between any two awaits."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        with _before_steps_of_trio(call):
            yield
        return
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError("steps are counted in virtual time only: use run_virtual")
    loop.before_each = call
    try:
        yield
    finally:
        loop.before_each = None


@contextmanager
def _before_steps_of_trio(call: Callable[[], None]) -> Iterator[None]:
    import trio

    class Counting(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            call()

    counting = Counting()
    trio.lowlevel.add_instrument(counting)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(counting)


@contextmanager
def _in_order(backend: str, seed: int) -> Iterator[None]:
    """Trio lets tasks that can go on do so in a random order; with its own door for property tests, in a seed's."""
    if backend != "trio":
        yield
        return
    from trio._core import _run

    before, state = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    _run._r.seed(seed)
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]
        _run._r.setstate(state)
