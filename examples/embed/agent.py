"""An agent in a program: start a web server, wait until it is ready, stop it, and see how it ended.

python agent.py [asyncio|trio]        # $PORT: the server's port, default 8000
"""

import os
import sys

import anyio

import procctl

PORT = int(os.environ.get("PORT", "8000"))


async def main() -> None:
    async with procctl.Agent() as agent:
        web = await agent.start(
            "web",
            [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(PORT)],
            ready=procctl.ready.tcp(PORT),
        )
        print(f"{web.name} is {web.state.word}, ready: {web.item.ready}")

        record = await web.stop(grace=5)
        assert record is not None
        print(f"{web.name} is {web.state.word}: {record.describe()}")

        await agent.start("again", [sys.executable, "-c", "import time; time.sleep(60)"])
    print("the block is left, and nothing runs any more")


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
