"""The supervisor as its program sees it: what it asks, and what can be said to it."""

from __future__ import annotations

import select
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from .wire import Wire, take

__all__ = ["BlockingParent", "BlockingRequest", "Parent", "Request", "attach", "attach_blocking"]

_ASKED = {"startRequest": "start", "stopRequest": "stop", "shutdown": "shutdown"}
_MOMENT = 0.01
_DONE = {"start": "workerStarted", "stop": "workerStopped"}


class _Asked:
    """Attributes: action: ``start``, ``stop``, ``shutdown``, or somebody's own word. data: What came with it."""

    def __init__(self, wire: Wire, action: str, data: Any, number: int | None) -> None:
        self.action = action
        self.data = data
        self._wire = wire
        self._number = number

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.action}>"

    def _done(self, data: Any) -> bool:
        if self._number is not None:
            return self._wire.say({"procctl": "answer", "id": self._number, "data": data})
        return self.action not in _DONE or self._wire.say(_DONE[self.action])

    def _refuse(self, why: str) -> bool:
        if self._number is not None:
            return self._wire.say({"procctl": "answer", "id": self._number, "refused": why})
        return self.action not in _DONE or self._wire.say({"procctl": "refused", "action": self.action, "why": why})


class _Parent:
    """Attributes: attached: Whether there is a channel to a supervisor."""

    def __init__(self, fd: int | None) -> None:
        self._wire = Wire(fd)
        self._reading = False
        self.attached = fd is not None

    def status(self, text: str) -> None:
        """Say in a few words what the program is about. Never waits; only the newest is kept for a slow supervisor."""
        self._wire.tell("status", {"procctl": "status", "text": text})

    def metrics(self, values: Mapping[str, float]) -> None:
        """Numbers by name, all of them each time. Never waits. Raises ValueError for NaN and infinities."""
        self._wire.tell("metrics", {"procctl": "metrics", "values": dict(values)})

    def alive(self) -> None:
        """Say that the program does what it should, for a watchdog. Never waits."""
        self._wire.tell("alive", {"procctl": "alive"})

    def _next(self) -> tuple[str, Any, int | None] | None:
        while (message := self._wire.heard()) is not None:
            if isinstance(message, str) and message in _ASKED:
                return _ASKED[message], None, None
            if isinstance(message, dict) and message.get("procctl") == "request":
                return str(message.get("action")), message.get("data"), message.get("id")
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._reading:
            raise RuntimeError("the requests of a parent are read by one reader at a time")
        self._reading = True
        try:
            yield
        finally:
            self._reading = False


# asyncio and trio -------------------------------------------------------------------------------------------------


class Request(_Asked):
    """Something that the supervisor asks for. It waits for the answer."""

    async def done(self, data: Any = None) -> None:
        """It is done; `data`, any JSON value, is the answer to somebody's own request."""
        if not self._done(data):
            await _flushed(self._wire)

    async def refuse(self, why: str) -> None:
        """It will not be done."""
        if not self._refuse(why):
            await _flushed(self._wire)


class Parent(_Parent):
    """The supervisor, for a program on asyncio or trio. Made by `attach`."""

    async def ready(self) -> None:
        """Say that the program is ready. Cancellation: it is said nevertheless."""
        if not self._wire.say({"procctl": "ready"}):
            await _flushed(self._wire)

    def requests(self) -> AsyncIterator[Request]:
        """What is asked, one after the other; ends when the supervisor is gone, at once where there is none.

        Cancellation: nothing is lost, what comes is for the next reader.
        """
        return _Requests(self)

    async def request(self) -> Request | None:
        """The next request; None: the supervisor is gone, or there is none. Cancellation: as in `requests`."""
        with self._alone():
            while (found := self._next()) is None:
                if self._wire.fd < 0:
                    return None
                await _wait(self._wire.fd)
            return Request(self._wire, *found)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wire.flush()
        self._wire.close()


class _Requests:
    """No generator: one that is left in the middle would have to be closed."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Request:
        request = await self._parent.request()
        if request is None:
            raise StopAsyncIteration
        return request


def attach() -> Parent:
    """The supervisor, as an ``async with`` block. Twice in one program, the second one has nobody to talk to."""
    return Parent(take())


async def _flushed(wire: Wire) -> None:
    while wire.fd >= 0 and not wire.flush():
        await _pause()


async def _pause() -> None:
    """A moment, after which there may be room. Several tasks may be in it, and a loop tells of room only one."""
    trio = sys.modules.get("trio")
    if trio is not None and _in_trio(trio):
        await trio.sleep(_MOMENT)
        return
    import asyncio

    await asyncio.sleep(_MOMENT)


async def _wait(fd: int) -> None:
    """Wait until it can be read from, on whichever loop this is."""
    trio = sys.modules.get("trio")
    if trio is not None and _in_trio(trio):
        await trio.lowlevel.wait_readable(fd)
        return
    import asyncio  # loaded already, by whoever runs this

    loop = asyncio.get_running_loop()
    came = loop.create_future()

    def call() -> None:
        if not came.done():
            came.set_result(None)

    loop.add_reader(fd, call)
    try:
        await came
    finally:
        loop.remove_reader(fd)


def _in_trio(trio: Any) -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


# threads ----------------------------------------------------------------------------------------------------------


class BlockingRequest(_Asked):
    """Something that the supervisor asks for. It waits for the answer."""

    def done(self, data: Any = None) -> None:
        """It is done; `data`, any JSON value, is the answer to somebody's own request."""
        if not self._done(data):
            _flush(self._wire)

    def refuse(self, why: str) -> None:
        """It will not be done."""
        if not self._refuse(why):
            _flush(self._wire)


class BlockingParent(_Parent):
    """The supervisor, for a program without a loop. Made by `attach_blocking`."""

    def ready(self) -> None:
        """Say that the program is ready."""
        if not self._wire.say({"procctl": "ready"}):
            _flush(self._wire)

    def requests(self) -> Iterator[BlockingRequest]:
        """What is asked, one after the other; ends when the supervisor is gone, at once where there is none."""
        while (request := self.request()) is not None:
            yield request

    def request(self) -> BlockingRequest | None:
        """The next request; None: the supervisor is gone, or there is none."""
        with self._alone():
            while (found := self._next()) is None:
                if self._wire.fd < 0:
                    return None
                _poll(self._wire.fd, select.POLLIN)
            return BlockingRequest(self._wire, *found)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wire.flush()
        self._wire.close()


def attach_blocking() -> BlockingParent:
    """The supervisor, as a ``with`` block, for plain threads."""
    return BlockingParent(take())


def _flush(wire: Wire) -> None:
    while wire.fd >= 0 and not wire.flush():
        _poll(wire.fd, select.POLLOUT)


def _poll(fd: int, events: int) -> None:
    poll = select.poll()
    poll.register(fd, events)
    poll.poll()
