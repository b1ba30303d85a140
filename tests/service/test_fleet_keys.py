"""A request has a key where it may reach the service more than once, and only there: an answer is kept for each key."""

import pytest

from procctl.abc import Pending
from procctl.core.messages import Batch
from procctl.service.fleet import Fleet

pytestmark = pytest.mark.anyio


class Remembers:
    def __init__(self):
        self.keys = []

    def submit(self, call):
        self.keys.append(call.key)
        return Pending.of(Batch())


async def test_over_a_line_each_request_has_a_key_of_its_own():
    service = Remembers()
    for fleet in (Fleet(service, keyed=True), Fleet(service, keyed=True)):
        await fleet.processes()
        await fleet.processes()
    assert len(set(service.keys)) == 4
    assert all(service.keys)


async def test_in_the_program_none_has():
    service = Remembers()
    await Fleet(service).processes()
    assert service.keys == [""]
