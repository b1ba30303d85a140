"""Stopping one process: what is asked in every phase, what kills it, who is told."""

import pytest

from procctl.core import events as ev
from procctl.core.life import left_by_another
from procctl.core.process import RESEND_KILL
from procctl.core.specs import StopSpec
from procctl.core.states import RESTING, Phase

from .making import (
    CLEAN,
    EMPTY,
    GRANTED,
    KILL,
    PID,
    SPAWNED,
    START,
    STOP,
    STRAY,
    TOKEN,
    after,
    alive,
    at,
    process,
    told,
    up,
)

P = Phase
AGAIN = ev.StartAsked("k-again", "eve")
RESTART = ev.RestartAsked("k-restart", "eve")
STEPS = StopSpec(steps=(("SIGINT", 5.0), ("SIGTERM", 3.0)))


# in every phase ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", sorted(RESTING, key=str))
def test_what_rests_is_stopped_already(phase):
    before = alive(phase)
    assert (before, [ev.Settle("k-stop")]) == told(before, STOP)


def test_a_stop_ends_a_wait_for_others():
    p, effects = told(alive(P.WAITING), STOP)
    assert [ev.Settle("k-start", "superseded", "stopped by bob"), ev.Settle("k-stop"), ev.Changed()] == effects
    assert (p.phase, p.why.text, p.wanted) == (P.REGISTERED, "stopped by bob before it ran", False)


def test_a_stop_withdraws_the_question():
    p, effects = told(alive(P.ASKING), STOP)
    superseded = ev.Settle("k-start", "superseded", "stopped by bob")
    assert [superseded, ev.Withdraw("u#1"), ev.Settle("k-stop"), ev.Changed()] == effects
    assert (p.phase, p.rid) == (P.REGISTERED, "")


def test_a_stop_withdraws_what_is_held_for_a_person():
    p, effects = told(alive(P.HELD), STOP)
    assert [ev.Withdraw("u#1"), ev.Settle("k-stop"), ev.Changed()] == effects
    assert P.REGISTERED is p.phase


def test_a_grant_after_the_stop_is_given_back():
    p, effects = told(after(alive(P.ASKING), STOP), GRANTED)
    assert (P.REGISTERED, [ev.ReleaseLease(TOKEN)]) == (p.phase, effects)


def test_a_stop_ends_the_back_off():
    p, effects = told(alive(P.BACKOFF), STOP)
    assert [ev.Settle("k-stop"), ev.Changed()] == effects
    assert (p.phase, p.why.text) == (P.EXITED, "stopped by bob before it ran")


def test_the_back_off_of_what_never_ran_leads_back_to_registered():
    p = after(alive(P.STARTING), ev.SpawnFailed("out of memory", passing=True), STOP)
    assert P.REGISTERED is p.phase


def test_a_running_process_is_asked_to_end():
    p, effects = told(up(), STOP)
    assert [ev.Signal("SIGTERM"), ev.StartTimer("stop", p.timer, 10.0), ev.Changed()] == effects
    assert (p.phase, p.pid, p.why.text) == (P.STOPPING, PID, "stopped by bob; SIGKILL in 10 s")


def test_a_stop_while_it_is_spawned_waits_for_the_spawn():
    p, effects = told(alive(P.STARTING), STOP)
    assert [ev.Settle("k-start", "superseded", "stopped by bob")] == effects
    assert (p.phase, p.stops, p.wanted) == (P.STARTING, ("k-stop",), False)


def test_what_was_stopped_while_it_was_spawned_is_never_up():
    p, effects = told(after(alive(P.STARTING), STOP), SPAWNED)
    assert [ev.Signal("SIGTERM"), ev.StartTimer("stop", p.timer, 10.0), ev.Changed()] == effects
    assert (p.phase, p.pid) == (P.STOPPING, PID)


def test_a_spawn_that_fails_after_a_stop_is_a_done_stop():
    p, effects = told(after(alive(P.STARTING), STOP), ev.SpawnFailed("no such file"))
    assert [ev.ReleaseLease(TOKEN), ev.Settle("k-stop"), ev.Changed()] == effects
    assert (p.phase, p.why.text) == (P.REGISTERED, "stopped by bob before it ran")


def test_a_spawn_that_fails_after_a_stop_leads_back_to_the_end_before():
    p = after(alive(P.EXITED), START, ev.Granted("u#2", 8), STOP, ev.SpawnFailed("no such file"))
    assert P.EXITED is p.phase


