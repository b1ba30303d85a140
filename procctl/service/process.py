"""A handle on one process, near or far."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ..core.messages import Until
from ..core.records import ExitRecord, Item
from .lines import Line

if TYPE_CHECKING:
    from ..core.states import State
    from .fleet import Fleet

__all__ = ["Process"]


class Process:
    """One process of a fleet. `item` is what was last learnt of it; every method here refreshes it.

    All methods raise `Refused` (or a subclass) when the process does not do as told, `NoSuchTarget` when it was
    deleted, and `PeerGone` when its agent cannot be reached. Cancelling one of them gives up the wait and never undoes
    the command.
    """

    def __init__(self, fleet: Fleet, item: Item) -> None:
        self._fleet = fleet
        self.item = item

    def __repr__(self) -> str:
        return f"<Process {self.item.name} {self.item.state}/{self.item.detail} pid={self.item.pid}>"

    @property
    def name(self) -> str:
        """Its slot."""
        return self.item.name

    @property
    def uuid(self) -> str:
        """Its identity, over restarts."""
        return self.item.uuid

    @property
    def hostname(self) -> str:
        """Where it runs."""
        return self.item.hostname

    @property
    def pid(self) -> int:
        """0 when it does not run."""
        return self.item.pid

    @property
    def state(self) -> State:
        """One of the five."""
        from ..core.states import State  # its module has the whole table of transitions: a handle needs none of it

        return State(self.item.status)

    @property
    def exit(self) -> ExitRecord | None:
        """How its last run ended."""
        return self.item.exit

    async def refresh(self) -> Item:
        """Ask for what is true now."""
        self.item = await self._fleet.item(self.uuid)
        return self.item

    async def start(self, *, force: bool = False, standby: bool = False, until: Until = "settled") -> Item:
        """Start it; one that runs is left as it is. See `Fleet.start`."""
        return self._one(await self._fleet.start(uuid=self.uuid, force=force, standby=standby, until=until))

    async def stop(
        self, grace: float | None = None, *, hard: bool = False, until: Until = "settled"
    ) -> ExitRecord | None:
        """Ask it to end, and return when nothing of it is left. One with hooks is asked to pause its work instead.

        Args:
            grace: Seconds until SIGKILL; None: its own.
            hard: End the program of one with hooks too.
            until: ``accepted`` returns at once.

        Returns:
            How its last run ended; None if it never ran.
        """
        return self._one(await self._fleet.stop(uuid=self.uuid, grace=grace, hard=hard, until=until)).exit

    async def kill(self, signal: str = "SIGKILL") -> ExitRecord | None:
        """End it at once; it stays stopped whatever its restart policy."""
        return self._one(await self._fleet.kill(uuid=self.uuid, signal=signal)).exit

    async def restart(self, *, until: Until = "settled") -> Item:
        """Stop it, and start it again when nothing of it is left."""
        return self._one(await self._fleet.restart(uuid=self.uuid, until=until))

    async def signal(self, signal: str) -> None:
        """Send a signal to the process itself; everything else stays as it is."""
        self._one(await self._fleet.signal(signal, uuid=self.uuid))

    async def detach(self) -> Item:
        """Let it go on without us; see `Fleet.detach`."""
        return self._one(await self._fleet.detach(uuid=self.uuid))

    async def ask(self, action: str, data: Any = None, *, timeout: float = 30.0) -> Any:
        """Put a question of one's own to the program, which needs a channel (``hooks=True``).

        Args:
            action: What is asked for; what it means is between the asker and the program.
            data: Any JSON value.
            timeout: Seconds for the answer.

        Returns:
            What the program has answered, any JSON value.

        Raises:
            Refused: The program has refused, has ended, or has not answered in time (code ``timeout``).
        """
        (answer,) = await self._fleet.ask(action, data, uuid=self.uuid, timeout=timeout)
        return json.loads(answer.data)

    async def delete(self) -> None:
        """Forget it; it must not run."""
        await self._fleet.delete(uuid=self.uuid)

    async def wait(self, until: Until = "exit") -> ExitRecord | None:
        """Wait for its end, or for ``running``, ``ready`` or ``stopped``.

        Returns:
            How its last run ended; None if none has.

        Raises:
            Refused: It will not get there, and why.
        """
        return self._one(await self._fleet.wait(uuid=self.uuid, until=until)).exit

    def logs(
        self,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: str = "",
        stream: str = "",
        after: float = 0.0,
        grep: str = "",
    ) -> AbstractAsyncContextManager[AsyncIterator[Line]]:
        """Its output, see `Fleet.logs`."""
        return self._fleet.logs(
            uuid=self.uuid, follow=follow, tail=tail, since=since, stream=stream, after=after, grep=grep
        )

    def _one(self, items: tuple[Item, ...]) -> Item:
        self.item = items[0]
        return self.item
