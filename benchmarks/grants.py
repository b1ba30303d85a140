"""Grants per second of one controller's gate, each durable before it is given: alone, and many at a time.

``python benchmarks/grants.py [FOLDER]``: the folder says which disk.
"""

import sys
import tempfile
import time
from pathlib import Path

import anyio

from procctl.controller.journal import Journal
from procctl.core.events import Now
from procctl.core.gate import Gate
from procctl.core.messages import Grant, LeaseExited, Permit
from procctl.core.registry import Registry
from procctl.core.rights import LOCAL
from procctl.core.terms import Terms
from procctl.link.doorkeeper import Doorkeeper

SECONDS = 3.0


async def grants(folder, at_a_time):
    """Permits that are granted, and their releases, by so many askers; per second, and per commit."""
    journal = Journal.of(Path(folder))
    recalled = journal.begin(time.time())
    commits = 0
    write = journal._commit

    def counted(changes):
        nonlocal commits
        commits += 1
        return write(changes)

    journal._commit = counted
    gate = Gate((), Registry(), recalled.token, terms=Terms(), epoch=recalled.epoch)
    door = Doorkeeper(
        gate, lambda: Now(time.monotonic(), time.time()), lambda s, call: None, lambda l, b: None, journal
    )
    granted = 0
    end = time.monotonic() + SECONDS

    async def asker(number):
        nonlocal granted
        turn = 0
        while time.monotonic() < end:
            turn += 1
            permit = Permit(rid=f"{number}#{turn}", slot=f"s{number}", uuid=f"u{number}", hostname="a", mode="one")
            reply = await door.submit(permit, LOCAL, "run").wait()
            assert isinstance(reply, Grant), reply
            granted += 1
            await door.submit(LeaseExited(token=reply.token), LOCAL, "run", "a").wait()

    async with anyio.create_task_group() as group:
        group.start_soon(journal.run)
        async with anyio.create_task_group() as askers:
            for number in range(at_a_time):
                askers.start_soon(asker, number)
        group.cancel_scope.cancel()
    journal.close()
    return granted / SECONDS, commits / SECONDS


def main():
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        for at_a_time in (1, 10, 100, 1000):
            per_second, commits = anyio.run(grants, f"{folder}/{at_a_time}", at_a_time)
            print(f"{at_a_time:5} at a time: {per_second:8,.0f} grants/s, {commits:6,.0f} commits/s")


if __name__ == "__main__":
    main()
