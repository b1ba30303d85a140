"""Patterns find what Python's `re` finds, in time that is linear, or are refused."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.pattern import Pattern, Unusable

ATOMS = st.sampled_from(
    ["a", "b", "é", ".", "[ab]", "[^a]", r"\d", r"\w", r"\s", r"\b", r"\B", "^", "$", "[a-c_]", r"\W"]
)


def joined(inner):
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda two: two[0] + two[1]),
        pairs.map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{0,2}?", "{2,}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"(?i:{one})"),
    )


EXPRESSIONS = st.recursive(ATOMS, joined, max_leaves=6)


@given(EXPRESSIONS, st.lists(st.text("abcAé1 _-", max_size=7), max_size=5))
def test_it_agrees_with_re(text, lines):
    pattern, known = Pattern(text), re.compile(text)
    for line in lines:
        if not line and r"\B" in text:
            continue  # Pythons do not agree whether that is in nothing
        assert pattern.found_in(line) == bool(known.search(line))


@pytest.mark.parametrize("text", ["(a+)+$", "^(a|a)*$", "(a|aa)+$", ".*.*.*.*x", "(?:a?){50}a{50}b", r"(\w+\s?)*!"])
def test_what_makes_others_go_back_takes_no_time(text):
    pattern = Pattern(text)
    begun = time.process_time()
    assert not pattern.found_in("a" * 20_000 + "-")
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "text",
    [
        "(",
        "a**",
        r"(a)\1",
        "(?=a)",
        "(?<!a)b",
        "(?>a)",
        "a{500}{500}",
        "(?:){1000000000}",
        "((?:){900}){900}",
        "a" * 1001,
        "(" * 2000 + ")" * 2000,
    ],
)
def test_what_cannot_be_is_refused(text):
    with pytest.raises(Unusable):
        Pattern(text)


def test_what_is_remembered_is_bounded():
    pattern = Pattern("(a|b)*a(a|b){12}c")
    line = f"{int('1234567890' * 200):b}".replace("0", "a").replace("1", "b")
    assert not pattern.found_in(line)
    assert pattern.found_in(line + "a" * 13 + "c")
    assert pattern._size <= 20_000
