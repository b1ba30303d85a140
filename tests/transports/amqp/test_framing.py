"""Bytes as frames: whatever the pieces, and whatever a broker might say."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header, heartbeat

from procctl.transports.amqp.framing import BEAT, CHANNEL, Malformed, Message, Reader, content, method
from procctl.transports.amqp.letters import Letter, is_peer_of, peer_key
from procctl.transports.amqp.sequence import Marks

ID = "0123456789abcdef" * 2


def delivery(data, properties=None, max_frame=64):
    """A message as a broker delivers it."""
    publish = commands.Basic.Publish(exchange="x", routing_key="y")
    rest = content(publish, properties or commands.Basic.Properties(), data, max_frame)
    deliver = commands.Basic.Deliver("c", 1, False, "x", "y")
    return method(deliver) + rest[len(method(publish)) :]


def fed(data, max_body=1000):
    return list(Reader(max_body).feed(data))


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), min_size=1))
def test_pieces_of_any_size(data, sizes):
    whole = BEAT + delivery(data) + method(commands.Basic.Ack(7))
    reader, got, left = Reader(1000), [], whole
    while left:
        for size in sizes:
            got += reader.feed(left[:size])
            left = left[size:]
    beat, message, ack = got
    assert (beat, message.body, message.size, ack.delivery_tag) == (None, data, len(data), 7)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 57, 112, 1000])
def test_bodies_around_the_length_of_a_frame(size):
    (message,) = fed(delivery(b"x" * size))
    assert message.body == b"x" * size


def test_a_body_that_is_too_large_is_not_kept():
    big, small = fed(delivery(b"x" * 1001) + delivery(b"y"))
    assert (big.body, big.size, small.body) == (None, 1001, b"y")


DELIVER = method(commands.Basic.Deliver("c", 1, False, "x", "y"))
BODY = frame.marshal(body.ContentBody(b"abc"), CHANNEL)


@pytest.mark.parametrize(
    "data",
    [
        b"AMQP\0\0\x09\x01",
        b"\x01\0\1\xff\xff\xff\xff" + b"x" * 100,
        method(commands.Basic.Ack(7))[:-1] + b"\0",
        b"\x09\0\1\0\0\0\1x\xce",
        b"\x01\0\1\0\0\0\4\xff\xff\xff\xff\xce",
        b"\x01\0\1\0\0\0\0\xce",
        BODY,
        DELIVER + BODY,
        frame.marshal(header.ContentHeader(0, 3, commands.Basic.Properties()), CHANNEL),
        DELIVER + frame.marshal(header.ContentHeader(0, 2, commands.Basic.Properties()), CHANNEL) + BODY,
    ],
    ids=range(10),
)
def test_what_is_not_amqp(data):
    with pytest.raises(Malformed):
        fed(data)


@given(st.binary(max_size=200))
def test_nothing_else_is_ever_raised(data):
    for what in (data, DELIVER + data, b"\2\0\1" + len(data).to_bytes(4, "big") + data + b"\xce"):
        with contextlib.suppress(Malformed):
            fed(what)


def test_a_sign_of_life_is_one():
    assert heartbeat.Heartbeat().marshal() == BEAT


def letter(**changed):
    made = {"kind": "frame", "connection": ID, "sender": "peer.me.x", "user": "me", "number": 3, "body": b"{}"}
    return Letter(**{**made, "size": 2, "marks": Marks(2, 1), **changed})


def test_a_letter_survives_the_way():
    for sent in (letter(), letter(kind="bye", number=0, text="enough"), letter(kind="open", number=0, text="web")):
        (message,) = fed(delivery(sent.body, sent.properties(), 1 << 17))
        assert sent == Letter.read(message)


FOREIGN = commands.Basic.Properties


@pytest.mark.parametrize(
    "properties",
    [
        FOREIGN(),
        FOREIGN(message_type="frame"),
        FOREIGN(message_type="frame", correlation_id=ID),
        FOREIGN(message_type="frame", correlation_id=ID, message_id=f"{ID}.0"),
        FOREIGN(message_type="frame", correlation_id=ID, message_id=f"{ID}.-1"),
        FOREIGN(message_type="frame", correlation_id=ID, message_id=f"{ID}.{'9' * 99}"),
        FOREIGN(message_type="frame", correlation_id="x", message_id="x.1"),
        FOREIGN(message_type="gossip", correlation_id=ID),
    ],
)
def test_what_is_no_letter(properties):
    assert Letter.read(Message(commands.Basic.Deliver(), properties, 0, b"")) is None


@pytest.mark.parametrize("headers", [None, {}, {"got": "1"}, {"got": -1, "read": True}, {"got": 1.5, "read": None}])
def test_headers_that_make_no_sense(headers):
    properties = FOREIGN(message_type="mark", correlation_id=ID, headers=headers)
    read = Letter.read(Message(commands.Basic.Deliver(), properties, 0, b""))
    assert (read.marks, read.text, read.user, read.sender) == (Marks(0, 0), "", "", "")


def test_whose_a_routing_key_is():
    assert is_peer_of(peer_key("web-01", ID), "web-01")
    assert is_peer_of(peer_key("we ird#*", ID), "we ird#*")
    assert "#" not in peer_key("#", ID)
    for key in ("listen.controller", f"peer.web-02.{ID}", "peer.web-01.x", f"peer.web-01.{ID}.x", ""):
        assert not is_peer_of(key, "web-01")
