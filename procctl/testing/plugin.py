"""The plug-in for pytest: the fixture ``procctl_fleet``. It is found by pytest itself where procctl is installed.

Nothing of procctl is loaded before a test asks for the fixture.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .virtual.fleet import VirtualFleet

__all__ = ["Fleets", "procctl_fleet"]


class Fleets:
    """Makes fleets for one test. They are left when it ends, in its own task."""

    def __init__(self) -> None:
        self._stack: AsyncExitStack | None = None

    async def __call__(self, agents: int = 2, **more: Any) -> VirtualFleet:
        """Enter a `procctl.testing.VirtualFleet`.

        Args:
            agents: How many hosts there are, ``host1``, …; or give `hosts`, their names.
            more: As for a `VirtualFleet`.
        """
        from .virtual.fleet import VirtualFleet

        if self._stack is None:
            raise RuntimeError("procctl_fleet makes fleets inside of the test that asks for it, and of no other")
        more.setdefault("hosts", agents)
        return await self._stack.enter_async_context(VirtualFleet(**more))

    def around(self, test: Any) -> Any:
        """The test, with its fleets left at its end."""

        @functools.wraps(test)
        async def with_fleets(*args: Any, **kwargs: Any) -> Any:
            async with AsyncExitStack() as self._stack:
                return await test(*args, **kwargs)

        return with_fleets


@pytest.fixture
def procctl_fleet(request: pytest.FixtureRequest) -> Iterator[Fleets]:
    """``await procctl_fleet(agents=2)``: a fleet of real agents and a real controller, with fake programs and wires.

    A test that no plug-in for asynchronous tests has taken for itself is run in virtual time: hours pass in moments.
    One that has been taken (``@pytest.mark.anyio``) runs in the time of its loop; see
    `procctl.testing.virtual_backend`.
    """
    item = request.node
    test = getattr(item, "obj", None)
    if not inspect.iscoroutinefunction(test):
        pytest.fail("procctl_fleet is for asynchronous tests (async def)", pytrace=False)
    fleets = Fleets()
    item.obj = fleets.around(test)
    if not _taken(item):
        item.obj = _in_virtual_time(item.obj)
    yield fleets
    item.obj = test


def _taken(item: Any) -> bool:
    """Whether somebody else runs it."""
    if "anyio_backend" in item.fixturenames or "nursery" in item.fixturenames:
        return True
    return any(item.get_closest_marker(name) for name in ("anyio", "asyncio", "trio"))


def _in_virtual_time(test: Any) -> Any:
    @functools.wraps(test)
    def run(**kwargs: Any) -> None:
        from .virtual.time import run_virtual

        run_virtual(functools.partial(test, **kwargs))

    # what is wrapped is asynchronous, and this is not: pytest is to see that
    del run.__wrapped__
    return run
