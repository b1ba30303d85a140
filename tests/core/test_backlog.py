"""Numbered items, the last so many of them, read from a place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.backlog import Backlog
from procctl.core.messages import Lost


def backlog(count, limit=10_000):
    made = Backlog("e1", limit)
    for n in range(1, count + 1):
        made.put(n)
    return made


def test_items_are_numbered_from_one():
    made = Backlog("e1")
    assert ([made.put("a"), made.put("b")], made.last) == ([1, 2], 2)


def test_a_cursor_is_behind_an_item():
    made = backlog(3)
    assert (made.cursor(), made.cursor(1), made.cursor(0)) == ("e1-3", "e1-1", "e1-0")


def test_items_are_taken_from_a_place():
    assert backlog(3).take(1, 10) == ([2, 3], 3)


def test_no_more_than_asked_for_is_taken():
    made = backlog(5)
    assert made.take(0, 2) == ([1, 2], 2)
    assert made.take(2, 2) == ([3, 4], 4)
    assert made.take(2, 0) == ([], 2)


def test_at_the_end_there_is_nothing():
    assert backlog(3).take(3, 10) == ([], 3)


def test_what_is_not_kept_is_a_gap_of_known_size():
    made = backlog(10, limit=3)
    assert ([Lost(count=6, first="e1-1", next="e1-7"), 8, 9, 10], 10) == made.take(1, 10)


def test_a_gap_is_told_once():
    made = backlog(10, limit=3)
    _, place = made.take(0, 1)
    assert made.take(place, 10) == ([9, 10], 10)


def test_where_nothing_is_missing_there_is_no_gap():
    assert backlog(10, limit=3).take(7, 10) == ([8, 9, 10], 10)


@pytest.mark.parametrize(("cursor", "place"), [("e1-0", 0), ("e1-3", 3), ("e1-03", 3)])
def test_a_cursor_of_this_run_is_a_place(cursor, place):
    assert place == backlog(3).place(cursor)


@pytest.mark.parametrize(
    "cursor", ["", "e1", "e1-", "e1-4", "e2-1", "-1", "e1--1", "e1-1.0", "e1-x", "E1-1", "e1-" + "9" * 5000]
)
def test_any_other_cursor_is_none(cursor):
    assert backlog(3).place(cursor) is None


def test_an_epoch_may_have_dashes():
    made = Backlog("a-b")
    made.put("x")
    assert made.place(made.cursor()) == 1


@given(count=st.integers(0, 40), limit=st.integers(1, 20), most=st.integers(1, 7), place=st.integers(0, 40))
def test_a_reader_sees_every_item_or_its_gap_once(count, limit, most, place):
    made = backlog(count, limit)
    place = begin = min(place, count)
    seen = []
    while place < made.last:
        items, place = made.take(place, most)
        seen += items
    lost = [item for item in seen if isinstance(item, Lost)]
    missing = max(0, count - limit - begin)
    assert ([missing] if missing else []) == [gap.count for gap in lost]
    assert list(range(begin + missing + 1, count + 1)) == [item for item in seen if not isinstance(item, Lost)]


@given(st.text(max_size=12))
def test_no_cursor_is_too_strange(cursor):
    assert backlog(3).place(cursor) in (None, 0, 1, 2, 3)
