"""The transports over ZeroMQ keep their promises."""

import pytest

from procctl.testing import Promise, check_transport
from procctl.transports.zeromq.keys import new_pair, write_pair
from procctl.transports.zeromq.transport import ZmqIpcTransport, ZmqTcpTransport

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(90)]

HEARTBEAT = 0.3


@pytest.mark.in_turn
async def test_tcp():
    report = await check_transport(ZmqTcpTransport(), "zmq+tcp://127.0.0.1:0", heartbeat=HEARTBEAT)
    print(report)


@pytest.mark.in_turn
async def test_ipc(place):
    report = await check_transport(ZmqIpcTransport(), f"zmq+ipc://{place}/s", heartbeat=HEARTBEAT)
    print(report)


@pytest.mark.in_turn
async def test_curve(place):
    server, client = new_pair(), new_pair()
    write_pair(place / "server", server)
    write_pair(place / "client", client)
    report = await check_transport(
        ZmqTcpTransport(),
        "zmq+tcp://127.0.0.1:0",
        listen_options={"key": f"{place}/server"},
        connect_options={"key": f"{place}/client", "server": server.public},
        identity=f"curve:{client.public}",
        heartbeat=HEARTBEAT,
    )
    assert Promise.PROVEN in report.kept
    print(report)