def test_a_stop_while_it_is_stopped_is_answered_with_the_first():
    p, effects = told(alive(P.STOPPING), ev.StopAsked("k-too", "eve"))
    assert (effects, p.stops) == ([], ("k-stop", "k-too"))
    _, effects = told(p, CLEAN, EMPTY)
    assert [ev.Settle("k-stop"), ev.Settle("k-too")] == [e for e in effects if isinstance(e, ev.Settle)]


def test_a_stop_after_the_exit_ends_the_restarts():
    p, effects = told(after(alive(P.EMPTYING), STOP), EMPTY)
    assert [ev.ReleaseLease(TOKEN), ev.Settle("k-stop"), ev.Changed()] == effects
    assert (p.phase, p.why.text) == (P.EXITED, "stopped by bob; exited with 1")


def test_a_stop_is_done_only_when_nothing_is_left():
    _, effects = told(alive(P.STOPPING), CLEAN, ev.Looked((STRAY,)))
    assert [effect for effect in effects if isinstance(effect, ev.Settle | ev.ReleaseLease)] == []


# signals and waits ------------------------------------------------------------------------------------------------


def test_signals_are_sent_one_after_the_other_and_sigkill_at_last():
    p, effects = told(up(stop=STEPS), STOP)
    seen = [effects[:2]]
    for _ in range(2):
        p, effects = told(p, ev.TimerFired("stop", p.timer))
        seen.append(effects)
    last = p.timer
    assert [
        [ev.Signal("SIGINT"), ev.StartTimer("stop", last - 2, 5.0)],
        [ev.Signal("SIGTERM"), ev.StartTimer("stop", last - 1, 3.0)],
        [ev.Signal("SIGKILL"), ev.StartTimer("stop", last, RESEND_KILL)],
    ] == seen


def test_sigkill_is_repeated_until_it_is_gone():
    p, _ = told(up(), KILL)
    q, effects = told(p, ev.TimerFired("stop", p.timer))
    assert [ev.Signal("SIGKILL"), ev.StartTimer("stop", q.timer, RESEND_KILL)] == effects
    assert P.STOPPING is q.phase


def test_a_kill_is_sigkill_at_once():
    p, effects = told(up(), KILL)
    assert [ev.Signal("SIGKILL"), ev.StartTimer("stop", p.timer, RESEND_KILL), ev.Changed()] == effects
    assert p.why.text == "stopped by cid; SIGKILL sent"


def test_a_kill_does_not_wait_for_a_stop_that_is_under_way():
    before = alive(P.STOPPING)
    p, effects = told(before, KILL)
    assert [ev.Signal("SIGKILL"), ev.StartTimer("stop", p.timer, RESEND_KILL)] == effects
    assert (p.stops, p.kill_at) == (("k-stop", "k-kill"), 100.0)
    assert (p, []) == told(p, ev.TimerFired("stop", before.timer))


def test_a_kill_after_sigkill_has_nothing_to_add():
    before = after(up(), KILL)
    p, effects = told(before, ev.StopAsked("k-more", "dan", ()))
    assert (effects, p.stops) == ([], ("k-kill", "k-more"))


def test_a_kill_with_a_grace_shortens_a_stop_that_has_longer():
    p = after(up(stop=StopSpec(steps=(("SIGTERM", 60.0),))), STOP)
    p, effects = told(p, ev.StopAsked("k-kill", "cid", (("SIGINT", 2.0),)))
    assert [ev.Signal("SIGINT"), ev.StartTimer("stop", p.timer, 2.0)] == effects
    assert p.kill_at == 102.0


def test_the_steps_of_the_command_replace_those_of_the_spec():
    p, effects = told(up(stop=STEPS), ev.StopAsked("k", "bob", (("SIGQUIT", 1.0),)))
    assert [ev.Signal("SIGQUIT"), ev.StartTimer("stop", p.timer, 1.0), ev.Changed()] == effects


def test_a_spec_without_steps_is_killed():
    _, effects = told(up(stop=StopSpec(steps=())), STOP)
    assert ev.Signal("SIGKILL") == effects[0]


def test_a_kill_while_it_is_spawned_kills_it_when_it_is():
    _, effects = told(after(alive(P.STARTING), KILL), SPAWNED)
    assert ev.Signal("SIGKILL") == effects[0]


def test_a_stop_does_not_soften_a_kill():
    _, effects = told(after(alive(P.STARTING), KILL, STOP), SPAWNED)
    assert ev.Signal("SIGKILL") == effects[0]


def test_a_kill_after_the_exit_leaves_no_grace_to_what_is_left():
    p = after(alive(P.EMPTYING), KILL)
    _, effects = told(p, ev.Looked((STRAY,)))
    assert ev.Signal("SIGKILL", strays=(STRAY,)) == effects[0]


