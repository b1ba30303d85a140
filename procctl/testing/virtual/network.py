"""Wires between hosts and the controller: ordered, as any stream is, but slow, stalled, or broken.

A partition holds frames up and says nothing to either end, as a network does. A wire that is broken is an end that both
ends see. Messages come twice or in another order only as they do in earnest: over a new wire, while the old one still
has some to deliver.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from random import Random

import anyio
from attrs import define, field

from ...abc import Peer, Traits
from ...aio.wake import Wake
from ...errors import Closed, PeerGone
from .power import Power
from .trace import Trace

__all__ = ["Joint", "Network", "Receiver", "WireEnd"]

IN_FLIGHT = 64
"""Frames that may be under way in one direction."""
UNREACHABLE = 1.0
"""Seconds after which who cannot be reached is given up."""


class Network:
    """Of one fleet.

    Args:
        trace: Where it is told.
        dice: Decide how long a frame takes.

    Attributes:
        delay: Seconds that a frame takes, at least and at most.
        slowly: The share of frames that take up to `slow` seconds instead.
        cut: Pairs of hosts that do not reach each other.
    """

    def __init__(self, trace: Trace, dice: Random) -> None:
        self.delay = (0.001, 0.01)
        self.slowly = 0.0
        self.slow = 0.5
        self.cut: set[frozenset[str]] = set()
        self._trace = trace
        self._dice = dice
        self._wires: list[Wire] = []
        self._listening: dict[str, Receiver] = {}

    def takes(self) -> float:
        """Seconds for the next frame."""
        if self.slowly and self._dice.random() < self.slowly:
            return self._dice.random() * self.slow
        return self._dice.uniform(*self.delay)

    def listen(self, name: str, power: Power) -> Receiver:
        """Where wires to that host arrive."""
        receiver = self._listening[name] = Receiver(name, power)
        power.then(lambda: self._down(receiver, power))
        return receiver

    def _down(self, receiver: Receiver, power: Power) -> None:
        receiver.close()
        self.end_of(power)

    def end_of(self, power: Power) -> None:
        """A program has crashed: its kernel closes its wires; frames that are under way arrive before that is seen."""
        for wire in list(self._wires):
            for end in wire.ends:
                if end.power is power:
                    end.hang_up()

    def reaches(self, one: str, other: str) -> bool:
        """Whether frames pass."""
        return frozenset((one, other)) not in self.cut

    def partition(self, one: str, other: str) -> None:
        """No frame passes between these any more."""
        self.cut.add(frozenset((one, other)))
        self._trace.counts["partitions"] += 1
        self._trace.note(f"{one} and {other} do not reach each other")

    def heal(self, *hosts: str) -> None:
        """Frames pass again, between all or where one of these is an end; those that were held up arrive."""
        healed = [pair for pair in self.cut if not hosts or pair & set(hosts)]
        for pair in sorted(healed, key=sorted):
            self.cut.discard(pair)
            self._trace.note(f"{' and '.join(sorted(pair))} reach each other")
        for wire in list(self._wires):
            wire.stir()

    def sever(self, one: str, other: str) -> int:
        """Break the wires between these: both ends see it, and what was under way is lost."""
        broken = [wire for wire in self._wires if {wire.ends[0].host, wire.ends[1].host} == {one, other}]
        for wire in broken:
            wire.cut_through()
        self._trace.counts["severed"] += len(broken)
        self._trace.note(f"{len(broken)} wires between {one} and {other} are broken")
        return len(broken)

    def vanish(self, host: str) -> None:
        """A machine has lost its power: its wires deliver nothing more and nobody is told."""
        for wire in list(self._wires):
            if host in (wire.ends[0].host, wire.ends[1].host):
                wire.dead = True
                self._wires.remove(wire)

    async def dial(self, host: str, power: Power, to: str) -> WireEnd:
        """A wire from a host to where somebody listens. Raises `PeerGone` when it cannot be had."""
        await anyio.sleep(self.takes())
        if not power.on:
            await anyio.sleep_forever()
        if not self.reaches(host, to):
            await anyio.sleep(UNREACHABLE)
            raise PeerGone(f"{to} cannot be reached from {host}")
        receiver = self._listening.get(to)
        if receiver is None or receiver.closed:
            raise PeerGone(f"nobody listens on {to}")
        wire = Wire(self, host, power, to, receiver.power, self._wires.remove)
        self._wires.append(wire)
        receiver.arrive(wire.ends[1])
        return wire.ends[0]


class Wire:
    """Two ends, and what is under way between them."""

    def __init__(
        self, network: Network, host: str, near: Power, to: str, far: Power, over: Callable[[Wire], None]
    ) -> None:
        self.dead = False
        self._network = network
        self._over = over
        one, other = WireEnd(self, host, near, to), WireEnd(self, to, far, host)
        one.other, other.other = other, one
        self.ends = one, other

    @property
    def passes(self) -> bool:
        """Whether anything arrives at present."""
        return not self.dead and self._network.reaches(self.ends[0].host, self.ends[1].host)

    def takes(self) -> float:
        """Seconds for the next frame."""
        return self._network.takes()

    def stir(self) -> None:
        """Something may arrive now."""
        for end in self.ends:
            end.wake.set()
            end.room.set()

    def cut_through(self) -> None:
        """Both ends see that it is over, and nothing more arrives."""
        for end in self.ends:
            end.arriving.clear()
            end.broken = True
        self.settle()
        self.stir()

    def settle(self) -> None:
        """It is over when both ends are."""
        if all(end.closed or end.broken for end in self.ends) and self in self._network._wires:
            self._over(self)


@define
class _Frame:
    """`data` None: the end."""

    at: float
    data: bytes | None


@define(eq=False)
class WireEnd:
    """One end: see `procctl.abc.Connection`."""

    wire: Wire
    host: str
    power: Power
    leads_to: str
    suspended: bool = False
    closed: bool = False
    broken: bool = False
    arriving: deque[_Frame] = field(factory=deque)
    wake: Wake = field(factory=Wake)
    room: Wake = field(factory=Wake)
    other: WireEnd = field(init=False, repr=False)

    @property
    def peer(self) -> Peer:
        return Peer(name=self.leads_to, identity=f"virtual:{self.leads_to}", address="virtual")

    async def send(self, frame: bytes) -> None:
        while len(self.other.arriving) >= IN_FLIGHT and self._open:
            await self.other.room.wait()
        if not self.power.step():
            return
        if not self._open:
            raise PeerGone(f"{self.leads_to} is gone")
        self._put(frame)
        await anyio.lowlevel.checkpoint()

    @property
    def _open(self) -> bool:
        return not (self.closed or self.broken)

    def _put(self, data: bytes | None) -> None:
        """Behind all that is under way."""
        arriving = self.other.arriving
        at = anyio.current_time() + self.wire.takes()
        arriving.append(_Frame(max(at, arriving[-1].at) if arriving else at, data))
        self.other.wake.set()

    async def receive(self) -> bytes:
        while True:
            if not self.power.on:
                await anyio.sleep_forever()
            if not self._open:
                raise PeerGone(f"{self.leads_to} is gone")
            at = inf
            if self.arriving and self.wire.passes:
                at = self.arriving[0].at
            if at <= anyio.current_time():
                frame = self.arriving.popleft()
                self.room.set()
                if frame.data is None:
                    self.broken = True
                    self.wire.settle()
                    raise PeerGone(f"{self.leads_to} is gone")
                return frame.data
            with anyio.CancelScope(deadline=at):
                await self.wake.wait()

    async def aclose(self) -> None:
        if self.power.on:
            self.hang_up()

    def hang_up(self) -> None:
        """This end is closed; the other one sees that when all that is under way has arrived."""
        if not self.closed:
            self.closed = True
            self._put(None)
            self.wake.set()
            self.other.room.set()
            self.wire.settle()


class Receiver:
    """Where wires arrive: see `procctl.abc.Listener`."""

    traits = Traits(owner=True, identity=True, in_process=True)

    def __init__(self, name: str, power: Power) -> None:
        self.urls = (f"virtual:{name}",)
        self.power = power
        self.closed = False
        self._arrived: deque[WireEnd] = deque()
        self._wake = Wake()

    def arrive(self, end: WireEnd) -> None:
        """One more."""
        self._arrived.append(end)
        self._wake.set()

    async def accept(self) -> WireEnd:
        while not self._arrived:
            if self.closed:
                raise Closed("this program has ended")
            await self._wake.wait()
        return self._arrived.popleft()

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Nothing arrives any more."""
        self.closed = True
        self._wake.set()


@define
class Joint:
    """What an agent joins: see `procctl.abc.Joinable`."""

    network: Network
    host: str
    power: Power
    name: str

    async def dial(self, name: str) -> WireEnd:
        return await self.network.dial(self.host, self.power, self.name)
