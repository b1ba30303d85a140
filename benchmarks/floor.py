"""The least that a supervisor in Python can be: no policy, no safety. Not a product; a floor for procctl's figures.

    floor.py asyncio|trio SOCKET N LOGDIR|- ARGV...

One process. Children by subprocess.Popen, ends by pidfd, restarts at once, JSON lines over a unix socket, the stdout
of each child read in pieces of 64 KiB and written to LOGDIR/i.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any


class Floor:
    """What both loops share.

    Args:
        n: How many children.
        logs: A folder for their output, or "-".
        argv: The command line of each.
    """

    def __init__(self, n: int, logs: str, argv: list[str]) -> None:
        self.n = n
        self.want = True
        self._logs = logs
        self._argv = argv
        self._children: list[tuple[subprocess.Popen[bytes], float] | None] = [None] * n

    def spawn(self, i: int) -> tuple[subprocess.Popen[bytes], int]:
        """A child and its pidfd."""
        out = subprocess.DEVNULL if self._logs == "-" else subprocess.PIPE
        child = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=out)
        self._children[i] = (child, time.time())
        return child, os.pidfd_open(child.pid)

    def log_file(self, i: int) -> int:
        return os.open(f"{self._logs}/{i}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def answer(self, line: bytes, start: Callable[[int], Any]) -> bytes:
        """One request."""
        request = json.loads(line)
        result: Any = True
        match request["op"]:
            case "one":
                result = self._info(request["i"])
            case "all":
                result = [self._info(i) for i in range(self.n)]
            case "stop":
                self.want = False
                for place in self._children:
                    if place is not None and place[0].returncode is None:
                        place[0].send_signal(signal.SIGTERM)
            case "start":
                self.want = True
                for i in range(self.n):
                    start(i)
        return json.dumps(result).encode() + b"\n"

    def _info(self, i: int) -> dict[str, Any]:
        child, since = self._children[i] or (None, 0.0)
        up = child is not None and child.returncode is None
        pid = child.pid if child is not None and up else 0
        return {"name": f"c{i}", "state": "running" if up else "stopped", "pid": pid, "since": since}


def pump(source: IO[bytes], out: int) -> bool:
    """One piece of output; False at its end."""
    data = os.read(source.fileno(), 65536)
    os.write(out, data)
    return bool(data)


def on_asyncio(floor: Floor, path: str) -> None:
    import asyncio

    loop = asyncio.new_event_loop()

    def start(i: int) -> None:
        child, fd = floor.spawn(i)
        loop.add_reader(fd, died, i, child, fd)
        if child.stdout:
            loop.add_reader(child.stdout.fileno(), drain, child.stdout, floor.log_file(i))

    def drain(source: IO[bytes], out: int) -> None:
        if not pump(source, out):
            loop.remove_reader(source.fileno())

    def died(i: int, child: subprocess.Popen[bytes], fd: int) -> None:
        loop.remove_reader(fd)
        os.close(fd)
        child.wait()
        if floor.want:
            start(i)

    class Server(asyncio.Protocol):
        kept = b""

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            *lines, self.kept = (self.kept + data).split(b"\n")
            for line in lines:
                self.transport.write(floor.answer(line, start))

    for i in range(floor.n):
        start(i)
    loop.run_until_complete(loop.create_unix_server(Server, path))
    loop.run_forever()


def on_trio(floor: Floor, path: str) -> None:
    import trio

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            async def keep(i: int) -> None:
                while True:
                    child, fd = floor.spawn(i)
                    if child.stdout:
                        nursery.start_soon(drain, child.stdout, floor.log_file(i))
                    await trio.lowlevel.wait_readable(fd)
                    os.close(fd)
                    child.wait()
                    if not floor.want:
                        return

            async def drain(source: IO[bytes], out: int) -> None:
                while True:
                    await trio.lowlevel.wait_readable(source.fileno())
                    if not pump(source, out):
                        return

            async def serve(stream: trio.SocketStream) -> None:
                kept = b""
                async for data in stream:
                    *lines, kept = (kept + data).split(b"\n")
                    for line in lines:
                        await stream.send_all(floor.answer(line, lambda i: nursery.start_soon(keep, i)))

            for i in range(floor.n):
                nursery.start_soon(keep, i)
            sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            await sock.bind(path)
            sock.listen(64)
            await trio.serve_listeners(serve, [trio.SocketListener(sock)])

    trio.run(main)


if __name__ == "__main__":
    backend, path, n, logs, *argv = sys.argv[1:]
    {"asyncio": on_asyncio, "trio": on_trio}[backend](Floor(int(n), logs, argv), path)
