"""Events: a snapshot, then changes. Going on from a cursor; a gap is shown as one.

python events.py [asyncio|trio]
"""

import sys

import anyio

import procctl


async def main() -> None:
    async with procctl.Agent() as fleet:
        job = await fleet.add(procctl.ProcessSpec(name="job", command=(sys.executable, "-c", "pass")), start=False)

        cursor = ""
        async with fleet.events() as events:
            async for event in events:
                match event:
                    case procctl.Snapshot(processes=processes):
                        print(f"snapshot: {len(processes)} process")
                        await job[0].start()
                    case procctl.StateChanged(new=procctl.State.RUNNING):
                        print(f"{event.process.name} is running")
                    case procctl.StateChanged(new=procctl.State.STOPPED, process=process):
                        print(f"{process.name} is stopped: {process.why.text}")
                        cursor = event.cursor
                        break

        await job[0].delete()
        async with fleet.events(since=cursor, follow=False) as events:
            async for event in events:
                match event:
                    case procctl.Removed(process=process):
                        print(f"{process.name} is removed")
                    case procctl.Lost(count=count):
                        print(f"{count} events are lost")

        async with fleet.events(since="another-run-17", follow=False) as events:
            async for event in events:
                match event:
                    case procctl.Lost(count=None):
                        print("a cursor of another run: an unknown number of events is lost")
                    case procctl.Snapshot(processes=processes):
                        print(f"snapshot: {len(processes)} processes")


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
