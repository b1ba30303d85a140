"""A controller and two agents in one program: a process of which only one may run in the fleet.

python controller.py [asyncio|trio]
"""

import sys

import anyio

import procctl

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


async def main() -> None:
    async with (
        procctl.Controller() as controller,
        procctl.Agent("north", join=controller) as north,
        procctl.Agent("south", join=controller) as south,
    ):
        await north.start("worker", SLEEP, mode="one")

        try:
            await south.start("worker", SLEEP, mode="one")
        except procctl.Denied as refusal:
            print(f"south: {refusal.message}")

        await south.start("worker", force=True)
        for process in sorted(await controller.processes("worker"), key=lambda process: process.hostname):
            print(f"{process.hostname}: {process.state.word}")


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
