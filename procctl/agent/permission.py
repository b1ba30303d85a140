"""A program's permission for itself: asked for, answered, told of its end, given back. `permit` and `blocking` are what
programs hold.

Everything here is on the agent's loop. What may be used from other threads says so.
"""

from __future__ import annotations

import json
import logging
import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio

from ..abc import LOCAL, Call
from ..core.events import ChildAnswered, Event, QuestionAnswered, StopAsked
from ..core.messages import AnyReply, Batch, Delete, Failure, Stop
from ..core.words import understood
from ..errors import Closed, PermitLost, refusal

if TYPE_CHECKING:
    from ..core.specs import ProcessSpec
    from .bodies.itself import Itself
    from .engine import Engine
    from .service import AgentService

__all__ = ["Permission", "PermittedRequest"]

logger = logging.getLogger("procctl.agent")


class PermittedRequest:
    """Something that this program is asked for. Whoever asks waits for the answer.

    Attributes:
        action: ``stop``: pause your work; ``start``: go on with it; or somebody's own word (`Fleet.ask`).
        data: What came with it, any JSON value.
        number: Of somebody's own request, else 0.
    """

    def __init__(self, action: str, data: Any, number: int, feed: Callable[[Event], None]) -> None:
        self.action = action
        self.data = data
        self.number = number
        self._feed = feed

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.action}>"

    async def done(self, data: Any = None) -> None:
        """It is done; `data`, any JSON value, is the answer to somebody's own request. Does not wait."""
        self.answer(data=data)

    async def refuse(self, why: str) -> None:
        """It will not be done. A program that refuses to stop has to leave its block. Does not wait."""
        self.answer(why)

    def answer(self, refusal: str = "", data: Any = None) -> None:
        """`done`, or with a refusal `refuse`."""
        if self.number:
            self._feed(QuestionAnswered(self.number, json.dumps(data, allow_nan=False), refusal))
        elif self.action == "start":
            self._feed(ChildAnswered("start", refusal))
        else:
            self._feed(ChildAnswered("stop", refusal))


