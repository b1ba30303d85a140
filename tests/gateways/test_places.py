"""Cursors of lines: from each of them nothing is missed and nothing comes twice, whatever the chunks are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procctl.core.happenings import LogChunk, Lost
from procctl.errors import BadMessage
from procctl.gateways.http.places import Places, resumed

WORDS = st.text("ab\né", max_size=6)
STREAMS = st.sampled_from(["stdout", "stderr"])


def chunks(pieces, start=0):
    """Pieces of output as the service gives them, from an offset on."""
    at = 0
    for stream, text in pieces:
        data = text.encode()
        begin, at = at, at + len(data)
        if at > start and data:
            rest = data[max(0, start - begin) :]
            yield LogChunk(
                uuid="u", name="n", hostname="h", stream=stream, time=1.0, text=rest.decode(), cursor=f"e.u.{at}"
            )


def read(pieces, since=""):
    plain, skip = resumed(since)
    places = Places(skip)
    start = int(plain.rpartition(".")[2]) if plain else 0
    for chunk in chunks(pieces, start):
        for line, cursor in places.take(chunk):
            yield (line.stream, line.text), cursor


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STREAMS, WORDS), max_size=12))
def test_going_on_behind_any_line(pieces):
    whole = list(read(pieces))
    for i, (_, cursor) in enumerate(whole):
        after = [line for line, _ in read(pieces, cursor)]
        for stream in ("stdout", "stderr"):  # their order among each other is that of their chunks
            assert [t for s, t in after if s == stream] == [t for (s, t), _ in whole[i + 1 :] if s == stream]


def test_a_long_output_in_pieces_moves_on():
    pieces = [("stdout", f"line {i}\nhalf") for i in range(50)]
    cursors = [cursor for _, cursor in read(pieces)]
    counts = [int(cursor.partition("~")[2].partition(".")[0] or 0) for cursor in cursors]
    assert max(counts) <= 2


def test_a_gap_is_begun_behind():
    places = Places({"u": [5, 0]})
    lost = Lost(count=10, first="e.u.0", next="e.u.10")
    ((gap, cursor),) = places.take(lost)
    assert (gap.lost, cursor) == (10, "e.u.10")
    chunk = LogChunk(uuid="u", name="n", hostname="h", stream="stdout", time=1.0, text="x\n", cursor="e.u.12")
    ((line, cursor),) = places.take(chunk)
    assert (line.text, cursor) == ("x", "e.u.12")


def test_what_is_no_cursor():
    assert resumed("") == ("", {})
    assert resumed("e.u.7~1.2,e.v.9") == ("e.u.7,e.v.9", {"u": [1, 2]})
    for text in ("e.u.7~", "e.u.7~1", "e.u.7~1.2.3", "e.u.7~-1.2"):
        with pytest.raises(BadMessage, match="no cursor of output"):
            resumed(text)
