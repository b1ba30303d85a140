"""The smallest transport over TCP, as a third party would write it: it proves nothing, so it needs credentials.

Also a program: an agent that joins over it. ``python tcp.py NAME HOST PORT TOKEN_FILE``
"""

import socket
import sys

import anyio

from procctl import Agent
from procctl.abc import Peer, Traits
from procctl.agent import links
from procctl.errors import Closed, PeerGone
from procctl.link.tokens import first_token
from procctl.transports.lines import MAX_ANSWER, MAX_FRAME
from procctl.transports.unix import UnixConnection


class TcpListener:
    """Bound to an address."""

    traits = Traits(max_frame=MAX_FRAME)

    def __init__(self, host):
        self._socket = socket.create_server((host, 0))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        self.urls = (f"tcp://{host}:{self.port}",)

    async def accept(self):
        try:
            await anyio.wait_readable(self._socket)
            sock, address = self._socket.accept()
        except (anyio.ClosedResourceError, ValueError, OSError):
            raise Closed("closed") from None
        sock.setblocking(False)
        return UnixConnection(sock, Peer(address=f"{address[0]}:{address[1]}"), MAX_FRAME)

    async def aclose(self):
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()


class There:
    """A controller that is joined over TCP."""

    name = "there"

    def __init__(self, host, port):
        self._address = host, port

    async def dial(self, name):
        sock = socket.socket()
        sock.setblocking(False)
        try:
            with anyio.fail_after(0.5):
                if sock.connect_ex(self._address):
                    await anyio.wait_writable(sock)
            if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, "no way")
        except (OSError, TimeoutError):
            sock.close()
            raise PeerGone("nobody answers there") from None
        return UnixConnection(sock, Peer(address=f"{self._address}"), MAX_ANSWER)


async def main(name, host, port, file):
    """An agent that notices quickly, and tries often."""
    from pathlib import Path

    from procctl.link import line

    links.HEARTBEAT, line.LONGEST_PAUSE = 0.4, 0.3
    async with Agent(name, join=There(host, int(port)), token=first_token(Path(file))) as agent:
        await agent.start("web", ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"], mode="one")
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
