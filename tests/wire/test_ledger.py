"""The bookkeeping of one link: asking, answering, streams, parts of long answers, and what a hostile peer sends."""

import pytest
from attrs import evolve

from procctl.core import messages as m
from procctl.core.records import Item
from procctl.wire.envelope import MAX_DEPTH, Envelope, dump, load
from procctl.wire.ledger import (
    MAX_OPEN,
    PART,
    Called,
    Cancelled,
    Complaint,
    Credit,
    Ended,
    Gave,
    Ledger,
    Replied,
    Send,
)

CHUNK = m.LogChunk(uuid="u", name="web", hostname="a", stream="stdout", time=1.0, text="hi\n", cursor="e-1")


def asking(request, **how):
    """A ledger that has asked one thing."""
    made = Ledger()
    number, _ = made.ask(request, **how)
    assert number == 1
    return made


def said(ledger, **document):
    """A frame of the peer's."""
    return ledger.receive(dump(document))


def called(ledger, number=7, command="status", **more):
    got = said(ledger, id=number, command=command, **more)
    assert isinstance(got, Called)
    return got


def error(got):
    """What is sent back: the number that it is addressed to, the code, the message."""
    assert isinstance(got, Send)
    document = load(got.frame)
    assert {"code", "message"} <= document["error"].keys()
    return document.get("re"), document["error"]["code"], document["error"]["message"]


def items(count):
    return tuple(Item(name=f"p{n}", uuid=str(n), hostname="a") for n in range(count))


# asking -----------------------------------------------------------------------------------------------------------


def test_numbers_grow_from_one():
    made = Ledger()
    assert [made.ask(m.Status())[0] for _ in range(3)] == [1, 2, 3]


def test_a_request_carries_what_is_said_about_it():
    _, frame = Ledger().ask(m.Stop(name="web"), key="k", by="ann", until="exit", deadline=2.5)
    expected = {"id": 1, "key": "k", "by": "ann", "until": "exit", "deadline": 2.5, "command": "stop", "name": "web"}
    assert expected == load(frame)


def test_what_is_not_said_is_left_out():
    assert Ledger().ask(m.Status())[1] == b'{"id":1,"command":"status"}'


def test_what_is_only_told_has_no_number():
    assert Ledger().tell(m.Heartbeat()) == b'{"command":"heartbeat"}'


def test_what_cannot_be_said_is_not_open():
    made = Ledger()
    with pytest.raises(ValueError):
        made.ask(m.Stop(name="web", grace=float("inf")))
    assert made.give_up(1) is None


def test_an_answer_closes_the_request():
    made = asking(m.AgentStop())
    assert Replied(1, m.Done()) == said(made, re=1, done={})
    assert said(made, re=1, done={}) is None


def test_a_refusal_is_an_answer():
    made = asking(m.Status())
    assert Replied(1, m.Failure(code="no", message="why")) == said(made, re=1, error={"code": "no", "message": "why"})


@pytest.mark.parametrize(
    "answer", [{}, {"status": 7}, {"grant": {}}, {"error": {}}, {"error": {"code": 1, "message": ""}}, {"yes": True}]
)
def test_an_answer_that_cannot_be_read_is_an_answer_too(answer):
    got = said(asking(m.Status()), re=1, **answer)
    assert (Replied, 1, "bad-reply") == (type(got), got.id, got.reply.code)


def test_an_answer_to_what_was_not_asked_is_dropped():
    assert said(Ledger(), re=1, done={}) is None


def test_an_answer_to_what_was_given_up_is_dropped():
    made = asking(m.Status())
    assert made.give_up(1) == b'{"to":1,"cancel":true}'
    assert (said(made, re=1, status={}), made.give_up(1)) == (None, None)


def test_what_is_answered_is_not_given_up():
    made = asking(m.Status())
    said(made, re=1, status={})
    assert made.give_up(1) is None


def test_an_end_is_no_answer_to_a_plain_request():
    got = said(asking(m.Status()), re=1, end=True)
    assert (Replied, "bad-reply") == (type(got), getattr(getattr(got, "reply", None), "code", ""))


# parts of long answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "frames"), [(0, 1), (PART, 1), (PART + 1, 2), (2 * PART, 2), (2 * PART + 1, 3)])
def test_a_long_answer_comes_in_parts(count, frames):
    far, near = Ledger(), asking(m.Status())
    called(far, 1)
    whole = m.Batch(items=items(count), misses=(m.Miss(target="x", code="y", message="z"),))
    sent = far.reply(1, whole)
    assert frames == len(sent)
    got = [near.receive(frame) for frame in sent]
    assert [None] * (frames - 1) + [Replied(1, whole)] == got


def test_the_parts_of_what_was_given_up_are_dropped():
    far, near = Ledger(), asking(m.Status())
    called(far, 1)
    near.give_up(1)
    assert [near.receive(frame) for frame in far.reply(1, m.Batch(items=items(PART + 1)))] == [None, None]


@pytest.mark.parametrize("part", [{}, {"status": []}, {"status": {"a": [{}]}}, {"misses": []}])
def test_a_part_that_cannot_be_read_is_complained_about(part):
    made = asking(m.Status())
    assert error(said(made, re=1, item=part))[:2] == (None, "bad-message")
    assert isinstance(said(made, re=1, status={}), Replied)


