"""Who has not been heard for how long."""

from procctl.core.silence import Silence


def test_the_most_silent_first_and_nobody_else_is_looked_at():
    made = Silence()
    for at, name in enumerate("abcd"):
        made.heard(name, float(at))
    made.heard("a", 9.0)
    made.forget("c")
    assert (made.since(0.9), made.since(1.0), made.since(5.0), made.since(9.0)) == (
        [],
        ["b"],
        ["b", "d"],
        ["b", "d", "a"],
    )
    made.forget("nobody")
    assert made.since(9.0) == ["b", "d", "a"]