def test_a_kill_with_a_grace_after_the_exit_leaves_no_more_than_that():
    p = after(alive(P.EMPTYING), ev.StopAsked("k", "cid", (("SIGINT", 2.0),)))
    assert p.kill_at == 102.0
    assert after(p, ev.StopAsked("k2", "cid", (("SIGINT", 60.0),))).kill_at == 102.0


# starting again ---------------------------------------------------------------------------------------------------


def test_a_restart_stops_and_asks_again_when_nothing_is_left():
    p, effects = told(up(), RESTART)
    assert [ev.Signal("SIGTERM"), ev.StartTimer("stop", p.timer, 10.0), ev.Changed()] == effects
    p, effects = told(p, CLEAN, EMPTY)
    assert [ev.Look(), ev.Changed(), ev.ReleaseLease(TOKEN), ev.AskPermission("u#2"), ev.Changed()] == effects
    assert (p.phase, p.restarts) == (P.ASKING, 1)


def test_a_restart_is_done_when_the_new_run_is_up():
    _, effects = told(after(up(), RESTART, CLEAN, EMPTY), ev.Granted("u#2", 8), SPAWNED)
    assert [ev.Settle("k-restart")] == [effect for effect in effects if isinstance(effect, ev.Settle)]


def test_a_start_while_it_is_stopped_is_for_the_next_run():
    p = after(alive(P.STOPPING), AGAIN)
    p, effects = told(p, CLEAN, EMPTY)
    assert [ev.Settle("k-stop")] == [effect for effect in effects if isinstance(effect, ev.Settle)]
    assert (p.phase, p.starts) == (P.ASKING, ("k-again",))


def test_a_start_after_a_stop_while_it_is_spawned_is_for_the_next_run():
    p, effects = told(after(alive(P.STARTING), STOP, AGAIN), SPAWNED)
    assert (p.phase, p.starts) == (P.STOPPING, ("k-again",))
    assert [effect for effect in effects if isinstance(effect, ev.Settle)] == []
    p, effects = told(p, CLEAN, EMPTY)
    assert [ev.Settle("k-stop")] == [effect for effect in effects if isinstance(effect, ev.Settle)]
    assert P.ASKING is p.phase


def test_the_last_word_counts():
    p, effects = told(after(alive(P.STOPPING), AGAIN), ev.StopAsked("k-last", "dan"))
    assert [ev.Settle("k-again", "superseded", "stopped by dan")] == effects
    assert P.EXITED is after(p, CLEAN, EMPTY).phase


def test_a_stop_supersedes_the_restart_that_is_under_way():
    p, effects = told(after(up(), RESTART), STOP)
    assert [ev.Settle("k-restart", "superseded", "stopped by bob")] == effects
    p = after(p, CLEAN, EMPTY)
    assert (p.phase, p.why.text) == (P.EXITED, "stopped by bob; exited with 0")


def test_the_exit_record_names_who_asked_for_the_end():
    assert after(alive(P.STOPPING), CLEAN, EMPTY).exit.by == "bob"


def test_who_starts_it_again_did_not_ask_for_the_end():
    assert after(alive(P.STOPPING), AGAIN, CLEAN, EMPTY).exit.by == "bob"


def test_who_started_it_after_the_stop_is_not_named_as_who_stopped_it():
    p = after(alive(P.STARTING), STOP, AGAIN, SPAWNED)
    assert p.why.text == "stopped by bob; SIGKILL in 10 s"


def test_a_kill_is_final_whatever_the_restart_policy():
    p = after(alive(P.UP), KILL, ev.Exited(None, "SIGKILL"), EMPTY)
    assert (p.phase, p.wanted) == (P.EXITED, False)


def test_uptime_is_counted_from_the_spawn():
    p = after(after(process(), START, GRANTED, SPAWNED, now=at(1)), STOP, CLEAN, EMPTY, now=at(8))
    assert p.exit.uptime == 7.0


# under another agent ----------------------------------------------------------------------------------------------


def test_a_stop_that_comes_before_it_is_known_whether_it_was_spawned_is_answered():
    """Who had asked the earlier agent is there no more; who asks this one is told."""
    p = after(left_by_another(after(process(admission=False), START)), STOP)
    assert (p.phase, p.starts, p.stops) == (P.STARTING, (), ("k-stop",))
    resumed, effects = told(p, ev.Resumed())
    assert (resumed.phase, ev.Settle("k-stop") in effects) == (P.REGISTERED, True)
