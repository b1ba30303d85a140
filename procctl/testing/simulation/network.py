"""Wires between hosts and the controller: slow, doubling, reordering, and cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...abc import Call, Pending
from ...core.messages import AnyReply, Failure
from .world import World

__all__ = ["Wire", "Wires"]


class Wires:
    """How messages travel. Attributes: cut: Hosts that cannot be reached. calm: No more faults."""

    def __init__(self, world: World, slow: float, slowly: float, doubling: float) -> None:
        self._slowly = slowly
        self.world = world
        self.cut: set[str] = set()
        self.calm = False
        self._slow = slow
        self._doubling = doubling

    def carry(self, host: str, deliver: Callable[[], None], lose: Callable[[], None]) -> None:
        """Bring it to the other end, sooner or later, perhaps twice; or not, and then this end finds out."""
        world = self.world
        if host in self.cut:
            world.counts["lost"] += 1
            world.after(1 + 9 * world.random.random(), lose)
            return
        for _ in range(2 if not self.calm and world.chance(self._doubling) else 1):
            delay = 0.001 + world.random.random() * 0.01
            if not self.calm and world.chance(self._slowly):
                delay = world.random.random() * self._slow
            world.after(delay, lambda: self._arrive(host, deliver, lose))

    def _arrive(self, host: str, deliver: Callable[[], None], lose: Callable[[], None]) -> None:
        if host in self.cut and self.world.chance(0.5):  # else it was under way already
            self.world.counts["lost"] += 1
            self.world.after(5 * self.world.random.random(), lose)
        else:
            self.world.counts["messages"] += 1
            deliver()


class Wire:
    """One host's link, as the agent has it: what has a key goes out again on the next session.

    Args:
        wires: How messages travel.
        host: Which host.
        greet: Says hello to the controller, which gives what takes requests on this session, or None: it is not there.
        joined: Told of each session.
        again: Told of an answer that has come already.
    """

    def __init__(
        self,
        wires: Wires,
        host: str,
        greet: Callable[[Wire], Any],
        joined: Callable[[], None],
        again: Callable[[Call, AnyReply], None],
    ) -> None:
        self._again = again
        self._wires = wires
        self._host = host
        self._greet = greet
        self._joined = joined
        self._far: Any = None
        self._number = 0
        self._open: dict[int, tuple[Call, Pending]] = {}
        self.session = 0
        self.alive = True

    def connect(self) -> None:
        """A new session, if it can be had now; tried again if not."""
        if not self.alive or self._far is not None:
            return
        self.session += 1
        if self._host not in self._wires.cut:
            self._far = self._greet(self)
        if self._far is None:
            self._wires.world.after(0.2 + self._wires.world.random.random() * 3, self.connect)
            return
        self._joined()
        for number in list(self._open):
            self._send(number)

    def lose(self, session: int) -> None:
        """That session is over."""
        if session == self.session and self._far is not None:
            self._far = None
            self.session += 1
            for number, (call, pending) in list(self._open.items()):
                if not call.key:
                    del self._open[number]
                    pending.settle(Failure(code="peer-gone", message="the link is down at present"))
            self._wires.world.after(0.1 + self._wires.world.random.random() * 2, self.connect)

    absent = ""
    """Nothing is made of that."""

    def submit(self, call: Call) -> Pending:
        """See `procctl.abc.Service.submit`."""
        self._number += 1
        pending = Pending()
        self._open[self._number] = (call, pending)
        if self._far is not None:
            self._send(self._number)
        elif not call.key:
            del self._open[self._number]
            pending.settle(Failure(code="peer-gone", message="the link is down at present"))
        return pending

    def _send(self, number: int) -> None:
        session, far, call = self.session, self._far, self._open[number][0]

        def arrived() -> None:
            if far.alive and session == self.session:
                far.submit(call).then(lambda reply: self._back(session, number, call, reply))

        self._wires.carry(self._host, arrived, lambda: self.lose(session))

    def _back(self, session: int, number: int, call: Call, reply: AnyReply) -> None:
        def arrived() -> None:
            if session != self.session or not self.alive:
                return
            if number in self._open:
                self._open.pop(number)[1].settle(reply)
            else:
                self._again(call, reply)

        self._wires.carry(self._host, arrived, lambda: self.lose(session))

    def down(self, call: Call, take: Callable[[Call], None]) -> None:
        """A message of the controller's to the agent."""
        session = self.session

        def arrived() -> None:
            if session == self.session and self.alive:
                take(call)

        self._wires.carry(self._host, arrived, lambda: self.lose(session))

    def close(self) -> None:
        """The agent is gone."""
        self.alive = False
        self._far = None
        self._open.clear()
