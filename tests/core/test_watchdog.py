"""A program that has promised to say something now and then."""

import pytest

from procctl.core import events as ev
from procctl.core.process import step
from procctl.core.shown import item_of
from procctl.core.specs import RestartSpec, WatchdogSpec
from procctl.core.states import Phase

from .making import CLEAN, EMPTY, after, at, told, up

P = Phase
WORD = ev.ChildReported()


def watched(on_silence="show", **declared):
    return up(watchdog=WatchdogSpec(every=10.0, on_silence=on_silence), **declared)


def timers(effects):
    return [(e.serial, e.after) for e in effects if isinstance(e, ev.StartTimer) and e.timer == "watchdog"]


def fires(p, seconds, serial=1):
    return told(p, ev.TimerFired("watchdog", serial), now=at(seconds))


def shown(p):
    item = item_of(p, "a", at())
    return item.state, item.detail


def test_it_is_watched_from_when_it_runs():
    assert timers(told(up(watchdog=None), *())[1]) == []
    p = watched()
    assert (p.watch, p.armed, p.spoke, p.mute) == (1, at().boot, at().boot, None)


def test_who_speaks_in_time_responds():
    p = watched()
    for seconds in (5.0, 14.0):
        p = after(p, WORD, now=at(seconds))
    p, effects = fires(p, 20.0)
    assert (shown(p), timers(effects)) == (("running", "up"), [(1, 4.0)])


def test_who_is_silent_does_not_respond_until_it_speaks():
    p, effects = fires(watched(), 10.0)
    assert (shown(p), effects) == (("notresponding", "watchdog-lost"), [ev.Changed()])
    item = item_of(p, "a", at())
    assert item.why.text == "has said nothing for 10 s; before that it was up: started by ann"
    assert (item.status, item.why.since, p.phase) == (4, at(10.0).wall, P.UP)
    p, effects = told(p, WORD, now=at(30.0))
    assert (shown(p), timers(effects), ev.Changed() in effects) == (("running", "up"), [(2, 10.0)], True)


def test_it_is_said_once():
    p, _ = fires(watched(), 10.0)
    assert fires(p, 20.0) == (p, [])


@pytest.mark.parametrize("serial", [0, 2])
def test_a_timer_of_another_watch_says_nothing(serial):
    p = watched()
    assert fires(p, 10.0, serial) == (p, [])


def test_a_machine_that_slept_is_no_silent_program():
    """The clock has gone on for an hour, the timer has not: the program had ten seconds less six."""
    p = after(watched(), WORD, now=at(6.0))
    p, effects = fires(p, 3610.0)
    assert (shown(p), timers(effects)) == (("running", "up"), [(1, 10.0)])


@pytest.mark.parametrize(("on_silence", "first"), [("end", "SIGTERM"), ("kill", "SIGKILL")])
def test_it_is_ended_where_that_is_the_policy_and_the_restart_policy_goes_on(on_silence, first):
    p = watched(on_silence, restart=RestartSpec(policy="on-failure"))
    p, effects = fires(p, 10.0)
    assert (p.phase, [e.name for e in effects if isinstance(e, ev.Signal)]) == (P.STOPPING, [first])
    assert p.why.text.startswith("has said nothing for 10 s")
    p = after(p, CLEAN, EMPTY, now=at(11.0))
    assert (p.phase, "has said nothing for 10 s" in p.why.text) == (P.BACKOFF, True)


def test_without_a_restart_it_has_failed():
    p, _ = fires(watched("kill"), 10.0)
    p = after(p, CLEAN, EMPTY, now=at(11.0))
    assert (p.phase, shown(p)) == (P.FAILED, ("stopped", "failed"))


def test_a_silent_program_that_is_stopped_is_stopping():
    p, _ = fires(watched(), 10.0)
    p = after(p, ev.StopAsked("k", "bob"), now=at(11.0))
    assert shown(p) == ("pending", "stopping")


def test_the_next_agent_watches_it_anew():
    p, effects = step(after(watched(), WORD, now=at(9.0)), ev.Resumed(41), at(100.0))
    assert (timers(effects), p.armed) == ([(2, 10.0)], at(100.0).boot)
    assert fires(p, 101.0, 1) == (p, [])


def test_who_is_not_watched_is_not():
    p = up()
    assert (told(p, WORD)[0].spoke, fires(p, 10.0)) == (0.0, (p, []))
