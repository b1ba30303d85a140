"""Patterns of hosts and names, and which things a target names."""

import re

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.matching import (
    did_you_mean,
    is_pattern,
    match_host,
    match_name,
    select,
    uuid_matches,
)
from procctl.core.messages import Target

# hosts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "hostname"),
    [
        ("", "anything.at.all"),
        ("local.foo", "local.foo"),
        ("Local.FOO", "local.foo"),
        ("*", "local"),
        ("sub.*.example.com", "sub.eu.example.com"),
        ("sub.*.example.com", "sub..example.com"),
        ("web-*.example.com", "web-12.example.com"),
        ("web-??", "web-12"),
        ("**", "a.b.c"),
        ("**.example.com", "a.b.example.com"),
        ("a.**", "a.b.c"),
        ("a***c", "a.b.c"),
        ("EU-*", "eu-1"),
    ],
)
def test_host_patterns_match(pattern, hostname):
    assert match_host(pattern, hostname) is True


@pytest.mark.parametrize(
    ("pattern", "hostname"),
    [
        ("local.foo", "local.foo.bar"),
        ("local.foo", "a.local.foo"),
        ("*", "local.foo"),
        ("*", "a."),
        ("sub.*.example.com", "sub.a.b.example.com"),
        ("sub.*.example.com", "subxeuxexample.com"),
        ("?", "."),
        ("web-??", "web-1"),
        ("web-??", "web-123"),
        ("**.example.com", "example.com"),
        ("*.example.com", "a.example.com\n"),
        ("[ab]", "a"),
    ],
)
def test_host_patterns_do_not_match(pattern, hostname):
    assert match_host(pattern, hostname) is False


HOST_CHARS = "ab.-*?"


def reference(pattern):
    """The same pattern as a regular expression."""
    parts = re.split(r"(\*{2,}|\*|\?)", pattern.lower())
    words = {"*": "[^.]*", "?": "[^.]"}
    return "".join(".*" if part.startswith("**") else words.get(part, re.escape(part)) for part in parts)


@given(pattern=st.text(HOST_CHARS, min_size=1, max_size=12), hostname=st.text("ab.-", max_size=12))
def test_host_patterns_match_as_a_regular_expression_would(pattern, hostname):
    assert bool(re.fullmatch(reference(pattern), hostname, re.DOTALL)) == match_host(pattern, hostname)


@given(hostname=st.text("abAB.-\n", max_size=20))
def test_every_host_name_matches_itself_and_everything(hostname):
    assert match_host(hostname, hostname.swapcase())
    assert match_host("**", hostname)


# names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name"), [("", "web"), ("*", "web.1"), ("worker-*", "worker-a.b"), ("w?b", "web"), ("w*.1", "w.b.1")]
)
def test_name_patterns_match(pattern, name):
    assert match_name(pattern, name) is True


@pytest.mark.parametrize(("pattern", "name"), [("web", "Web"), ("w?b", "wb"), ("*.1", "web.11"), ("web", "web.1")])
def test_name_patterns_do_not_match(pattern, name):
    assert match_name(pattern, name) is False


@given(pattern=st.text("ab.*?", min_size=1, max_size=10), name=st.text("ab.", max_size=10))
def test_name_patterns_match_as_a_regular_expression_would(pattern, name):
    regex = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    assert bool(re.fullmatch(regex, name, re.DOTALL)) == match_name(pattern, name)


@pytest.mark.parametrize(("text", "answer"), [("web", False), ("we?", True), ("*", True), ("", False), ("[a]", False)])
def test_what_a_pattern_is(text, answer):
    assert answer is is_pattern(text)


# time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("star", ["*", "**"])
def test_a_nasty_pattern_ends(star):
    pattern = f"{star}a" * 60
    assert match_host(pattern, "a" * 2000 + "b") is False
    assert match_host(pattern, "a" * 2000) is True


# uuids ------------------------------------------------------------------------------------------------------------

UUID = "6f1c2c34-3c3b-4f0b-9a55-000000000001"


@pytest.mark.parametrize("wanted", ["", UUID, UUID[:8], UUID[:20]])
def test_a_uuid_is_meant_whole_or_by_its_beginning(wanted):
    assert uuid_matches(wanted, UUID) is True


@pytest.mark.parametrize("wanted", [UUID[:7], UUID[1:], UUID + "0", UUID.upper()])
def test_less_than_that_is_no_uuid(wanted):
    assert uuid_matches(wanted, UUID) is False


# targets ----------------------------------------------------------------------------------------------------------


@frozen
class Thing:
    name: str
    uuid: str = UUID
    host: str = "a"
    base: str = ""
    group: str = ""


def chosen(target, *things):
    return [thing.name for thing in select(target, things, lambda t: (t.host, t.base or t.name, t.group))]


THINGS = (Thing("api", group="front"), Thing("web.1", base="web"), Thing("web.2", base="web", host="b"))


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (Target(), ["api", "web.1", "web.2"]),
        (Target(name="web"), ["web.1", "web.2"]),
        (Target(name="web.2"), ["web.2"]),
        (Target(name="web*"), ["web.1", "web.2"]),
        (Target(name="we?"), []),
        (Target(name="web", hostname="b"), ["web.2"]),
        (Target(group="front"), ["api"]),
        (Target(group="f*"), ["api"]),
        (Target(group="back"), []),
        (Target(uuid=UUID[:8], hostname="a"), ["api", "web.1"]),
        (Target(uuid="00000000"), []),
    ],
)
def test_a_target_names_things_in_their_order(target, found):
    assert found == chosen(target, *THINGS)


def test_an_exact_name_beats_the_slots_of_that_name():
    assert chosen(Target(name="web.1"), Thing("web.1.1", base="web.1"), Thing("web.1", base="web")) == ["web.1"]


def test_a_name_is_of_one_process_on_one_host_and_of_all_slots_on_another():
    things = (Thing("web", host="a"), Thing("web.1", base="web", host="b"), Thing("web.2", base="web", host="b"))
    assert chosen(Target(name="web"), *things) == ["web", "web.1", "web.2"]


# hints ------------------------------------------------------------------------------------------------------------


def test_what_is_close_may_have_been_meant():
    assert did_you_mean("wbe", ["api", "web"]) == "did you mean 'web'?"


def test_what_is_far_was_not_meant():
    assert did_you_mean("zzz", ["api", "web"]) == ""
    assert did_you_mean("web", []) == ""
