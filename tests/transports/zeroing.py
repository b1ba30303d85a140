"""Ends of links over ZeroMQ for tests: of procctl, and raw sockets that keep to nothing."""

import json
from contextlib import asynccontextmanager, contextmanager

import anyio
import zmq

from procctl.transports.zeromq.keys import new_pair, write_pair
from procctl.transports.zeromq.transport import ZmqIpcTransport, ZmqTcpTransport

TCP = ZmqTcpTransport()
IPC = ZmqIpcTransport()
ANY = "zmq+tcp://127.0.0.1:0"
HELLO = b"h" + json.dumps({"v": 1, "name": "raw", "max_frame": 1 << 20}).encode()


@asynccontextmanager
async def listening(url=ANY, **options):
    """A listener."""
    transport = IPC if url.startswith("zmq+ipc") else TCP
    listener = await transport.listen(url, options)
    try:
        yield listener
    finally:
        await listener.aclose()


@asynccontextmanager
async def linked(listener, **options):
    """A connection to it: both ends."""
    transport = IPC if listener.urls[0].startswith("zmq+ipc") else TCP
    near = await transport.connect(listener.urls[0], "me", options)
    far = await listener.accept()
    try:
        yield near, far
    finally:
        await near.aclose()
        await far.aclose()


class Raw:
    """A DEALER that says what it is told."""

    def __init__(self, url, options):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        for option, value in options.items():
            self.socket.setsockopt(option, value)
        self.socket.connect(url.partition("+")[2].partition("?")[0])

    async def send(self, *parts):
        self.socket.send_multipart(parts)

    async def receive(self):
        while not self.socket.poll(0):
            await anyio.sleep(0.005)
        return self.socket.recv_multipart()[0]


@contextmanager
def raw(url, options=None):
    """One that is connected."""
    made = Raw(url, options or {})
    try:
        yield made
    finally:
        made.context.destroy(0)


def key(place, name):
    """A pair whose secret key is in a file of that name."""
    pair = new_pair()
    write_pair(place / name, pair)
    return pair
