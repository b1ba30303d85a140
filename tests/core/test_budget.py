"""How many automatic restarts are under way at a time."""

import random

import pytest

from procctl.core.budget import Budget, RestartBudget
from procctl.errors import BadConfig

from .knowing import item, up
from .making import at

WAITS = "waits for its turn: at most 2 automatic restarts are under way in the fleet at a time"


def budget(at_most=2, **more):
    return Budget(RestartBudget(at_most, **more))


def runs(name):
    return up(uuid=name)


def test_so_many_have_their_turn_and_the_others_wait():
    made = budget()
    assert [made.ask(rid, rid, at()) for rid in "abcd"] == ["", "", WAITS, WAITS]
    assert (made.under_way, made.waiting) == (2, 2)


def test_asking_again_changes_nothing():
    made = budget()
    for _ in range(2):
        assert [made.ask(rid, rid, at()) for rid in "abc"] == ["", "", WAITS]
    assert (made.under_way, made.waiting) == (2, 1)


def test_a_turn_ends_a_while_after_the_process_is_ready():
    made = budget(settle=2.0)
    for rid in "abc":
        made.ask(rid, rid, at())
    made.saw(runs("a"), at(10.0, roll=0.25))  # 2 s x (0.5 + 0.25)
    assert (made.next(at(11.4)), made.wake()) == ([], at(11.5).boot)
    assert (made.next(at(11.5)), made.waiting) == (["c"], 0)


@pytest.mark.parametrize(
    ("seen", "over"),
    [
        (up(uuid="a"), True),
        (up(uuid="a", ready=False), False),
        (up(uuid="a", ready=None), True),
        (item(uuid="a", status=2, state="pending", detail="asking"), False),
        (item(uuid="a", status=2, state="pending", detail="starting"), False),
        (item(uuid="a", status=2, state="pending", detail="backoff"), True),
        (item(uuid="a", status=0, state="stopped", detail="failed"), True),
        (item(uuid="a", status=3, state="notstarted", detail="denied"), True),
        (item(uuid="a", status=4, state="notresponding", detail="agent-lost"), True),
        (up(uuid="another"), False),
    ],
)
def test_what_ends_a_turn(seen, over):
    made = budget(1, settle=0.0)
    made.ask("a", "a", at())
    made.ask("b", "b", at())
    made.saw(seen, at(1.0))
    assert made.next(at(1.0)) == (["b"] if over else [])


def test_nobody_has_a_turn_for_ever():
    made = budget(1, patience=30.0)
    made.ask("a", "a", at())
    made.ask("b", "b", at())
    assert (made.next(at(29.9)), made.next(at(30.0))) == ([], ["b"])


def test_what_is_called_off_or_refused_makes_room_at_once():
    made = budget(1)
    for rid in "abcd":
        made.ask(rid, rid, at())
    made.withdraw("b")
    made.withdraw("a")
    assert (made.next(at()), made.waiting) == (["c"], 1)


def test_who_is_not_there_any_more_is_passed_over():
    made = budget(1)
    for rid in "abc":
        made.ask(rid, rid, at())
    made.withdraw("a")
    assert made.next(at(), lambda rid: rid != "b") == ["c"]


def test_a_process_that_fails_at_once_has_to_wait_again():
    """Its turn goes on for the while, and it stands behind the others."""
    made = budget(1, settle=1.0)
    made.ask("a1", "a", at())
    made.ask("b1", "b", at())
    assert made.ask("a2", "a", at(0.1, roll=0.5)).startswith("waits")
    assert (made.next(at(1.0)), made.next(at(1.1))) == ([], ["b1"])


@pytest.mark.parametrize("seed", range(20))
def test_never_more_and_everybody_in_the_end(seed):
    dice = random.Random(seed)
    spec = RestartBudget(dice.randrange(1, 6), settle=dice.choice([0.0, 0.5]), patience=20.0)
    made, clock = Budget(spec), 0.0
    asked = [f"p{i}" for i in range(40)]
    dice.shuffle(asked)
    waiting, let_in = [], []
    for _ in range(2000):
        clock += dice.random() / 4
        now = at(clock, dice.random())
        if asked and dice.random() < 0.3:
            name = asked.pop()
            (waiting if made.ask(name, name, now) else let_in).append(name)
        if let_in and dice.random() < 0.5:
            made.saw(runs(dice.choice(let_in)), now)
        came = made.next(now)
        assert came == waiting[: len(came)]  # in the order of asking
        del waiting[: len(came)]
        let_in += came
        assert made.under_way <= spec.at_most
        if not asked and not waiting:
            break
    assert sorted(let_in) == sorted(f"p{i}" for i in range(40))


@pytest.mark.parametrize(
    ("at_most", "more"), [(0, {}), (True, {}), (1.5, {}), (1, {"settle": -1.0}), (1, {"patience": -1.0})]
)
def test_what_is_no_budget(at_most, more):
    with pytest.raises(BadConfig):
        RestartBudget(at_most, **more)