# streams of ours --------------------------------------------------------------------------------------------------


def test_items_of_a_stream_are_given():
    near, far = asking(m.Logs(name="web")), Ledger()
    assert Gave(1, CHUNK) == near.receive(far.item(1, 1, CHUNK))


def test_events_are_given():
    event = m.Removed(time=1.0, process=Item(name="web", uuid="u", hostname="a"))
    assert Gave(1, event) == asking(m.Events()).receive(Ledger().item(1, 1, event))


@pytest.mark.parametrize("gap", [m.Lost(count=3, first="a-1", next="a-4"), m.Lost(count=None, first="x", next="a-4")])
def test_gaps_are_given_as_gaps(gap):
    assert Gave(1, gap) == asking(m.Events()).receive(Ledger().item(1, 1, gap))


def test_the_end_of_a_stream_closes_it():
    near = asking(m.Events())
    assert Ended(1) == near.receive(Ledger().end(1))
    assert near.receive(Ledger().item(1, 1, CHUNK)) is None


def test_a_stream_may_be_refused():
    near = asking(m.Events())
    failure = m.Failure(code="no", message="why")
    assert Ended(1, failure) == said(near, re=1, error={"code": "no", "message": "why"})


def test_a_stream_that_is_answered_otherwise_has_broken():
    got = said(asking(m.Events()), re=1, nonsense=1)
    assert (Ended, "bad-reply") == (type(got), got.failure.code)


def test_an_item_that_cannot_be_read_does_not_end_the_stream():
    near = asking(m.Logs())
    assert error(said(near, re=1, seq=1, item={"text": 1}))[:2] == (None, "bad-message")
    assert Gave(1, CHUNK) == near.receive(Ledger().item(1, 2, CHUNK))


def test_credit_is_the_askers_word():
    assert asking(m.Logs()).credit(1, 16) == b'{"to":1,"credit":16}'


def test_credit_for_input_is_none_of_a_request_without_input():
    near = asking(m.Logs())
    assert said(near, re=1, credit=5) is None
    assert Gave(1, CHUNK) == near.receive(Ledger().item(1, 1, CHUNK))


# answering --------------------------------------------------------------------------------------------------------


def test_a_request_is_a_call_with_its_envelope():
    got = called(Ledger(), 7, "stop", name="web", key="k", by="ann", until="exit", deadline=3)
    assert (7, m.Stop(name="web")) == (got.id, got.request)
    assert (got.envelope.key, got.envelope.by, got.envelope.until, got.envelope.deadline) == ("k", "ann", "exit", 3)


def test_a_request_without_a_number_is_answered_without_one():
    made = Ledger()
    got = said(made, command="status", hostname="", uuid="")
    expected = Envelope(body={"hostname": "", "uuid": ""}, command="status")
    assert Called(None, m.Status(), expected) == got
    assert made.reply(None, m.Batch()) == [b'{"status":{}}']


def test_an_answer_carries_the_number():
    made = Ledger()
    called(made)
    assert made.reply(7, m.Done()) == [b'{"re":7,"done":{}}']


def test_items_are_counted():
    made = Ledger()
    called(made, 7, "logs")
    document = load(made.item(7, 3, CHUNK))
    assert (document["re"], document["seq"], document["item"]["text"]) == (7, 3, "hi\n")
    assert made.item(7, 4, m.Lost(count=None, first="a", next="b")) == b'{"re":7,"lost":null,"first":"a","next":"b"}'
    assert made.end(7) == b'{"re":7,"end":true}'


def test_the_askers_word_reaches_its_request():
    made = Ledger()
    called(made, 7, "logs")
    assert Credit(7, 16) == said(made, to=7, credit=16)
    assert Cancelled(7) == said(made, to=7, cancel=True)


@pytest.mark.parametrize("word", [{}, {"credit": 0}, {"cancel": False}, {"end": True}, {"item": {}}])
def test_a_word_that_says_nothing_is_dropped(word):
    made = Ledger()
    called(made, 7, "logs")
    assert said(made, to=7, **word) is None


@pytest.mark.parametrize("close", [Ledger.end, Ledger.dropped, lambda made, number: made.reply(number, m.Done())])
def test_a_word_about_what_is_closed_is_dropped(close):
    made = Ledger()
    called(made)
    close(made, 7)
    assert said(made, to=7, cancel=True) is None


def test_a_number_is_free_when_its_request_is_closed():
    made = Ledger()
    called(made)
    made.reply(7, m.Done())
    assert called(made).id == 7


def test_one_number_may_be_open_in_both_directions():
    made = asking(m.Status())
    called(made, 1, "logs")
    assert Credit(1, 2) == said(made, to=1, credit=2)
    assert Replied(1, m.Batch()) == said(made, re=1, status={})
    assert Cancelled(1) == said(made, to=1, cancel=True)


# what is wrong ----------------------------------------------------------------------------------------------------


