"""The kit holds the WebSocket transport to its promises, over the gateway's own listener."""

import os

import pytest

from procctl.testing import Promise, check_transport

from .kit import Kit, secure, unix

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(90)]

HEARTBEAT = 0.3
thorough = pytest.mark.skipif("PROCCTL_KIT" not in os.environ, reason="nox -s kit runs it: half a minute each")


def whole(report):
    return report.skipped.keys() == {Promise.SUSPENDS} and {*report.kept, *report.skipped} == {*Promise}


@pytest.mark.in_turn
async def test_http():
    assert whole(await check_transport(Kit(), "http://127.0.0.1:0", heartbeat=HEARTBEAT, make="gateways.kit:Kit"))


@thorough
async def test_mutual_tls(certificates):
    report = await check_transport(
        secure(),
        "https://127.0.0.1:0",
        listen_options=certificates.server,
        connect_options=certificates.client,
        identity="cert:web-01",
        heartbeat=HEARTBEAT,
        make="gateways.kit:secure",
    )
    assert whole(report)


@thorough
async def test_a_unix_socket(place):
    report = await check_transport(unix(), f"http+unix://{place}/s", heartbeat=HEARTBEAT, make="gateways.kit:unix")
    assert whole(report)
