"""An agent that listens on a unix socket, and a client that controls it through connect().

python remote.py [asyncio|trio]
"""

import sys
import tempfile

import anyio

import procctl

COUNT = "import itertools, time\nfor i in itertools.count(): print('tick', i, flush=True); time.sleep(0.05)"


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"unix://{folder}/agent.sock"
        async with procctl.Agent("here", listen=[url]):
            await control(url)
        try:
            async with procctl.connect(url, patience=0):
                pass
        except procctl.PeerGone as gone:
            print(f"afterwards: {type(gone).__name__}")


async def control(url: str) -> None:
    """What another program would do: one of the same user, or root's."""
    async with procctl.connect(url) as fleet:
        await fleet.start("ticker", [sys.executable, "-c", COUNT])
        for process in await fleet.processes(name="tick*"):
            print(f"{process.hostname}/{process.name} is {process.state.word}")
            async with process.logs(follow=True) as lines:
                async for line in lines:
                    print(line.text)
                    if line.text == "tick 2":
                        break
            record = await process.stop(grace=5)
            assert record is not None
            print(process.name, record.code, record.signal)


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
