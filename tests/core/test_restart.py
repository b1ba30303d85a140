"""Whether and when to start again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.restart import (
    FIRST_STEP,
    Again,
    End,
    GiveUp,
    Rest,
    after_end,
    delay,
)
from procctl.core.specs import RestartSpec

from .making import at

CRASHED = End(failed=True, uptime=5.0, describe="exited with 1")
ENDED = End(failed=False, uptime=5.0, describe="exited with 0")


def spec(**declared):
    return RestartSpec(**{"policy": "always", "jitter": 0.0, **declared})


# the policy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "end"), [("never", CRASHED), ("never", ENDED), ("on-failure", ENDED)])
def test_some_ends_are_final(policy, end):
    assert Rest() == after_end(spec(policy=policy), end, 0, (), at())


@pytest.mark.parametrize(("policy", "end"), [("always", CRASHED), ("always", ENDED), ("on-failure", CRASHED)])
def test_others_are_followed_by_a_start(policy, end):
    assert Again(1.0, 1, (100.0,)) == after_end(spec(policy=policy), end, 0, (), at())


# the delay --------------------------------------------------------------------------------------------------------


def test_the_delay_doubles_up_to_its_high_end():
    assert [delay(spec(delay=(1.0, 10.0)), n, 0.5) for n in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_delay_from_zero_begins_at_once_and_grows_then():
    expected = [0.0, 2 * FIRST_STEP, 4 * FIRST_STEP, 1.0]
    assert expected == [delay(spec(delay=(0.0, 1.0)), n, 0.5) for n in range(4)]


def test_no_delay_at_all_stays_none():
    assert [delay(spec(delay=(0.0, 0.0)), n, 0.5) for n in range(3)] == [0.0, 0.0, 0.0]


def test_jitter_is_the_share_that_the_dice_take_away():
    assert [delay(spec(jitter=0.5), 2, roll) for roll in (0.0, 0.5, 1.0)] == [4.0, 3.0, 2.0]


@given(
    low=st.floats(0, 1e9),
    more=st.floats(0, 1e9),
    jitter=st.floats(0, 1),
    tries=st.integers(0, 10**6),
    roll=st.floats(0, 1, exclude_max=True),
)
def test_a_delay_stays_within_its_range(low, more, jitter, tries, roll):
    declared = spec(delay=(low, low + more), jitter=jitter)
    assert low * (1 - jitter) * (1 - 1e-9) <= delay(declared, tries, roll) <= low + more


@given(tries=st.integers(0, 2000))
def test_a_later_try_never_waits_less(tries):
    declared = spec(delay=(0.0, 60.0))
    assert delay(declared, tries, 0.0) <= delay(declared, tries + 1, 0.0)


# giving up --------------------------------------------------------------------------------------------------------


def test_a_run_that_was_too_short_is_given_up_on():
    why = "exited with 1 after 5.0 s; restarts need an uptime of 10 s"
    assert GiveUp(why) == after_end(spec(min_uptime=10.0), CRASHED, 0, (), at())


def test_a_run_that_was_just_long_enough_is_restarted():
    assert isinstance(after_end(spec(min_uptime=5.0), CRASHED, 0, (), at()), Again)


def test_too_many_restarts_within_the_window_are_given_up_on():
    why = "exited with 1; 2 restarts within 60 s are the limit"
    assert GiveUp(why) == after_end(spec(limit=2, window=60.0), CRASHED, 2, (41.0, 99.0), at())


def test_restarts_before_the_window_do_not_count():
    verdict = after_end(spec(limit=2, window=60.0), CRASHED, 2, (40.0, 99.0), at())
    assert Again(4.0, 3, (99.0, 100.0)) == verdict


def test_a_limit_of_none_is_for_ever_and_remembers_nothing():
    assert Again(60.0, 1001, ()) == after_end(spec(limit=None), CRASHED, 1000, (99.0,) * 1000, at())


def test_a_limit_of_zero_is_none_at_all():
    assert GiveUp("exited with 1; 0 restarts within 300 s are the limit") == after_end(
        spec(limit=0), CRASHED, 0, (), at()
    )


def test_a_healthy_run_begins_the_delay_anew_and_does_not_clear_the_count():
    healthy = End(failed=True, uptime=30.0, describe="exited with 1")
    assert Again(1.0, 1, (99.0, 100.0)) == after_end(spec(reset=30.0), healthy, 7, (99.0,), at())
