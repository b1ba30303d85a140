"""A program as its own process: it asks to run, is asked to pause and to go on, and is told when that is over."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from ..core.shape import misfit
from ..core.specs import HooksSpec, LogSpec, ProcessSpec, StopSpec
from ..errors import BadConfig
from .permission import Permission, PermittedRequest

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from .blocking import BlockingPermit
    from .engine import Engine

__all__ = ["Permit", "PermittedRequest", "itself"]


def itself(name: str, grace: float, timeout: float, **declared: Any) -> ProcessSpec:
    """The spec of this program as a process of its own; see `Agent.permit`. Raises BadConfig for another type."""
    spec = ProcessSpec(
        name=name,
        command=(sys.argv[0] or sys.executable,),
        stop=StopSpec(steps=(("SIGTERM", grace),)),
        hooks=HooksSpec(timeout=timeout),
        logs=LogSpec(ring=4096),
        **declared,
    )
    wrong = misfit(spec, ProcessSpec)
    if wrong:
        raise BadConfig(f"a permit cannot be made of this: {wrong}")
    return spec


class Permit:
    """A program's permission for itself, for as long as its ``async with`` lasts. Made by `Agent.permit`.

    Meanwhile the program is a process of its agent, with its own pid: it is listed, has a state with a reason, and can
    be stopped and started from elsewhere.

    **Entering** asks the gate and waits for the answer: for a person, with `standby` for the holder's end, and for a
    controller that cannot be reached, too. Deadlines are the caller's (``anyio.fail_after``). Cancellation: it is not
    asked any more.

    **Stop and start.** A program that reads `requests` is asked to pause its work, and to go on; it keeps its
    permission in between. Call `requests` first of all in the block: as long as nobody has, a stop is the end.

    **The end.** When the program has to stop for good (somebody has stopped it and it reads no requests, or has forced
    another into its place, or the lease runs out because the controller is not heard), the body of the block is
    cancelled, `grace` seconds before the deadline if there is so much time, and `PermitLost` is raised behind it. It
    must have left by the deadline. Awaiting in ``finally`` needs a shield, as in any scope that is cancelled::

        with anyio.move_on_after(permit.left, shield=True):
            await connection.aclose()

    Nothing ends the program by force: neither the agent nor its keeper. **It is its own guard**: in a block that is not
    left in time, or in code that blocks the loop so that its agent can neither renew nor tell, it runs on while
    another may have begun. `left` and `check` say how things stand, from any thread, and `fence` lets what it writes
    to be the judge.

    Raises (when left):
        PermitLost: The body was cancelled because the permission is over, or was left when its lease had run out.
            What the body raises itself leaves as itself.
    """

    def __init__(self, engine: Callable[[], Engine], spec: ProcessSpec) -> None:
        self._permission = Permission(engine, spec)
        self._scope: anyio.CancelScope

    async def __aenter__(self) -> Self:
        await self._permission.enter()
        self._scope = anyio.CancelScope()
        self._scope.__enter__()
        self._permission.on_lost = self._scope.cancel
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        late = self._permission.overran
        swallowed, code = False, int(error is not None and not isinstance(error, anyio.get_cancelled_exc_class()))
        try:
            swallowed = bool(self._scope.__exit__(kind, error, trace))
        finally:
            self._permission.leave(0 if swallowed else code)
        if self._scope.cancelled_caught or (late and error is None):
            raise self._permission.loss()
        return swallowed

    def blocking(self, portal: BlockingPortal) -> BlockingPermit:
        """The same for threads, instead of this one: see `procctl.sync`."""
        from .blocking import BlockingPermit

        return BlockingPermit(portal, self._permission)

    def requests(self) -> _Requests:
        """What is asked, one after the other; ends when the permission is over.

        Cancellation: nothing is lost, what comes is for the next reader.
        """
        self._permission.read()
        return _Requests(self._permission)

    def status(self, text: str) -> None:
        """Say in a few words what the program is about; it is shown with its state."""
        self._permission.say({"procctl": "status", "text": text})

    def metrics(self, values: dict[str, float]) -> None:
        """Numbers by name, all of them each time. Raises ValueError for NaN and infinities."""
        self._permission.say({"procctl": "metrics", "values": values})

    @property
    def fence(self) -> int:
        """The number of its lease; of two in one slot the later has the larger. From any thread."""
        return self._permission.token

    @property
    def epoch(self) -> int:
        """The life of the gate that gave it; it grows, too. From any thread."""
        return self._permission.epoch

    @property
    def left(self) -> float:
        """Seconds in which the block has to be left, if nothing is heard meanwhile; infinite where it runs on no lease
        that runs out. From any thread."""
        return self._permission.left

    @property
    def lost(self) -> str:
        """Why the permission is over, or empty, where it is not. From any thread."""
        return self._permission.why

    def check(self) -> None:
        """Raise `PermitLost` if the permission is over, or its time is. From any thread."""
        self._permission.check()


class _Requests:
    """No generator: one that is left in the middle would have to be closed."""

    def __init__(self, permission: Permission) -> None:
        self._permission = permission

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PermittedRequest:
        request = await self._permission.request()
        if request is None:
            raise StopAsyncIteration
        return request
