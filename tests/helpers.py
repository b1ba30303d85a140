"""What the tests share: small programs to supervise, and looks at what the system says of them."""

import json
import os
import socket
from pathlib import Path

import anyio
import pytest

MARK = "PROCCTL_TEST"
"""Environment variable by which everything that a test has started is found."""
DEADLINE = 10.0
"""Seconds after which a test that waits has failed; nothing should come near it."""
PATIENCE = 3.0
"""Seconds in which what a test has used must be gone."""
CHAOS = "50"

SLEEP = ["sleep", "1000"]
STUBBORN = ["sh", "-c", "trap '' TERM INT HUP; echo up; while :; do sleep 0.1; done"]
"""Ignores what asks it to end; says ``up`` when it does."""


def sh(text):
    """A command for the shell."""
    return ["sh", "-c", text]


def deadline(seconds=DEADLINE):
    """Fail what takes longer."""
    return anyio.fail_after(seconds)


async def until(condition, what="it"):
    """Wait for a condition on the world; gives what it returned."""
    with deadline():
        while not (value := condition()):
            await anyio.sleep(0.01)
    return value


def children():
    """The pids of our children, zombies too."""
    found = set()
    for task in os.listdir("/proc/self/task"):
        try:
            found.update(Path(f"/proc/self/task/{task}/children").read_text().split())
        except OSError:
            continue  # the thread has ended
    return found


def descriptors():
    """Our descriptors and what each is."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the listing's own
    return found


def marked(value, name=MARK):
    """The pids of living processes with this in their environment, ours excepted."""
    wanted = f"{name}={value}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and int(entry) != os.getpid():
            try:
                environment = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in environment:
                found.append(int(entry))
    return found


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def program(name):
    """The path of a program, or the test is skipped; with PROCCTL_NEED_SERVICES=1 it fails."""
    import shutil

    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None and os.environ.get("PROCCTL_NEED_SERVICES") == "1":
        pytest.fail(f"{name} is not installed")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


async def texts(process, **options):
    """The lines that a process has written, those after its end too."""
    async with process.logs(**options) as lines:
        return [line.text async for line in lines]


async def finished(agent, name, command, **declared):
    """Run something to its end: the process and how it ended."""
    process = await agent.start(name, command, **declared)
    return process, await process.wait()


async def collected(fleet, count, **options):
    """So many lines of a stream that goes on."""
    async with fleet.logs(follow=True, **options) as lines:
        found = []
        async for line in lines:
            found.append(line)
            if len(found) == count:
                return found


class Raw:
    """A program that speaks the protocol by hand: frames are lines of JSON on a unix socket."""

    def __init__(self, stream):
        self.stream = stream
        self.buffer = b""

    @classmethod
    async def connect(cls, path):
        return cls(await anyio.connect_unix(str(path)))

    async def send(self, *frames):
        """Documents, or bytes as they are."""
        data = [frame if isinstance(frame, bytes) else json.dumps(frame).encode() + b"\n" for frame in frames]
        await self.stream.send(b"".join(data))

    async def receive(self):
        """The next document."""
        while b"\n" not in self.buffer:
            self.buffer += await self.stream.receive(1 << 20)
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    async def ask(self, **document):
        """A request and what comes back."""
        await self.send(document)
        return await self.receive()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.stream.aclose()


async def becomes(process, condition):
    """Wait until what is true of a process fits."""
    with deadline():
        while not condition(await process.refresh()):
            await anyio.sleep(0.01)


async def beginning(agent, process):
    """The cursor of the first byte of a process's output."""
    async with agent.events(follow=False) as events:
        snapshot = await anext(events)
    return f"{snapshot.cursor.partition('.')[0]}.{process.uuid}.0"
