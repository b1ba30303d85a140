"""What is left when all is closed; and outages of what lies between, where they can be had."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import anyio
from attrs import frozen

from ...abc import Connection, Listener
from ..grouping import together
from ..peers import Far
from ..promises import BrokenPromise, Promise
from ..stage import Stage
from .moving import exchange

__all__ = ["Belongings", "check_clean", "check_suspends"]

_MOMENT = 0.2


@frozen
class Belongings:
    """What this program holds. Attributes: tasks: Their ids. descriptors: Their numbers, and what each is."""

    tasks: frozenset[int]
    descriptors: frozenset[tuple[str, str]]

    @classmethod
    def now(cls) -> Belongings:
        """At present."""
        tasks = frozenset(task.id for task in anyio.get_running_tasks())
        return cls(tasks, frozenset(_descriptors()))


async def check_clean(stage: Stage, before: Belongings) -> None:
    """Nothing more than before, soon."""
    limit = anyio.current_time() + stage.patience
    while True:
        gc.collect()
        now = Belongings.now()
        tasks, descriptors = now.tasks - before.tasks, now.descriptors - before.descriptors
        if not tasks and not descriptors:
            break
        if anyio.current_time() > limit:
            names = [task.name for task in anyio.get_running_tasks() if task.id in tasks]
            what = [f"descriptor {number}: {target}" for number, target in sorted(descriptors)]
            raise BrokenPromise(Promise.CLEAN, ", ".join([*(f"task {name}" for name in names), *what]))
        await anyio.sleep(0.02)
    stage.keeps(Promise.CLEAN)


def _descriptors() -> list[tuple[str, str]]:
    found = []
    folder = "/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd"
    for number in os.listdir(folder):
        try:
            found.append((number, os.readlink(f"{folder}/{number}") if folder.startswith("/proc") else ""))
        except OSError:
            continue  # the listing's own
    return found


async def check_suspends(stage: Stage, far: Far, listener: Listener) -> None:
    """What lies between is out of order for a while."""
    if not stage.transport.traits.suspends:
        stage.skipped[Promise.SUSPENDS] = "the transport does not claim it"
        return
    if stage.outage is None:
        stage.skipped[Promise.SUSPENDS] = "no outage was given that could be caused"
        return
    outage, begun = stage.outage, anyio.Event()
    async with stage.pair(far, listener) as (near, end):

        async def cause() -> None:
            with stage.expect(Promise.SUSPENDS, "an outage", 60 * stage.patience):
                async with outage():
                    with stage.expect(Promise.SUSPENDS, "a connection says that it is suspended"):
                        await _suspended(near, True)
                    begun.set()
                    await anyio.sleep(_MOMENT)
                await _suspended(near, False)

        async def speak() -> None:
            await begun.wait()
            await exchange(stage, near, end, [100] * 50, 20 * stage.patience)

        await exchange(stage, near, end, [100] * 50)
        await together(cause, speak)


async def _suspended(connection: Connection, wanted: bool) -> None:
    while connection.suspended is not wanted:
        await anyio.sleep(0.02)