class Permission:
    """One permission. Entered and left once.

    Args:
        engine: Gives that of the agent.
        spec: The process that this program wants to be.

    Attributes:
        on_lost: Called when it is over, and the block has to be left.
        token, epoch: Number of its lease, and life of the gate that gave it. From any thread.
    """

    def __init__(self, engine: Callable[[], Engine], spec: ProcessSpec) -> None:
        self.on_lost: Callable[[], object] = lambda: None
        self._engine = engine
        self._spec = spec
        self._service: AgentService
        self._body: Itself
        self._used = self._entered = self._left = self._reading = self._overdue = False
        self._requests: deque[PermittedRequest] = deque()
        self._came: anyio.Event
        self._over = ("", "")
        self._until = math.inf
        self.token = self.epoch = 0

    # entering and leaving -----------------------------------------------------------------------------------------

    async def enter(self) -> None:
        """Ask, and wait for the answer. See `Agent.permit`. Cancellation: it is not asked any more."""
        if self._used:
            raise Closed(f"the permit for {self._spec.name} is entered once", "make another with agent.permit()")
        engine = self._engine()
        if engine.leaving:
            raise Closed("the agent has ended", "use it inside of its async with block")
        self._used = True
        self._came = anyio.Event()
        self._service = engine.inner
        self._body = self._service.itself(self)
        try:
            _raise_refusal(await self._service.own(self._spec, self._body).wait())
            if self.why:
                raise self.loss()
        except BaseException:
            self.leave(1)
            raise
        process = self._service.host.processes[self._body.uuid]
        self.token, self.epoch = process.token, process.epoch
        self._entered = True
        self._service.later(self._look)

    def leave(self, code: int = 0) -> None:
        """Nothing is done by this permission any more. `code`: how it went, as an exit code. Twice is fine."""
        if self._left:
            return
        self._left = True
        self._came.set()
        uuid = self._body.uuid
        if self._service.closed or uuid not in self._service.host.processes:
            return
        if self._body.pid:
            self._body.left(code)
        else:
            self._service.submit(Call(request=Stop(uuid=uuid, hard=True), caller=LOCAL))
        gone = self._service.submit(Call(request=Delete(uuid=uuid), caller=LOCAL)).reply
        if not isinstance(gone, Batch) or gone.misses:
            logger.error("%s has left its block and is still listed: %s", self._spec.name, gone)

    @property
    def overran(self) -> bool:
        """Whether its lease has run out and it was not left: another may have begun. From any thread."""
        return not self._left and self._service.left_of(self._body.uuid) <= 0

    def loss(self) -> PermitLost:
        """What is raised when the block was left because of its end, or too late."""
        code, why = self._over if self.why else ("lease-lost", "its lease has run out")
        return PermitLost(code, f"the permission of {self._spec.name} is over: {why}")

    # what the body says, on the loop --------------------------------------------------------------------------------

    def begin(self) -> bool:
        """See `Bearer`."""
        return not (self._entered or self._left)

    def asked(self, action: str, data: str, number: int) -> None:
        """See `Bearer`. The first request to start is answered by the entering itself."""
        request = PermittedRequest(action, json.loads(data), number, self._feed)
        if action == "start" and not number and not self._entered:
            request.answer()
            return
        self._requests.append(request)
        self._service.later(self._look)

    def told(self, code: str, why: str, until: float) -> None:
        """See `Bearer`."""
        self._until = min(self._until, until)
        if self.why:
            return
        self._over = (code, why)
        self._came.set()
        if self._entered:
            self.on_lost()

    def overdue(self) -> None:
        """See `Bearer`."""
        if not self._overdue:
            self._overdue = True
            text = "this program has not left its block in time, and nothing ends it"
            logger.error("%s: %s", self._spec.name, text)
            self._service.troubled(self._body.uuid, text)

    def _feed(self, event: Event) -> None:
        self._service.feed(self._body.uuid, event)

    def _look(self) -> None:
        """What was asked is for whoever reads it; where nobody does, a request to stop is one to leave the block."""
        if self._left or not self._entered or not self._requests:
            return
        if self._reading:
            self._came.set()
            return
        while self._requests:
            request = self._requests.popleft()
            if request.action == "stop" and not request.number:
                stopper = self._service.host.processes[self._body.uuid].stopper
                self._feed(StopAsked("", stopper, None, True))
            else:
                request.answer("" if request.action == "start" else "this program reads no requests")

    # for the program ------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """From now on somebody reads the requests."""
        self._reading = True

    async def request(self) -> PermittedRequest | None:
        """The next request; None: the permission is over. Cancellation: nothing is lost."""
        while not (self._left or self.why):
            if self._requests:
                return self._requests.popleft()
            if self._came.is_set():
                self._came = anyio.Event()
            await self._came.wait()
        return None

    def say(self, message: dict[str, Any]) -> None:
        """Something about itself, as on a channel. Raises ValueError for what cannot be shown."""
        heard = understood(message)
        if not isinstance(heard, Event):
            raise ValueError(getattr(heard, "why", "it cannot be shown"))
        self._feed(heard)

    @property
    def why(self) -> str:
        """Why it is over; empty: it is not. From any thread."""
        return self._over[1]

    @property
    def left(self) -> float:
        """Seconds in which the block has to be left, or its lease to be renewed. From any thread."""
        if not self._entered or self._left:
            return 0.0
        return max(0.0, self._service.left_of(self._body.uuid, self._until))

    def check(self) -> None:
        """Raise `PermitLost` if it is over. From any thread."""
        if not self._entered or self._left:
            raise Closed(f"the permit for {self._spec.name} is used outside of its block")
        if self.why or not self.left:
            raise self.loss()


def _raise_refusal(reply: AnyReply) -> None:
    """Unless the start has succeeded."""
    if isinstance(reply, Failure):
        raise refusal(reply.code, reply.message, reply.hint)
    assert isinstance(reply, Batch)
    for miss in reply.misses:
        raise refusal(miss.code, miss.message)