def test_a_number_that_is_open_is_not_opened_again():
    made = Ledger()
    called(made)
    assert error(said(made, id=7, command="status")) == (None, "bad-message", "request 7 is open already at $.id")
    assert made.reply(7, m.Done()) == [b'{"re":7,"done":{}}']


@pytest.mark.parametrize("fault", [{"until": "soon"}, {"key": 1}, {"deadline": -1}, {"command": 5}])
def test_an_error_never_passes_for_the_answer_to_what_is_open(fault):
    made = Ledger()
    called(made)
    assert error(said(made, **{"id": 7, "command": "status", **fault}))[:2] == (None, "bad-message")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"id": 7, "command": "statsu"}, (7, "unknown-command", "unknown command 'statsu'; did you mean 'status'?")),
        ({"command": "statsu"}, (None, "unknown-command", "unknown command 'statsu'; did you mean 'status'?")),
        ({"id": 7, "command": "status", "uuid": 1}, (7, "bad-message", "expected str, got int at $.uuid")),
        ({"command": "status", "uuid": 1}, (None, "bad-message", "expected str, got int at $.uuid")),
        ({"id": 7, "command": "status", "key": 1}, (7, "bad-message", "expected str, got int at $.key")),
        ({"id": 7, "command": 1}, (7, "bad-message", "expected str, got int at $.command")),
        ({"id": "7", "command": "status"}, (None, "bad-message", "expected int, got str at $.id")),
        ({"id": True, "command": "status"}, (None, "bad-message", "expected int, got bool at $.id")),
        ({"command": "logs"}, (None, "bad-message", "logs needs a number")),
        ({"re": "1", "done": {}}, (None, "bad-message", "expected int, got str at $.re")),
        ({}, (None, "bad-message", "expected a command, an answer, or a word about one at $")),
        ({"id": 7}, (None, "bad-message", "expected a command, an answer, or a word about one at $")),
        ({"command": "", "hostname": "", "uuid": ""}, (None, "bad-message", "expected a command")),
    ],
)
def test_what_is_wrong_is_said_to_whom_it_concerns(frame, expected):
    number, code, message = error(said(Ledger(), **frame))
    assert expected[:2] == (number, code)
    assert message.startswith(expected[2])


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'{"id":7,"command":"sta',
        b'{"id":7,"command":"status","command":"stop"}',
        b'{"id":7,"command":"stop","grace":NaN}',
        b'{"id":7,"command":"stop","grace":-Infinity}',
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b"[" * 50_000,
        b'{"id":' + b"9" * 5000 + b',"command":"status"}',
    ],
)
def test_a_frame_that_cannot_be_read_is_complained_about(frame):
    assert error(Ledger().receive(frame))[:2] == (None, "bad-message")


def test_the_link_goes_on_after_that():
    made = Ledger()
    made.receive(b"{")
    assert called(made).id == 7


def test_a_complaint_is_not_answered():
    assert Complaint("what?") == said(Ledger(), error={"code": "bad-message", "message": "what?"})
    assert Complaint("") == said(Ledger(), error={})
    assert len(said(Ledger(), error={"message": "x" * 999}).text) == 200
    assert Complaint("['x']") == said(Ledger(), error={"message": ["x"]})


def test_so_many_requests_may_be_open_and_no_more():
    made = Ledger()
    for number in range(MAX_OPEN):
        called(made, number)
    expected = (MAX_OPEN, "busy", f"{MAX_OPEN} requests are open on this link; wait for answers")
    assert expected == error(said(made, id=MAX_OPEN, command="status"))
    made.reply(0, m.Done())
    assert called(made, MAX_OPEN).id == MAX_OPEN


def test_what_was_refused_is_not_open():
    made = Ledger()
    error(said(made, id=7, command="statsu"))
    assert said(made, to=7, cancel=True) is None
    assert called(made).id == 7


def test_two_complaining_ledgers_fall_silent():
    one, other = Ledger(), Ledger()
    sent = one.receive(b"garbage")
    got = other.receive(sent.frame)
    assert isinstance(got, Complaint)


# two ledgers ------------------------------------------------------------------------------------------------------


def test_two_ledgers_understand_each_other():
    near, far = Ledger(), Ledger()
    number, frame = near.ask(m.Stop(name="web", grace=3.0), key="k", until="exit", deadline=9.0)
    got = far.receive(frame)
    assert (m.Stop(name="web", grace=3.0), "k", "exit", 9.0) == (
        got.request,
        got.envelope.key,
        got.envelope.until,
        got.envelope.deadline,
    )
    reply = evolve(m.Batch(), items=items(2))
    assert [Replied(number, reply)] == [near.receive(f) for f in far.reply(got.id, reply)]


def test_a_stream_from_its_beginning_to_its_end():
    near, far = Ledger(), Ledger()
    number, frame = near.ask(m.Logs(name="web", follow=True))
    assert m.Logs(name="web", follow=True) == far.receive(frame).request
    assert Credit(number, 2) == far.receive(near.credit(number, 2))
    assert Gave(number, CHUNK) == near.receive(far.item(number, 1, CHUNK))
    assert Cancelled(number) == far.receive(near.give_up(number))
    far.dropped(number)
    assert near.receive(far.end(number)) is None
