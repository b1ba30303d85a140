"""What Python itself allows on this machine: spawn loops, and one small request and its answer at a time.

Prints lines of a name and a value, as limits.c does.

    limits.py spawn popen|posix|asyncio|trio N CHILD FIFO
    limits.py rtt asyncio-unix|asyncio-tcp|trio-unix|zmq-reqrep|zmq-dealer-router SECONDS
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

MESSAGE = b"x" * 63 + b"\n"
now = time.monotonic_ns
Reap = Callable[[], object]


# spawning ---------------------------------------------------------------------------------------------------------


def by_popen(n: int, argv: list[str]) -> tuple[list[int], Reap]:
    children = [subprocess.Popen(argv) for _ in range(n)]
    return [child.pid for child in children], lambda: [child.wait() for child in children]


def by_posix_spawn(n: int, argv: list[str]) -> tuple[list[int], Reap]:
    pids = [os.posix_spawn(argv[0], argv, os.environ) for _ in range(n)]
    return pids, lambda: [os.waitpid(pid, 0) for pid in pids]


def by_asyncio(n: int, argv: list[str]) -> tuple[list[int], Reap]:
    async def spawn() -> list[asyncio.subprocess.Process]:
        return [await asyncio.create_subprocess_exec(*argv) for _ in range(n)]

    async def reap() -> None:
        await asyncio.gather(*(child.wait() for child in children))

    runner = asyncio.Runner()
    children = runner.run(spawn())
    return [child.pid for child in children], lambda: runner.run(reap())


def by_trio(n: int, argv: list[str]) -> tuple[list[int], Reap]:
    import trio

    async def spawn() -> list[trio.Process]:
        return [await trio.lowlevel.open_process(argv) for _ in range(n)]

    children = trio.run(spawn)
    return [child.pid for child in children], lambda: [os.waitpid(child.pid, 0) for child in children]


WAYS = {"popen": by_popen, "posix": by_posix_spawn, "asyncio": by_asyncio, "trio": by_trio}


def spawn(how: str, n: int, child: str, fifo: str) -> None:
    """Seconds until all have reported, and from SIGTERM to all reaped."""
    if how == "trio":
        import trio  # noqa: F401  not part of what is timed
    with contextlib.suppress(FileExistsError):
        os.mkfifo(fifo, 0o600)
    fd = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
    begin = now()
    pids, reap = WAYS[how](n, [child, "pause", fifo])
    last = max(struct.unpack("IIQ", os.read(fd, 16))[2] for _ in range(n))
    print(f"running_s {(last - begin) / 1e9:.6f}")
    begin = now()
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    reap()
    print(f"stop_s {(now() - begin) / 1e9:.6f}", flush=True)


# request and answer -----------------------------------------------------------------------------------------------

Told = Callable[[int], None]
"""Called by a server with its port, or 1, when it listens."""


class AsyncioPair:
    """asyncio's streams."""

    def __init__(self, path: str | None) -> None:
        self._path = path

    def serve(self, told: Told) -> None:
        asyncio.run(self._serve(told))

    async def _serve(self, told: Told) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readline():
                writer.write(MESSAGE)
                await writer.drain()

        if self._path is not None:
            server = await asyncio.start_unix_server(handle, self._path)
            told(1)
        else:
            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            told(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    def ask(self, port: int, seconds: float) -> list[int]:
        return asyncio.run(self._ask(port, seconds))

    async def _ask(self, port: int, seconds: float) -> list[int]:
        if self._path is not None:
            reader, writer = await asyncio.open_unix_connection(self._path)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        taken, begin, end = [], now(), now() + seconds * 1e9
        while begin < end:
            writer.write(MESSAGE)
            await reader.readline()
            taken.append(now() - begin)
            begin += taken[-1]
        return taken


class TrioPair:
    """trio's streams."""

    def __init__(self, path: str) -> None:
        self._path = path

    def serve(self, told: Told) -> None:
        import trio

        async def handle(stream: trio.SocketStream) -> None:
            async for _ in stream:
                await stream.send_all(MESSAGE)

        async def main() -> None:
            sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
            await sock.bind(self._path)
            sock.listen(5)
            told(1)
            await trio.serve_listeners(handle, [trio.SocketListener(sock)])

        trio.run(main)

    def ask(self, port: int, seconds: float) -> list[int]:
        import trio

        async def main() -> list[int]:
            stream = await trio.open_unix_socket(self._path)
            taken, begin, end = [], now(), now() + seconds * 1e9
            while begin < end:
                await stream.send_all(MESSAGE)
                await stream.receive_some()
                taken.append(now() - begin)
                begin += taken[-1]
            return taken

        return trio.run(main)


class ZmqPair:
    """pyzmq, blocking. Args: routed: DEALER and ROUTER; else REQ and REP."""

    def __init__(self, path: str, routed: bool) -> None:
        self._url = f"ipc://{path}"
        self._routed = routed

    def serve(self, told: Told) -> None:
        import zmq

        sock: Any = zmq.Context().socket(zmq.ROUTER if self._routed else zmq.REP)
        sock.bind(self._url)
        told(1)
        while True:
            sock.send_multipart(sock.recv_multipart())

    def ask(self, port: int, seconds: float) -> list[int]:
        import zmq

        sock: Any = zmq.Context().socket(zmq.DEALER if self._routed else zmq.REQ)
        sock.linger = 0
        sock.connect(self._url)
        taken, begin, end = [], now(), now() + seconds * 1e9
        while begin < end:
            sock.send(MESSAGE)
            sock.recv()
            taken.append(now() - begin)
            begin += taken[-1]
        return taken


def pair_of(how: str, path: str) -> AsyncioPair | TrioPair | ZmqPair:
    match how:
        case "asyncio-unix":
            return AsyncioPair(path)
        case "asyncio-tcp":
            return AsyncioPair(None)
        case "trio-unix":
            return TrioPair(path)
    return ZmqPair(path, how == "zmq-dealer-router")


def rtt(how: str, seconds: float) -> None:
    """The server is a process of its own."""
    with tempfile.TemporaryDirectory(prefix="rtt-") as folder:
        pair = pair_of(how, f"{folder}/s")
        reading, writing = os.pipe()
        server = os.fork()
        if server == 0:
            try:
                pair.serve(lambda port: os.write(writing, struct.pack("I", port)) and None)
            finally:
                os._exit(1)
        os.close(writing)
        try:
            (port,) = struct.unpack("I", os.read(reading, 4))
            taken = pair.ask(port, seconds)
        finally:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
    print(f"requests_per_s {len(taken) / (sum(taken) / 1e9):.0f}")
    taken.sort()
    print(f"rtt_median_us {taken[len(taken) // 2] / 1e3:.2f}")
    print(f"rtt_p99_us {taken[int((len(taken) - 1) * 0.99)] / 1e3:.2f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "spawn":
        spawn(sys.argv[2], int(sys.argv[3]), *sys.argv[4:6])
    else:
        rtt(sys.argv[2], float(sys.argv[3]))
    os._exit(0)  # libraries that would tidy up after their children have none left
