"""A request that comes again is read as the first was, and only if nothing but its number is another."""

import pytest

from procctl.core.messages import Status
from procctl.wire.ledger import Called, Ledger, Send

FRAME = b'{"id":%d,"command":"status","name":"web","stats":false}'


def heard(ledger, frame):
    got = ledger.receive(frame)
    if isinstance(got, Called) and got.id is not None:
        ledger.dropped(got.id)
    return got


def test_it_is_the_same_request_with_another_number():
    ledger = Ledger()
    first, second = heard(ledger, FRAME % 1), heard(ledger, FRAME % 20)
    assert (first.id, second.id) == (1, 20)
    assert second.request is first.request
    assert first.request == Status(name="web", stats=False)


def test_what_surrounds_it_counts():
    ledger = Ledger()
    heard(ledger, b'{"id": 1,"command":"status","until":"running","by":"ann"}')
    again = heard(ledger, b'{"id": 2,"command":"status","until":"running","by":"ann"}')
    other = heard(ledger, b'{"id": 3,"command":"status","until":"running","by":"eve"}')
    assert (again.id, again.envelope.until, again.envelope.by) == (2, "running", "ann")
    assert other.envelope.by == "eve"


def test_a_number_that_is_open_is_refused_as_ever():
    ledger = Ledger()
    ledger.receive(FRAME % 1)
    ledger.receive(FRAME % 2)
    assert isinstance(ledger.receive(FRAME % 2), Send)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"id":01,"command":"status","name":"web","stats":false}',
        b'{"id":-1,"command":"status","name":"web","stats":false}',
        b'{"id":1.5,"command":"status","name":"web","stats":false}',
        b'{"id":99999999999999999999,"command":"status","name":"web","stats":false}',
        b'{"id":"1","command":"status","name":"web","stats":false}',
        b'{"id":\xd9\xa1,"command":"status","name":"web","stats":false}',
        b'{"id":,"command":"status","name":"web","stats":false}',
    ],
)
def test_a_number_that_is_none_is_seen(frame):
    ledger = Ledger()
    heard(ledger, FRAME % 1)
    assert isinstance(heard(ledger, frame), Send)


def test_a_link_remembers_the_last_of_many():
    ledger = Ledger()
    for n in range(1000):
        heard(ledger, b'{"id":1,"command":"status","name":"n%d"}' % n)
    assert [b',"command":"status","name":"n%d"}' % n for n in range(936, 1000)] == list(ledger._repeated._known)


def test_heartbeats_do_not_drive_out_the_others():
    ledger = Ledger()
    for beat in range(2):
        heard(ledger, b'{"id":1,"command":"heartbeat","beat":%d,"digest":"0000000000000000","trace":"x"}' % beat)
    assert ledger._repeated._known == {}


def test_what_has_a_key_is_not_remembered():
    ledger = Ledger()
    heard(ledger, b'{"id":1,"command":"stop","name":"web","key":"k"}')
    assert ledger._repeated._known == {}
