"""A ZeroMQ socket for the tasks of one loop, on asyncio and trio alike: `zmq.FD` and ``anyio.wait_readable``.

The descriptor of a ZeroMQ socket says only that something may have changed, and says it once (zmq_getsockopt(3),
ZMQ_FD). Hence:

- whoever wants something first takes in what is there without waiting, looks at ZMQ_EVENTS, and only then parks;
- one task parks for all (the leader); one that leaves, cancelled included, wakes another one that waits;
- every other operation may have eaten the edge, so it looks at ZMQ_EVENTS afterwards and takes in what has come;
- between a message's arrival and its delivery nothing is awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import zmq

from ...aio.poller import on_asyncio
from ...aio.wake import Wake
from .sockets import Socket, pollin

__all__ = ["TURN", "Message", "Waiter"]

TURN = 64
"""Operations before other tasks get a turn."""

Message = list[zmq.Frame]


class Waiter:
    """Takes in what comes, for as long as anybody waits for anything.

    Args:
        socket: Used by nobody else for receiving; closed by whoever made it, after `close`.
        take: Called with each message.
        look: Called when something has changed that is no message: a peer has come or gone. And every `period`
            seconds, if that is given: a change can go by unnoticed behind messages.
        period: Seconds, or infinity.

    Attributes:
        closed: Nothing is to be expected any more.
        keen: Who leads rather than others: one that waits for long.
    """

    def __init__(
        self,
        socket: Socket,
        take: Callable[[Message], None],
        look: Callable[[], None],
        period: float = float("inf"),
    ) -> None:
        self.closed = False
        self.keen: Wake | None = None
        self._socket = socket
        self._fd = int(socket.getsockopt(zmq.FD))
        self._take = take
        self._look = look
        self._period = period
        self._next_look = 0.0
        self._waiting: dict[Wake, None] = {}
        self._leader: anyio.CancelScope | None = None
        self._pumping = False
        self._operations = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._registered = False
        self._parked: asyncio.Future[None] | None = None
        self._taken = 0
        """Messages that a callback has taken in for the leader."""

    def send(self, parts: list[bytes]) -> None:
        """Send a message now.

        Raises:
            zmq.ZMQError: It cannot be sent now (``EAGAIN``), or there is nobody to send it to (``EHOSTUNREACH``).
        """
        self._operations += 1
        self._socket.send_multipart(parts, zmq.NOBLOCK)
        if not self._pumping and pollin(self._socket):
            self.catch_up()

    @property
    def busy(self) -> bool:
        """Whether there have been so many operations that other tasks are to get a turn first."""
        return self._operations >= TURN

    def pump(self) -> tuple[int, bool]:
        """Take in messages that are there: how many, and whether there are more."""
        if self._pumping:
            return 0, False
        self._pumping = True
        try:
            for taken in range(TURN):
                if not pollin(self._socket):  # an exception costs more than this question
                    return taken, False
                message = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
                self._operations += 1
                self._take(message)
            return TURN, True
        finally:
            self._pumping = False

    def catch_up(self) -> None:
        """Take in messages that are there, in the middle of something else."""
        self.pump()
        self.stir()

    async def turn(self) -> None:
        """Before an operation: other tasks get a turn when there have been many, and cancellation is seen."""
        if not self.busy:
            await anyio.lowlevel.checkpoint_if_cancelled()
        else:
            self._operations = 0
            await anyio.lowlevel.checkpoint()

    async def until(self, ready: Callable[[], bool], wake: Wake) -> None:
        """Wait until something is so, or this is closed; whoever makes it so sets `wake`.

        Cancellation: loses nothing.
        """
        try:
            while not (ready() or self.closed):
                if self._leader is None:
                    await self._lead(ready)
                else:
                    await self._follow(wake)
        finally:
            if self._leader is None:
                self._elect()

    def stir(self) -> None:
        """Have the leader look whether what it waits for is so."""
        if self._leader is not None:
            self._leader.cancel()

    def close(self) -> None:
        """Whoever waits is woken. Before the socket is closed."""
        if not self.closed:
            self.closed = True
            if self._loop is None:
                anyio.notify_closing(self._fd)
            self._unregister()
            if self._parked is not None and not self._parked.done():
                self._parked.set_exception(anyio.ClosedResourceError())
            for wake in self._waiting:
                wake.set()

    def look_within(self, seconds: float) -> None:
        """Have `look` called no later than that."""
        self._next_look = min(self._next_look, anyio.current_time() + seconds)
        if self._leader is not None:
            self._leader.deadline = self._next_look

    async def _follow(self, wake: Wake) -> None:
        self._waiting[wake] = None
        try:
            await wake.wait()
        finally:
            self._waiting.pop(wake, None)

    def _elect(self) -> None:
        if self.keen is not None and self.keen in self._waiting:
            self.keen.set()
        else:
            for wake in self._waiting:
                return wake.set()
        return None

    async def _lead(self, ready: Callable[[], bool]) -> None:
        if self._next_look == 0.0:
            self._next_look = anyio.current_time() + self._period
        self._leader = anyio.CancelScope(deadline=self._next_look)
        try:
            with self._leader:
                await self._park(ready)
        except anyio.ClosedResourceError:
            return  # closed meanwhile
        finally:
            self._leader = None
        if not self.closed and anyio.current_time() >= self._next_look:
            self._next_look = anyio.current_time() + self._period
            self._look()

    async def _park(self, ready: Callable[[], bool]) -> None:
        """Take in what comes until something is so."""
        parked = False
        while not self.closed:
            taken, more = self.pump()
            taken, self._taken = taken + self._taken, 0
            if parked and not taken:
                self._look()
            if ready():
                return
            parked = not more
            if more:
                await anyio.lowlevel.checkpoint()
            else:
                self._operations = 0
                await self._signalled()

    async def _signalled(self) -> None:
        """Wait until something may have changed. On asyncio the descriptor is registered once and not for each wait,
        which would take as long as receiving a message."""
        if self._loop is None and not on_asyncio():
            return await anyio.wait_readable(self._fd)
        self._loop = self._loop or asyncio.get_running_loop()
        if not self._registered:
            self._loop.add_reader(self._fd, self._heard)
            self._registered = True
        self._parked = self._loop.create_future()
        try:
            return await self._parked
        finally:
            self._parked = None

    def _heard(self) -> None:
        """What has come is taken in here: by the time that the leader runs, the loop would have called again."""
        parked = self._parked
        if parked is None or parked.done():
            return self._unregister()  # nobody waits; the loop would say it again and again
        failed: Exception | None = None
        try:
            self._taken += self.pump()[0]
        except Exception as error:  # it is raised where somebody waits
            failed = error
        if parked.done():  # what was taken in has ended the wait
            if failed is not None:
                raise failed
            return None
        return parked.set_result(None) if failed is None else parked.set_exception(failed)

    def _unregister(self) -> None:
        if self._registered and self._loop is not None:
            self._registered = False
            self._loop.remove_reader(self._fd)
