"""An agent's part in output that a child writes straight to its files: tails them, and prints pieces with cursors.

Arguments: the folder, the cursor to go on behind, the backend, bytes after which to rotate, features to do without.
"""

import json
import sys
from pathlib import Path

import anyio

from procctl import LogSpec, ProcessSpec
from procctl.agent.output.means import make_means
from procctl.agent.output.output import Output
from procctl.agent.output.reader import Reader
from procctl.aio.poller import EpollPoller
from procctl.core.messages import Logs
from procctl.core.process import Process

UUID = "0b5f6b1e-6a0c-4b1f-9d0e-0d3f8f6b8f11"


async def tail(folder, since, size, without, epoch):
    poller = EpollPoller()
    means = make_means(epoch, poller, "inotify" not in without, "punch" not in without)
    spec = LogSpec(max_size=size or None, keep=1000, compress=True)
    output = Output("web", spec, None, means, straight=Path(folder))
    process = Process(uuid=UUID, name="web", spec=ProcessSpec(name="web", command=("web",)))
    reader = Reader(Logs(follow=True, since=since), "here", lambda: [(process, output)], set(), lambda: False)
    async with anyio.create_task_group() as group:
        for part in (poller, means.chores, means.tails):
            group.start_soon(part.run)
        output.resume()
        async for item in reader.chunks():
            print(json.dumps([getattr(item, "cursor", ""), getattr(item, "text", None)]), flush=True)


if __name__ == "__main__":
    place, cursor, backend, most, less, name = sys.argv[1:]
    anyio.run(tail, place, cursor, int(most), less.split(","), name, backend=backend)
