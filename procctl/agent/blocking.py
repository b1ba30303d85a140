"""A program as its own process, for threads: nothing can cancel them, so they ask whether the permission is over."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal

from .permission import Permission, PermittedRequest

__all__ = ["BlockingPermit", "BlockingPermittedRequest"]


class BlockingPermittedRequest:
    """Something that this program is asked for; see `procctl.agent.permission.PermittedRequest`.

    Attributes: action, data.
    """

    def __init__(self, portal: BlockingPortal, inner: PermittedRequest) -> None:
        self.action = inner.action
        self.data = inner.data
        self._portal = portal
        self._inner = inner

    def done(self, data: Any = None) -> None:
        """It is done; `data`, any JSON value, is the answer to somebody's own request."""
        self._portal.call(self._inner.done, data)

    def refuse(self, why: str) -> None:
        """It will not be done."""
        self._portal.call(self._inner.refuse, why)


class BlockingPermit:
    """A program's permission for itself, for as long as its ``with`` lasts. See `procctl.Permit`.

    Entering blocks until there is an answer. A thread cannot be cancelled, so what works in the block looks at `lost`,
    `left` or `check` again and again, and leaves in time; `requests`, read in another thread, ends when it is over.
    As long as nobody reads those, a stop is the end.

    Raises (when left):
        PermitLost: The block was left when its lease had run out: another may have begun before.
    """

    def __init__(self, portal: BlockingPortal, permission: Permission) -> None:
        self._portal = portal
        self._permission = permission

    def __enter__(self) -> Self:
        entering = self._portal.start_task_soon(self._permission.enter)
        try:
            entering.result()
        except BaseException:
            if not entering.done():  # interrupted by a signal
                entering.cancel()
            elif not entering.cancelled() and entering.exception() is None:
                self._portal.call(self._permission.leave)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        late = self._portal.call(self._leave, int(error is not None))
        if late and error is None:
            raise self._permission.loss()

    def _leave(self, code: int) -> bool:
        late = self._permission.overran
        self._permission.leave(code)
        return late

    def requests(self) -> Iterator[BlockingPermittedRequest]:
        """What is asked, one after the other; ends when the permission is over, or the block was left. For one thread
        at a time."""
        self._portal.call(self._permission.read)
        while (request := self._portal.call(self._permission.request)) is not None:
            yield BlockingPermittedRequest(self._portal, request)

    def status(self, text: str) -> None:
        """Say in a few words what the program is about; it is shown with its state."""
        self._portal.call(self._permission.say, {"procctl": "status", "text": text})

    def metrics(self, values: dict[str, float]) -> None:
        """Numbers by name, all of them each time. Raises ValueError for NaN and infinities."""
        self._portal.call(self._permission.say, {"procctl": "metrics", "values": values})

    @property
    def fence(self) -> int:
        """The number of its lease: of two in one slot, the later has the larger."""
        return self._permission.token

    @property
    def epoch(self) -> int:
        """The life of the gate that gave it; it grows, too."""
        return self._permission.epoch

    @property
    def left(self) -> float:
        """Seconds in which the block has to be left, if nothing is heard meanwhile; infinite where it runs on no lease
        that runs out."""
        return self._permission.left

    @property
    def lost(self) -> str:
        """Why the permission is over; empty: it is not."""
        return self._permission.why

    def check(self) -> None:
        """Raise `PermitLost` if the permission is over, or its time is."""
        self._permission.check()
