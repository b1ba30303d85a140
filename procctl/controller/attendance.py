"""Which agents are here: their heartbeats, how often they come, and what is done about those that do not respond."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence

import anyio

from ..core.events import Now
from ..core.messages import AnyEvent, Heard, Heartbeat, StateChanged
from ..core.pace import Pace, step
from ..core.reach import Reach
from ..core.registry import About, Registry
from ..core.replies import NOTHING_NEW
from ..core.silence import Silence
from .links import AgentLink

__all__ = ["Attendance"]

MISSED = 3
"""Heartbeats."""
AT_ONCE = 100
"""Hosts that are found to be silent in one turn of the loop, so that others get theirs where half a fleet is."""


class Attendance:
    """Args:
    registry: What is known of hosts.
    links: Those that are up, by host.
    reach: What is done about hosts that do not respond.
    now: The present instant.
    later: Calls a function in so many seconds.
    happened: Takes events.
    moved: Told when a host has come or gone, or has other processes than before.
    """

    def __init__(
        self,
        registry: Registry,
        links: MutableMapping[str, AgentLink],
        reach: Reach,
        *,
        now: Callable[[], Now],
        later: Callable[[float, Callable[[], None]], None],
        happened: Callable[[Sequence[AnyEvent]], None],
        moved: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._links = links
        self._reach = reach
        self._now = now
        self._later = later
        self._happened = happened
        self._moved = moved
        self._silence = Silence()
        self._weight = 0
        self._step = 0
        self._seldom = 0.0
        self._sweeping = False

    def pace(self, often: float) -> Pace:
        """What is told to an agent that wants to be heard so often at most."""
        return Pace.of(self._weight, often)

    def joined(self, link: AgentLink, about: About) -> None:
        """An agent has come, or come back."""
        now = self._now()
        before = self._links.get(link.host)
        self._links[link.host] = link
        self._weight += link.weight - (0 if before is None else before.weight)
        self._step = step(self._weight)
        self._seldom = max(self._seldom, link.often)
        self._happened(self._registry.joined(link.host, about, now.wall))
        self._silence.heard(link.host, anyio.current_time())
        if not self._sweeping:
            self._sweeping = True
            self._later(self._limit / MISSED, self._sweep)

    def gone(self, link: AgentLink) -> None:
        """A link has ended."""
        if self._links.get(link.host) is not link:
            return
        del self._links[link.host]
        self._weight -= link.weight
        self._step = step(self._weight)
        self._silence.forget(link.host)
        if link.host in self._registry.hosts:
            wall = self._now().wall
            self._happened(self._registry.lose(link.host, wall))
            if self._reach.forget_after is not None:
                self._later(self._reach.forget_after, lambda: self._forget(link.host, wall))
        self._moved()

    def left(self, link: AgentLink) -> None:
        """An agent has ended in an orderly way: all that it ran is stopped."""
        if self._links.get(link.host) is link:
            self._silence.forget(link.host)
            self._happened(self._registry.leave(link.host, self._now().wall))

    def heard(self, link: AgentLink, beat: Heartbeat) -> Heard:
        """A heartbeat, and what is answered."""
        host = link.host
        record = self._registry.hosts.get(host)
        if record is None or self._links.get(host) is not link:
            return NOTHING_NEW  # its last words: another link has taken its place, or it has said goodbye
        self._silence.heard(host, link.session.heard)
        before = record.current
        events, wanted = self._registry.heard(host, beat, self._now().wall)
        if events:
            self._happened(events)
        if record.current is not before or (events and any(not isinstance(event, StateChanged) for event in events)):
            self._moved()
        if not wanted and link.step == self._step:
            return NOTHING_NEW
        return self._answer(link, beat, wanted)

    def _answer(self, link: AgentLink, beat: Heartbeat, wanted: bool) -> Heard:
        every, spread = 0.0, None
        if link.step != self._step and link.often:
            pace = self.pace(link.often)
            # until the agent is known to have been told, what was told before counts too
            link.session.pace(2 * max(pace.every, link.every))
            link.every, every, spread = pace.every, pace.every, pace.spread
        link.step = self._step
        return Heard(beat=beat.beat, want="whole" if wanted else "", every=every, spread=spread)

    @property
    def _limit(self) -> float:
        """Seconds of silence that are too much."""
        return self._reach.silent_after or MISSED * self.pace(self._seldom).every

    def _sweep(self) -> None:
        limit, now = self._limit, anyio.current_time()  # the clock of links: a machine that slept has lost nobody
        overdue = self._silence.since(now - limit)
        for host in overdue[:AT_ONCE]:
            link = self._links[host]
            told = self._registry.hosts[host].whole
            if not link.often or (not told and link.session.silent < limit):  # it has promised no heartbeats
                self._silence.heard(host, now)
                continue
            self._silence.forget(host)
            self._happened(self._registry.silence(host, self._now().wall))
            if self._reach.on_silent == "end":
                link.session.end(f"nothing has come for {link.session.silent:.1f} s")
        self._sweeping = bool(self._links)
        if self._sweeping:
            self._later(0.0 if len(overdue) > AT_ONCE else max(0.01, limit / MISSED), self._sweep)

    def _forget(self, host: str, lost: float) -> None:
        record = self._registry.hosts.get(host)
        if record is not None and record.lost == lost:
            self._happened(self._registry.leave(host, self._now().wall))
            self._moved()
