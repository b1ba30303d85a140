"""The same without a loop of one's own: procctl.sync. Every call blocks; a loop runs in a thread behind the block.

python blocking.py [asyncio|trio]     # the backend of the loop behind it
"""

import sys
from typing import Literal, cast

import procctl

TALK = ["sh", "-c", "echo hello; exec sleep 60"]


def main(backend: Literal["asyncio", "trio"]) -> None:
    with procctl.sync.Agent(backend=backend) as agent:
        talker = agent.start("talker", TALK, ready=procctl.ready.log("hello"))
        print(f"{talker.name} is {talker.state.word}, ready: {talker.item.ready}")

        with talker.logs() as lines:
            for line in lines:
                print(line.stream, line.text)

        record = talker.stop()
        assert record is not None
        print(f"{talker.name} {record.describe()}")


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "asyncio"
    main(cast(Literal["asyncio", "trio"], chosen))
