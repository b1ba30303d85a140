"""What a program passes by hand is looked at before anything acts on it."""

import pytest

from procctl.core import messages as m
from procctl.core.shape import misfit
from procctl.core.specs import ProcessSpec, ReadyTcp, RestartSpec, StopSpec


def add(**spec):
    return m.Add(spec=ProcessSpec(**{"name": "web", "command": ("true",), **spec}))


@pytest.mark.parametrize(
    "value",
    [
        add(),
        add(env={"A": "b", "C": None}, instances=3, restart=RestartSpec(delay=(1, 2.5), limit=None)),
        add(ready=ReadyTcp(port=80), stop=StopSpec(steps=(("SIGINT", 1), ("SIGTERM", 2.0)))),
        add(command=["sleep", "1"], restart=RestartSpec(delay=[1, 2.5]), stop=StopSpec(steps=[["SIGTERM", 1]])),
        m.Stop(name="web", grace=None),
        m.Stop(name="web", grace=1),
        m.Logs(tail=5, stream="stdout"),
    ],
)
def test_what_fits(value):
    assert "" == misfit(value, type(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (add(name=5), "expected a text at $.spec.name, got 5"),
        (add(command="true"), "expected a tuple of a text at $.spec.command, got 'true'"),
        (add(command=("true", 5)), "expected a text at $.spec.command[1], got 5"),
        (add(env={"A": 5}), "expected a text or None at $.spec.env.A, got 5"),
        (add(env={5: "A"}), "expected a text at $.spec.env.5, got 5"),
        (add(env="A=b"), "expected a dict at $.spec.env, got 'A=b'"),
        (add(instances=True), "expected a whole number at $.spec.instances, got True"),
        (add(instances=1.0), "expected a whole number at $.spec.instances, got 1.0"),
        (add(mode="ONE"), "expected 'many' or 'one' or 'force' at $.spec.mode, got 'ONE'"),
        (add(mode=["one"]), "expected 'many' or 'one' or 'force' at $.spec.mode, got ['one']"),
        (add(restart="always"), "expected a RestartSpec at $.spec.restart, got 'always'"),
        (add(restart=RestartSpec(delay=(1.0,))), "expected a tuple of 2 at $.spec.restart.delay, got (1.0,)"),
        (add(restart=RestartSpec(limit="5")), "expected a whole number or None at $.spec.restart.limit, got '5'"),
        (add(ready=ReadyTcp(port="80")), "expected a whole number at $.spec.ready.port, got '80'"),
        (add(cwd=5), "expected a text or None at $.spec.cwd, got 5"),
        (m.Stop(name=b"web"), "expected a text at $.name, got b'web'"),
        (m.Stop(name="x" * 99, all="yes"), "expected True or False at $.all, got 'yes'"),
        (m.Stop(name=["x" * 99]), "expected a text at $.name, got ['" + "x" * 55 + "..."),
    ],
)
def test_what_does_not(value, text):
    assert text == misfit(value, type(value))


def test_every_request_can_be_looked_at():
    for kind in m.REQUESTS.values():
        assert f" {kind.__name__} at $, got <object" in misfit(object(), kind)


def test_a_type_that_no_message_has():
    with pytest.raises(TypeError, match="no type of a message"):
        misfit([], list[int])
