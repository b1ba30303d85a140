"""The output of a fleet: which hosts have what is asked for, and who follows it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from ..abc import Caller, Items, StreamItem
from ..core.messages import Logs
from ..core.registry import Registry
from ..core.rights import OWNER
from ..core.value import evolve
from ..errors import NoSuchTarget
from ..service.merge import merged
from .following import Following
from .links import AgentLink

__all__ = ["Outputs", "onward_of"]


def onward_of(name: str, caller: Caller) -> Caller:
    """Who asks an agent when somebody has asked its controller: the controller, on their behalf."""
    return Caller(name=name, on_behalf=str(caller), roles=OWNER)


class Outputs:
    """Readers of output. It is what `procctl.controller.following.Known` asks for.

    Args:
        name: Of the controller.
        registry: What is known of hosts.
        links: Those that are up, by host.
        closed: Whether the controller has ended.
    """

    def __init__(
        self, name: str, registry: Registry, links: Mapping[str, AgentLink], closed: Callable[[], bool]
    ) -> None:
        self._name = name
        self._registry = registry
        self._links = links
        self._closed = closed
        self._following: set[Following] = set()

    @asynccontextmanager
    async def read(self, request: Logs, caller: Caller) -> AsyncGenerator[AsyncIterator[StreamItem]]:
        """What is there, and with `follow` what comes, from all hosts that have it."""
        onward = onward_of(self._name, caller)
        if not request.follow or not request.everything:
            self._check(request)
        if not request.follow:
            async with merged(self._present(request, onward)) as chunks:
                yield chunks
            return
        following = Following(self, request, onward, self._closed)
        self._following.add(following)
        try:
            async with following.items() as chunks:
                yield chunks
        finally:
            self._following.discard(following)

    def changed(self) -> None:
        """A host has come or gone, or has other processes than before; or the controller has ended."""
        for following in self._following:
            following.changed()

    def _present(self, request: Logs, onward: Caller) -> list[Items]:
        links = [self._links[host] for host in self.matching(request) if host in self._links]
        return [link.session.stream(evolve(request, hostname=link.host), onward) for link in links]

    def _check(self, request: Logs) -> None:
        if self.matching(request):
            return
        for miss in self._registry.missing(request):
            raise NoSuchTarget(miss.code, miss.message, miss.hint)
        if request.everything:
            raise NoSuchTarget(
                "no-such-target", "there is no process on any host", "procctl hosts shows who has joined"
            )

    def matching(self, request: Logs) -> list[str]:
        """The hosts that have processes which a request names."""
        return list(dict.fromkeys(item.hostname for item in self._registry.select(request)))

    def link(self, host: str) -> AgentLink | None:
        """The link to a host; None: it is lost, or has not said yet what it has."""
        record = self._registry.hosts.get(host)
        return self._links.get(host) if record is not None and record.current else None

    def present(self, host: str) -> Collection[str]:
        """The uuids of its processes."""
        record = self._registry.hosts.get(host)
        return record.items if record is not None else ()
