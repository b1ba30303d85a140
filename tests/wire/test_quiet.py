"""The frame that comes most often, read by a shorter way: to the same end, and never to another."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from procctl.core.messages import Heartbeat
from procctl.core.records import Item
from procctl.core.replies import NOTHING_NEW, Heard
from procctl.wire import codec
from procctl.wire.envelope import dump, load, open_envelope
from procctl.wire.ledger import MAX_OPEN, Called, Ledger, Send
from procctl.wire.quiet import quiet

DIGEST = "c063900e96c6c92e"
FRAME = b'{"id":7,"by":"north","command":"heartbeat","beat":41,"digest":"c063900e96c6c92e"}'


def long_way(frame):
    envelope = open_envelope(load(frame))
    return envelope.id, envelope.by, codec.request_in(envelope.command, envelope.body)


def test_a_heartbeat_of_ours_goes_the_short_way():
    _, frame = Ledger().ask(Heartbeat(beat=41, digest=DIGEST), by="north")
    assert quiet(frame) == (1, "north", Heartbeat(beat=41, digest=DIGEST)) == long_way(frame)
    _, frame = Ledger().ask(Heartbeat(beat=41, digest=DIGEST))
    assert quiet(frame) == (1, "", Heartbeat(beat=41, digest=DIGEST)) == long_way(frame)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.replace(b"41", b"041"),
        FRAME.replace(b"41", b"-1"),
        FRAME.replace(b"41", b"1e3"),
        FRAME.replace(b"41", b"9" * 16),
        FRAME.replace(b"north", b'no"rth'),
        FRAME.replace(b"north", b"no\\u0020rth"),
        FRAME.replace(b"north", "nörth".encode()),
        FRAME.replace(b"north", b"no\x00rth"),
        FRAME.replace(DIGEST.encode(), DIGEST.upper().encode()),
        FRAME.replace(DIGEST.encode(), b""),
        FRAME[:-1],
        FRAME + b"\n",
        FRAME + b"}",
        b" " + FRAME,
        FRAME.replace(b"heartbeat", b"status"),
        dump({"id": 7, **codec.request_out(Heartbeat(beat=41, whole=True, digest=DIGEST))}),
        dump({"id": 7, **codec.request_out(Heartbeat(beat=41, gone=("x",), digest=DIGEST))}),
        dump({"id": 7, **codec.request_out(Heartbeat(beat=4, items=(Item(name="a", uuid="b", hostname="c"),)))}),
    ],
)
def test_everything_else_goes_the_long_way(frame):
    assert quiet(frame) is None


@given(st.binary(max_size=4), st.integers(0, len(FRAME)), st.integers(0, 4))
@example(b"", 0, 0)
def test_the_short_way_leads_nowhere_else(piece, at, cut):
    frame = FRAME[:at] + piece + FRAME[at + cut :]
    found = quiet(frame)
    assert found is None or found == long_way(frame)


def test_a_ledger_treats_it_as_every_other_request():
    ledger = Ledger()
    got = ledger.receive(FRAME)
    assert (type(got), got.id, got.request.beat, got.envelope.by, got.envelope.key) == (Called, 7, 41, "north", "")
    assert type(ledger.receive(FRAME)) is Send  # it is open already
    assert ledger.reply(7, NOTHING_NEW) == [b'{"re":7,"heard":{}}'] == ledger.reply(7, Heard())
    other = ledger.receive(FRAME.replace(b"north", b"south"))
    assert other.envelope.by == "south"


def test_so_many_may_be_open_and_no_more():
    ledger = Ledger()
    for number in range(MAX_OPEN):
        assert type(ledger.receive(FRAME.replace(b'"id":7', b'"id":%d' % number))) is Called
    assert b'"busy"' in ledger.receive(FRAME.replace(b'"id":7', b'"id":99999')).frame
