"""A policy decides who may run; where it says ask(), a person does.

python approval.py [asyncio|trio]
"""

import sys

import anyio

import procctl
from procctl.core.approval import View

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def careful(request: procctl.PermitRequest, fleet: View) -> procctl.Decision | None:
    """One import at a time, and none without a person. None is no opinion: the next policy counts."""
    if request.group != "imports":
        return None
    running = [item.name for item in fleet.processes("import-*") if item.pid]
    return procctl.deny(f"{running[0]} runs already") if running else procctl.ask(within=600)


async def main() -> None:
    async with procctl.Agent(approval=[careful]) as agent:
        await agent.start("cache", SLEEP)
        print("cache runs")

        try:
            await agent.start("import-orders", SLEEP, group="imports")
        except procctl.Denied as refusal:
            print(f"{refusal.code}: {refusal.message}")

        for approval in await agent.approvals():
            print(f"{approval.asker} wants to start {approval.name}")
            await agent.approve(approval.approval)
        await agent.wait("import-orders", until="running")
        print("import-orders runs")

        try:
            await agent.start("import-users", SLEEP, group="imports")
        except procctl.Denied as refusal:
            print(f"{refusal.code}: {refusal.message}")


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
