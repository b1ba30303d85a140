"""What programs say, understood or not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.events import ChildAnswered, ChildReported, QuestionAnswered
from procctl.core.words import MAX_METRICS, MAX_SAID, Nonsense, ReadySaid, question, understood


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("workerStarted", ChildAnswered("start")),
        ("startDone", ChildAnswered("start")),
        ("workerStopped", ChildAnswered("stop")),
        ("stopDone", ChildAnswered("stop")),
        ("ready", ReadySaid("ready")),
        ("listening", ReadySaid("listening")),
        ({"procctl": "ready"}, ReadySaid("ready")),
        ({"procctl": "refused", "action": "stop", "why": "busy"}, ChildAnswered("stop", "busy")),
        ({"procctl": "refused", "action": "stop"}, ChildAnswered("stop", "no reason given")),
        ({"procctl": "status", "text": "3 of\n7"}, ChildReported("3 of 7")),
        ({"procctl": "metrics", "values": {"jobs": 3}}, ChildReported(None, (("jobs", 3.0),))),
        ({"procctl": "answer", "id": 4, "data": [1, None]}, QuestionAnswered(4, "[1, null]")),
        ({"procctl": "answer", "id": 4, "refused": "no"}, QuestionAnswered(4, refusal="no")),
        (None, None),
        (7, None),
        ([], None),
        ({"type": "axm:monitor"}, None),
    ],
)
def test_understood(message, meaning):
    assert meaning == understood(message)


@pytest.mark.parametrize(
    "message",
    [
        {"procctl": "dance"},
        {"procctl": None},
        {"procctl": {"a": 1}},
        {"procctl": "refused", "action": "dance"},
        {"procctl": "refused", "action": "start", "why": 3},
        {"procctl": "status"},
        {"procctl": "status", "text": 3},
        {"procctl": "metrics", "values": [1]},
        {"procctl": "metrics", "values": {"a": "1"}},
        {"procctl": "metrics", "values": {"a": True}},
        {"procctl": "metrics", "values": {"a": 10**400}},
        {"procctl": "metrics", "values": {"": 1}},
        {"procctl": "metrics", "values": {"a\x1b": 1}},
        {"procctl": "metrics", "values": {str(i): i for i in range(MAX_METRICS + 1)}},
        {"procctl": "answer", "id": "4"},
        {"procctl": "answer", "id": True},
    ],
)
def test_not_understood(message):
    assert isinstance(understood(message), Nonsense)


def test_what_is_said_is_bounded_and_harmless():
    said = understood({"procctl": "status", "text": "\x1b[2J" + "x" * 9999}).said
    assert len(said) == MAX_SAID
    assert said.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["procctl", "id", "text", "values", "action", "why", "data"]), inner)
    ),
    max_leaves=9,
)


@given(JSON)
def test_any_message_has_a_meaning_or_none(message):
    understood(message)


@given(st.integers(1, 10**9), st.text(max_size=9), JSON)
def test_a_question_is_json(serial, action, data):
    document = {"procctl": "request", "id": serial, "action": action, "data": data}
    assert document == json.loads(question(serial, action, json.dumps(data)))
