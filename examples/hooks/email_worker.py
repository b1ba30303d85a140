"""The Python twin of email.coffee, on asyncio or trio. It also says what it is about, and answers a question.

python email_worker.py [asyncio|trio]
"""

import sys

import anyio

from procctl import child


class Cron:
    def __init__(self, name: str) -> None:
        self.name = name
        self.sent = 0
        self.scope = anyio.CancelScope()

    async def run(self) -> None:
        print(f"{self.name} started", flush=True)
        with anyio.CancelScope() as self.scope:
            while True:
                await anyio.sleep(0.2)
                self.sent += 1
                print(f"{self.name} sent", flush=True)

    def stop(self) -> None:
        self.scope.cancel()
        print(f"{self.name} stopped", flush=True)


async def main() -> None:
    crons = [Cron("instant emails"), Cron("daily emails")]
    async with child.attach() as parent, anyio.create_task_group() as group:
        await parent.ready()
        async for request in parent.requests():
            match request.action:
                case "start":
                    for cron in crons:
                        group.start_soon(cron.run)
                    parent.status("sending")
                    await request.done()
                case "stop":
                    for cron in crons:
                        cron.stop()
                    parent.status("paused")
                    parent.metrics({cron.name: cron.sent for cron in crons})
                    await request.done()
                case "sent":
                    await request.done({cron.name: cron.sent for cron in crons})
                case action:
                    await request.refuse(f"there is no {action}")
        group.cancel_scope.cancel()


anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
