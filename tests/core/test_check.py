"""What is wrong with a spec, and the names of signals."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.check import Problem, problems, signal_name
from procctl.core.specs import (
    NAME,
    LogSpec,
    ProcessSpec,
    ReadyCommand,
    ReadyLog,
    ReadyTcp,
    RestartSpec,
    StopSpec,
)

FINE = ProcessSpec(name="web", command=("python", "-m", "http.server"))
NAN, INF = float("nan"), float("inf")


def places(**declared):
    return [problem.path for problem in problems(evolve(FINE, **declared))]


# names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["web", "W", "0", "a.b_c@d+e-f", "web.1", "x" * 128])
def test_names(name):
    assert places(name=name) == []


@pytest.mark.parametrize("name", ["", "all", ".web", "-web", "a b", "a/b", "a\n", "ä", "x" * 129, "*", "a:b"])
def test_no_names(name):
    assert places(name=name) == ["name"]


def test_a_problem_says_what_and_where():
    [problem] = problems(evolve(FINE, name="a b"))
    assert str(problem).startswith("'a b' is no process name: letters, digits")
    assert str(problem).endswith("at name")


@given(st.text(max_size=6))
def test_every_name_without_a_problem_is_a_safe_word(name):
    if NAME.match(name):
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-")
        assert name[0].isalnum()


# fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "path"),
    [
        ({"command": ()}, "command"),
        ({"command": ("",)}, "command"),
        ({"command": ("echo", "a\0b")}, "command"),
        ({"cwd": "/srv\0"}, "cwd"),
        ({"env": {"": "x"}}, "env."),
        ({"env": {"A=B": "x"}}, "env.A=B"),
        ({"env": {"A\0": None}}, "env.A\0"),
        ({"env": {"A": "x\0"}}, "env.A"),
        ({"instances": 0}, "instances"),
        ({"instances": 10_001}, "instances"),
        ({"group": "a b"}, "group"),
        ({"depends_on": {"web": "ready"}}, "depends_on.web"),
        ({"logs": LogSpec(ring=4095)}, "logs.ring"),
        ({"logs": LogSpec(file="a\0b")}, "logs.file"),
        ({"logs": LogSpec(file="a\ud800b")}, "logs.file"),
        ({"logs": LogSpec(file="~\0")}, "logs.file"),
        ({"restart": RestartSpec(delay=(2.0, 1.0))}, "restart.delay"),
        ({"restart": RestartSpec(delay=(-1.0, 1.0))}, "restart.delay"),
        ({"restart": RestartSpec(delay=(0.0, INF))}, "restart.delay"),
        ({"restart": RestartSpec(delay=(NAN, 1.0))}, "restart.delay"),
        ({"restart": RestartSpec(jitter=1.1)}, "restart.jitter"),
        ({"restart": RestartSpec(jitter=NAN)}, "restart.jitter"),
        ({"restart": RestartSpec(limit=-1)}, "restart.limit"),
        ({"restart": RestartSpec(window=-1.0)}, "restart.window"),
        ({"restart": RestartSpec(min_uptime=INF)}, "restart.min_uptime"),
        ({"restart": RestartSpec(reset=NAN)}, "restart.reset"),
        ({"stop": StopSpec(steps=(("SIGTERM", 1.0), ("SIGNONE", 1.0)))}, "stop.steps[1]"),
        ({"stop": StopSpec(steps=(("TERM", 1.0),))}, "stop.steps[0]"),
        ({"stop": StopSpec(steps=(("SIGTERM", -1.0),))}, "stop.steps[0]"),
        ({"ready": ReadyTcp(port=0)}, "ready.tcp"),
        ({"ready": ReadyTcp(port=65536)}, "ready.tcp"),
        ({"ready": ReadyTcp(port=1, host="")}, "ready.tcp"),
        ({"ready": ReadyTcp(port=1, host="a b")}, "ready.tcp"),
        ({"ready": ReadyTcp(port=1, host="a\ud800")}, "ready.tcp"),
        ({"ready": ReadyTcp(port=1, host="\u00e4" * 300)}, "ready.tcp"),
        ({"ready": ReadyTcp(port=1, timeout=-1.0)}, "ready.timeout"),
        ({"ready": ReadyTcp(port=1, every=NAN)}, "ready.every"),
        ({"ready": ReadyLog(pattern="(")}, "ready.log"),
        ({"ready": ReadyLog(pattern="ok", timeout=INF)}, "ready.timeout"),
        ({"ready": ReadyCommand(command=())}, "ready.command"),
        ({"ready": ReadyCommand(command=("",))}, "ready.command"),
        ({"ready": ReadyCommand(command=("curl", "a\0b"))}, "ready.command"),
        ({"ready": ReadyCommand(command=("true",), every=-1.0)}, "ready.every"),
    ],
)
def test_what_cannot_be_used_is_named(declared, path):
    assert [path] == places(**declared)


@pytest.mark.parametrize(
    "declared",
    [
        {"env": {"A": "", "B": None}},
        {"group": "front"},
        {"instances": 10_000},
        {"restart": RestartSpec(policy="always", delay=(0.0, 0.0), jitter=1.0, limit=None)},
        {"restart": RestartSpec(limit=0)},
        {"stop": StopSpec(steps=())},
        {"ready": ReadyTcp(port=65535)},
        {"ready": ReadyTcp(port=1, host="::1")},
        {"ready": ReadyTcp(port=1, host="b\u00fccher.example")},
        {"ready": ReadyLog(pattern="listening on .*")},
        {"ready": ReadyCommand(command=("curl", "-f", "localhost"))},
        {"depends_on": {"db": "ready"}},
    ],
)
def test_what_can_be_used_has_no_problem(declared):
    assert problems(evolve(FINE, **declared)) == ()


def test_all_problems_are_told_in_the_order_of_the_fields():
    declared = {"name": "all", "command": (), "instances": 0, "group": "-", "restart": RestartSpec(jitter=2.0)}
    assert places(**declared) == ["name", "command", "instances", "group", "restart.jitter"]


def test_the_text_of_a_problem_says_what_was_expected():
    expected = Problem("restart.delay", "expected two durations, the first not above the second, got 2 and 1")
    assert (expected,) == problems(evolve(FINE, restart=RestartSpec(delay=(2.0, 1.0))))


# signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["TERM", "term", "SIGTERM", "sigterm", "15", " 15 "])
def test_a_signal_has_several_names(text):
    assert signal_name(text) == "SIGTERM"


@pytest.mark.parametrize("text", ["", "SIG", "NONE", "0", "-15", "999", "_DFL", "SIG_IGN", "²", "1.5"])
def test_what_is_no_signal(text):
    assert signal_name(text) is None


@given(st.text(max_size=8))
def test_no_text_is_too_strange_for_a_signal(text):
    name = signal_name(text)
    assert name is None or name == signal_name(name)
