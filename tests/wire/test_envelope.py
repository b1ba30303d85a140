"""Frames as documents, and what surrounds a message in them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.messages import RESERVED, UNTIL
from procctl.errors import BadMessage
from procctl.wire.envelope import MAX_DEPTH, Envelope, dump, load, open_envelope

from .anything import documents

MAX = 2**53


def refused(document):
    with pytest.raises(BadMessage) as caught:
        open_envelope(document)
    return str(caught.value)


def unreadable(frame):
    with pytest.raises(BadMessage) as caught:
        load(frame)
    assert caught.value.path == "$"
    return caught.value.args[0]


# documents --------------------------------------------------------------------------------------------------------


def test_a_frame_is_one_line_of_ascii():
    assert dump({"a": "\nä\u2028", "b": [1, 2.5, None, True]}) == b'{"a":"\\n\\u00e4\\u2028","b":[1,2.5,null,true]}'


@given(documents({"id", "command"}))
def test_what_is_dumped_is_loaded(document):
    frame = dump(document)
    assert b"\n" not in frame
    assert document == load(frame)


@pytest.mark.parametrize("frame", [b'{"a":1}\n', b' {"a":1}', b'\t{ "a" : 1 }\r\n'])
def test_blanks_are_of_no_consequence(frame):
    assert {"a": 1} == load(frame)


@pytest.mark.parametrize("frame", [b'{"a":1}{"a":1}', b'{"a":1} x', b'{"a":1},'])
def test_what_comes_after_a_document_is_refused(frame):
    assert unreadable(frame).startswith("no JSON: Extra data")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_json_is_not_dumped(value):
    with pytest.raises(ValueError, match="JSON"):
        dump({"a": value})


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (b"[]", "expected object, got array"),
        (b"null", "expected object, got null"),
        (b"7", "expected object, got int"),
        (b'"{}"', "expected object, got str"),
        (b"true", "expected object, got bool"),
        (b"1.5", "expected object, got number"),
    ],
)
def test_what_is_no_object_is_refused(frame, text):
    assert text == unreadable(frame)


@pytest.mark.parametrize(
    "frame",
    [b"", b" ", b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1}}', b"{} {}", b"{'a':1}", b'{"a":01}', b"\xff", b"\x00"],
)
def test_what_is_truncated_or_garbled_is_refused(frame):
    assert unreadable(frame).startswith("no JSON: ")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_words_for_no_numbers_are_refused(word):
    assert f"no JSON: {word} is not JSON" == unreadable(f'{{"a":[{word}]}}'.encode())


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_numbers_that_become_infinite_are_refused(number):
    assert unreadable(f'{{"a":{number}}}'.encode()).startswith("no JSON: ")


def test_numbers_without_end_are_refused():
    assert unreadable(b'{"a":' + b"9" * 5000 + b"}").startswith("no JSON: ")


def test_a_key_that_is_there_twice_is_refused():
    assert unreadable(b'{"command":"status","id":1,"command":"stop"}') == "no JSON: the key 'command' is there twice"
    assert unreadable(b'{"x":{"a":1,"a":1}}') == "no JSON: the key 'a' is there twice"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32-be", "utf-8-sig"])
def test_other_encodings_are_refused(encoding):
    assert unreadable('{"command":"status"}'.encode(encoding)) != ""


def test_text_is_utf_8():
    assert load('{"a":"ä\U0001f40d"}'.encode()) == {"a": "ä\U0001f40d"}


# depth ------------------------------------------------------------------------------------------------------------


def nested(depth, opening="[", closing="]"):
    return b'{"a":' + opening.encode() * (depth - 1) + b"0" + closing.encode() * (depth - 1) + b"}"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_frame_is_nested_so_deep_and_no_deeper(opening, closing):
    assert list(load(nested(MAX_DEPTH, opening, closing))) == ["a"]
    assert f"nested deeper than {MAX_DEPTH}" == unreadable(nested(MAX_DEPTH + 1, opening, closing))


def test_depth_without_end_is_refused():
    assert f"nested deeper than {MAX_DEPTH}" == unreadable(b"[" * 100_000)


def test_brackets_in_texts_are_not_depth():
    text = '[{"' * 50 + "\\"
    assert {"a": text} == load(dump({"a": text}))


def test_brackets_side_by_side_are_not_depth():
    document = {"a": [[] for _ in range(200)]}
    assert document == load(dump(document))


@given(st.recursive(st.text('"\\[{]}', max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=60))
def test_depth_is_counted_as_the_parser_counts_it(value):
    document = {"a": value}
    if depth(document) <= MAX_DEPTH:
        assert document == load(dump(document))
    else:
        assert f"nested deeper than {MAX_DEPTH}" == unreadable(dump(document))


def depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


# the envelope -----------------------------------------------------------------------------------------------------


def test_a_document_is_divided_into_envelope_and_body():
    document = {"id": 7, "command": "stop", "name": "web", "key": "k", "until": "exit", "deadline": 2, "all": True}
    expected = Envelope(body={"name": "web", "all": True}, id=7, command="stop", key="k", until="exit", deadline=2)
    assert expected == open_envelope(document)


def test_an_empty_document_has_the_defaults():
    assert Envelope(body={}) == open_envelope({})
    assert open_envelope({}).until == "settled"


def test_a_gap_of_unknown_size_is_a_gap():
    envelope = open_envelope({"re": 1, "lost": None, "first": "a-1", "next": "b-2"})
    assert (envelope.is_lost, envelope.lost, envelope.first, envelope.next) == (True, None, "a-1", "b-2")
    assert open_envelope({"re": 1}).is_lost is False


@pytest.mark.parametrize("until", UNTIL)
def test_every_until_is_known(until):
    assert until == open_envelope({"until": until}).until


WRONG = {
    "id": ("7", "expected int, got str"),
    "re": (1.0, "expected int, got number"),
    "to": (True, "expected int, got bool"),
    "seq": (None, "expected int, got null"),
    "key": (1, "expected str, got int"),
    "by": ([], "expected str, got array"),
    "until": (None, "expected str, got null"),
    "deadline": ("1", "expected int or number, got str"),
    "trace": ({}, "expected str, got object"),
    "command": (None, "expected str, got null"),
    "error": ("no", "expected object, got str"),
    "item": ([], "expected object, got array"),
    "lost": ("1", "expected int or null, got str"),
    "first": (1, "expected str, got int"),
    "next": (None, "expected str, got null"),
    "end": (1, "expected bool, got int"),
    "credit": (True, "expected int, got bool"),
    "cancel": ("true", "expected bool, got str"),
}


def test_every_name_of_the_envelope_is_tried_here():
    assert set(WRONG) == RESERVED


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_type_is_refused_by_path(name):
    value, text = WRONG[name]
    assert f"{text} at $.{name}" == refused({name: value})


@pytest.mark.parametrize("name", ["id", "re", "to", "seq", "credit"])
@pytest.mark.parametrize("value", [-1, MAX + 1, 10**400])
def test_a_number_out_of_range_is_refused(name, value):
    assert f"expected 0 to {MAX}, got {value} at $.{name}" == refused({name: value})


@pytest.mark.parametrize("value", [0, 1, MAX])
def test_a_number_within_range_is_taken(value):
    assert value == open_envelope({"id": value}).id


@pytest.mark.parametrize("value", [-1, -0.5, 2e9, 10**400])
def test_a_deadline_is_a_number_of_seconds(value):
    assert f"expected seconds, got {value} at $.deadline" == refused({"deadline": value})
    assert open_envelope({"deadline": 0.5}).deadline == 0.5


def test_an_unknown_until_is_refused():
    expected = "expected one of accepted, settled, running, ready, stopped, exit, got 'soon' at $.until"
    assert expected == refused({"until": "soon"})


# anything ---------------------------------------------------------------------------------------------------------


def taken(read, document):
    """What was read, or the path of the refusal."""
    try:
        return read(document)
    except BadMessage as error:
        return error.path


@given(st.binary(max_size=60))
def test_no_bytes_are_too_strange(frame):
    document = taken(load, frame)
    assert document == "$" or isinstance(document, dict)


@given(documents(RESERVED))
def test_no_document_is_too_strange(document):
    got = taken(open_envelope, document)
    if isinstance(got, Envelope):
        assert got.body == {name: value for name, value in document.items() if name not in RESERVED}
    else:
        assert got.removeprefix("$.") in RESERVED


def test_the_largest_number_is_one_that_every_reader_gets_right():
    assert MAX == json.loads(dump({"id": MAX}))["id"] == int(float(MAX))
