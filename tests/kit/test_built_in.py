"""The kit holds the transports that come with procctl."""

import os

import pytest

from procctl.testing import Promise, check_transport
from procctl.transports.memory import MemoryTransport
from procctl.transports.unix import UnixTransport

from .relayed import Relayed

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(90)]

HEARTBEAT = 0.3


async def test_memory():
    report = await check_transport(MemoryTransport(), "memory:kit", heartbeat=HEARTBEAT)
    assert report.skipped.keys() == {
        *(Promise.LIMITED, Promise.DIES, Promise.HANGS, Promise.FIREWALL, Promise.SUSPENDS),
    }
    assert {*report.kept, *report.skipped} == {*Promise}


@pytest.mark.in_turn
async def test_unix(place):
    report = await check_transport(UnixTransport(), f"unix://{place}/s", heartbeat=HEARTBEAT)
    assert (report.skipped.keys(), {*report.kept, *report.skipped}) == ({Promise.SUSPENDS}, {*Promise})
    assert report.figures["hang"] > report.figures["death"]


@pytest.mark.seconds(300)
@pytest.mark.skipif(os.environ.get("PROCCTL_KIT") != "all", reason="nox -s kit runs it")
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_relay_over_stdin_and_stdout(place):
    """A process for each connection: slow, and so on one backend only."""
    report = await check_transport(Relayed(), f"unix://{place}/s", heartbeat=HEARTBEAT)
    assert (report.skipped.keys(), {*report.kept, *report.skipped}) == ({Promise.SUSPENDS}, {*Promise})
