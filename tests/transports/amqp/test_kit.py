"""The kit holds what goes through a broker."""

import pytest

from procctl.testing import Promise, check_transport
from procctl.transports.amqp.transport import AmqpTransport

from .between import between
from .conftest import WORKER, address

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(120)]


@pytest.mark.in_turn
async def test_amqp(broker):
    async with between(broker.port) as way:
        report = await check_transport(
            AmqpTransport(),
            address(way.port, path=WORKER),
            heartbeat=0.3,
            identity="amqp:guest",
            outage=way.outage,
        )
    assert report.skipped.keys() == {Promise.FIREWALL}
    assert {*report.kept, *report.skipped} == {*Promise}
