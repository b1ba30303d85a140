"""The REST interface against a trivial route on the same server: one client with a lasting connection.

    python benchmarks/rest.py [--backend asyncio|trio] [--seconds 3]

Server and client are processes of their own. The trivial route is one of Starlette's that answers a constant text of
the same size. The client speaks HTTP/1.1 over a bare socket, so that it costs both the same, and takes turns.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
from time import monotonic

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

import procctl
from procctl.gateways.http import asgi
from procctl.gateways.http.server import bound, serving
from procctl.link.door import Door
from procctl.transports.http.place import place_of

GOAL = 0.7
TURNS = 5
BODY = json.dumps({"items": [{"name": "web", "state": "running", "padding": "x" * 370}]}).encode()


async def trivial(request: Request) -> Response:
    """What any application could answer."""
    return Response(BODY, media_type="application/json")


async def serve() -> None:
    """An agent with one process, and both routes."""
    async with procctl.Agent("here") as agent:
        web = await agent.start("web", ["sleep", "1000"])
        rest = asgi(agent, door=Door(owner=True), hosts=["127.0.0.1"])
        app = Starlette(routes=[Route("/trivial", trivial), Mount("/procctl", rest)])
        sockets = await bound(place_of("http://127.0.0.1:0"))
        async with serving(app, sockets):
            print(json.dumps({"port": sockets[0].getsockname()[1], "uuid": web.uuid}), flush=True)
            await anyio.to_thread.run_sync(sys.stdin.read)


class Client:
    """One connection. Args: port: On loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def get(self, path: str) -> bytes:
        """The body of an answer, which has to be 200."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
        status = self._file.readline()
        if not status:  # a server ends a connection after so many requests
            self._connect()
            return self.get(path)
        if b" 200 " not in status:
            raise RuntimeError(f"{path}: {status!r}")
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return self._file.read(length)

    def rate(self, path: str, seconds: float) -> float:
        """Answers per second."""
        count, begun = 0, monotonic()
        while monotonic() - begun < seconds:
            self.get(path)
            count += 1
        return count / (monotonic() - begun)


def measure(backend: str, seconds: float) -> dict[str, float]:
    """Answers per second of each, in turns."""
    command = [sys.executable, __file__, "--serve", "--backend", backend]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        client = Client(told["port"])
        paths = {
            "trivial": "/trivial",
            "one by uuid": f"/procctl/processes/{told['uuid']}?stats=false",
            "one by name": "/procctl/processes?name=web&stats=false",
            "one, with memory and CPU": "/procctl/processes?name=web",
        }
        sums = dict.fromkeys(paths, 0.0)
        for _ in range(TURNS):
            for name, path in paths.items():
                sums[name] += client.rate(path, seconds / TURNS)
        server.communicate()
    return {name: total / TURNS for name, total in sums.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("asyncio", "trio"))
    parser.add_argument("--seconds", type=float, default=3.0, help="for each rate (3)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        anyio.run(serve, backend=given.backend)
        return
    for backend in [given.backend] if given.backend else ["asyncio", "trio"]:
        rates = measure(backend, given.seconds)
        base = rates.pop("trivial")
        print(f"{backend}: a trivial route {base:,.0f}/s")
        for name, rate in rates.items():
            print(f"  {name:26} {rate:7,.0f}/s  {rate / base:.2f} (goal ≥ {GOAL:g})")


if __name__ == "__main__":
    main()
