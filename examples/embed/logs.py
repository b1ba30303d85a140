"""Output of processes: what is kept, following what comes, going on from a cursor.

python logs.py [asyncio|trio]
"""

import sys

import anyio

import procctl

COUNT = "import time\nfor i in range(5): print('line', i, flush=True); time.sleep(0.1)"


async def main() -> None:
    async with procctl.Agent() as agent:
        counter = await agent.start("counter", [sys.executable, "-c", COUNT])

        cursor = ""
        async with counter.logs(follow=True) as lines:
            async for line in lines:
                print(line.stream, line.text)
                cursor = line.cursor
                if line.text == "line 2":
                    break

        await counter.wait("exit")
        async with counter.logs(since=cursor) as lines:
            print("after the cursor:", ", ".join([line.text async for line in lines]))
        async with counter.logs(tail=1) as lines:
            print("the last:", ", ".join([line.text async for line in lines]))


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
