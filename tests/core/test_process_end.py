"""The end of a run: what is looked for, what is left over, what follows."""

from procctl.core import events as ev
from procctl.core.ending import LOOK_AGAIN, PAST, REPORT_AFTER
from procctl.core.records import ExitRecord, Stray, Usage
from procctl.core.specs import RestartSpec, StopSpec
from procctl.core.states import Phase

from .making import (
    ALWAYS,
    CLEAN,
    CRASH,
    EMPTY,
    GRANTED,
    KILL,
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
TAME = Stray(78, "tame", escaped=False)


def again(p, now):
    """The next look has been asked for."""
    return told(p, ev.TimerFired("look", p.timer), now=now)


# an exit ----------------------------------------------------------------------------------------------------------


def test_after_an_exit_somebody_looks_what_is_left():
    p, effects = told(up(), CRASH)
    assert [ev.Look(), ev.Changed()] == effects
    assert (p.phase, p.pid, p.ready, p.token) == (P.EMPTYING, 0, None, TOKEN)


def test_an_end_in_emptiness_gives_the_lease_back():
    p, effects = told(after(up(), CLEAN), EMPTY)
    assert [ev.ReleaseLease(TOKEN), ev.Changed()] == effects
    assert (p.phase, p.why.text, p.token) == (P.EXITED, "exited with 0", 0)


def test_an_end_without_a_lease_gives_nothing_back():
    p = after(process(admission=False), START, SPAWNED, CLEAN)
    assert [ev.Changed()] == told(p, EMPTY)[1]


def test_the_record_has_all_that_is_known():
    usage = Usage(1.5, 0.5, 4096)
    p = after(up(), ev.Exited(None, "SIGSEGV", usage, ("oh", "no")), EMPTY, now=at(20))
    record = ExitRecord(code=None, signal="SIGSEGV", at=1020.0, uptime=20.0, usage=usage, last_lines=("oh", "no"))
    assert (record, "killed by SIGSEGV") == (p.exit, p.why.text)


def test_that_memory_was_wanting_is_in_the_record_and_in_the_reason():
    p = after(up(), ev.Exited(None, "SIGKILL", oom=True), EMPTY)
    assert (p.exit.oom, p.why.text) == (True, "killed by SIGKILL: out of memory")


def test_an_end_of_which_nobody_knows_how_is_not_a_success():
    p = after(up(restart=RestartSpec(policy="on-failure")), ev.Exited(None, None), EMPTY)
    assert P.BACKOFF is p.phase


def test_the_last_records_are_kept_the_newest_first():
    p = process(admission=False)
    for code in range(PAST + 2):
        p = after(p, START, SPAWNED, ev.Exited(code, None), EMPTY)
    assert [record.code for record in p.past] == [6, 5, 4, 3, 2]
    assert p.past[0] == p.exit


# strays -----------------------------------------------------------------------------------------------------------


def test_a_stray_is_asked_to_end_and_looked_for_again():
    p, effects = told(after(up(), CLEAN), ev.Looked((STRAY,)))
    assert [ev.Signal("SIGTERM", strays=(STRAY,)), ev.StartTimer("look", p.timer, LOOK_AGAIN[0])] == effects
    assert (p.phase, p.why.text) == (P.EMPTYING, "still alive below it: helper (77)")


def test_a_stray_is_asked_once():
    p = after(up(), CLEAN, ev.Looked((STRAY,)))
    p, effects = again(p, at(1))
    assert [ev.Look()] == effects
    p, effects = told(p, ev.Looked((STRAY,)), now=at(1))
    assert [ev.StartTimer("look", p.timer, 2 * LOOK_AGAIN[0])] == effects


def test_a_new_stray_is_asked_too():
    p = after(up(), CLEAN, ev.Looked((STRAY,)))
    _, effects = told(p, ev.Looked((STRAY, TAME)))
    assert ev.Signal("SIGTERM", strays=(TAME,)) == effects[0]


def test_strays_are_asked_with_the_first_signal_of_the_spec():
    p = after(up(stop=StopSpec(steps=(("SIGINT", 5.0), ("SIGTERM", 5.0)))), CLEAN)
    assert ev.Signal("SIGINT", strays=(STRAY,)) == told(p, ev.Looked((STRAY,)))[1][0]


def test_strays_have_the_grace_of_the_stop_and_are_killed_then():
    p = after(up(), CLEAN, ev.Looked((STRAY,)))
    p, _ = again(p, at(10))
    p, effects = told(p, ev.Looked((STRAY,)), now=at(10))
    assert ev.Signal("SIGKILL", strays=(STRAY,)) == effects[0]
    assert P.EMPTYING is p.phase


def test_the_pause_between_looks_grows_and_ends_at_the_time_to_kill():
    p = after(up(stop=StopSpec(steps=(("SIGTERM", 0.1),))), CLEAN)
    pauses = []
    for seconds in (0.0, 0.02, 0.06):
        p, effects = told(p, ev.Looked((STRAY,)), now=at(seconds))
        pauses.append(round(effects[-1].after, 6))
    assert pauses == [0.02, 0.04, 0.04]


def test_the_pause_between_looks_has_an_upper_end():
    p = after(up(), CLEAN)
    for _ in range(12):
        p, effects = told(p, ev.Looked((STRAY,)))
    assert LOOK_AGAIN[1] == effects[-1].after


def test_what_was_killed_is_reported_although_it_is_gone():
    p = after(up(), CLEAN, ev.Looked((STRAY, TAME)), EMPTY)
    assert p.exit.escaped == (STRAY,)


def test_what_cannot_be_killed_is_reported_after_a_while():
    p = after(up(), STOP, CLEAN, ev.Looked((STRAY, TAME)))
    p, effects = told(p, ev.Looked((TAME,)), now=at(10 + REPORT_AFTER))
    alive_still = ev.Settle("k-stop", "escaped", "still alive: tame (78)")
    assert [ev.ReleaseLease(TOKEN), alive_still, ev.Changed()] == effects
    assert (p.phase, p.exit.escaped) == (P.EXITED, (STRAY, TAME))
    assert p.why.text == "stopped by bob; exited with 0; still alive: tame (78)"


def test_until_then_it_is_killed_again_and_again():
    p = after(up(), KILL, CLEAN)
    for seconds in (0.0, 1.0, REPORT_AFTER - 0.1):
        p, effects = told(p, ev.Looked((STRAY,)), now=at(seconds))
        assert ev.Signal("SIGKILL", strays=(STRAY,)) == effects[0]


def test_a_stray_is_killed_before_it_is_reported_however_late_the_exit_came():
    p = after(up(), KILL)
    p = after(p, ev.Exited(None, "SIGKILL"), now=at(60))
    p, effects = told(p, ev.Looked((STRAY,)), now=at(60))
    assert ev.Signal("SIGKILL", strays=(STRAY,)) == effects[0]
    assert P.EMPTYING is p.phase


def test_a_stray_that_has_changed_its_name_is_reported_once():
    p = after(up(), KILL, CLEAN, ev.Looked((Stray(77, "sh"),)))
    p = after(p, ev.Looked((Stray(77, "sleep"),)), now=at(REPORT_AFTER))
    assert [stray.pid for stray in p.exit.escaped] == [77]


def test_strays_of_one_run_are_forgotten_in_the_next():
    p = after(up(), CLEAN, ev.Looked((STRAY,)), EMPTY)
    p = after(p, START, ev.Granted("u#2", 8), SPAWNED, CLEAN, EMPTY)
    assert p.exit.escaped == ()


def test_a_timer_of_an_earlier_look_is_outdated():
    p = after(up(), CLEAN, ev.Looked((STRAY,)))
    q = after(p, ev.Looked((STRAY,)))
    assert (q, []) == told(q, ev.TimerFired("look", p.timer))


# what follows -----------------------------------------------------------------------------------------------------


def test_without_a_policy_a_crash_is_an_end():
    p = after(up(), CRASH, EMPTY)
    assert (p.phase, p.why.code, p.why.text, p.wanted) == (P.EXITED, "exited", "exited with 1", False)


def test_what_a_guard_has_ended_since_its_lease_had_run_out_asks_for_another():
    p, effects = told(after(up(), ev.Exited(None, "SIGKILL", overdue="not heard")), EMPTY)
    assert [ev.ReleaseLease(TOKEN), ev.AskPermission("u#2", again=True), ev.Changed()] == effects
    assert (p.phase, p.restarts, p.exit.signal, p.cause) == (P.ASKING, 1, "SIGKILL", "")
    assert p.exit.cause


def test_but_not_where_it_was_to_be_stopped():
    p = after(up(), STOP, ev.Exited(None, "SIGKILL", overdue="not heard"), EMPTY)
    assert (p.phase, p.why.code) == (P.EXITED, "stopped")


def test_an_end_that_nobody_asked_for_is_restarted_after_a_delay():
    p, effects = told(after(up(restart=ALWAYS), CRASH), EMPTY)
    assert [ev.ReleaseLease(TOKEN), ev.StartTimer("backoff", p.timer, 1.0), ev.Changed()] == effects
    assert (p.phase, p.why.text) == (P.BACKOFF, "exited with 1; next try in 1.0 s")
    assert (p.why.next, p.tries, p.restarts) == (1001.0, 1, 1)


def test_on_failure_leaves_success_alone():
    assert P.EXITED is after(up(restart=RestartSpec(policy="on-failure")), CLEAN, EMPTY).phase


def test_the_end_of_the_back_off_asks_for_permission_again():
    p = alive(P.BACKOFF)
    q, effects = told(p, ev.TimerFired("backoff", p.timer))
    assert [ev.AskPermission("u#2", again=True), ev.Changed()] == effects
    assert (q.phase, q.wanted) == (P.ASKING, True)


def test_a_restart_that_is_not_allowed_is_the_end_of_it():
    p = alive(P.BACKOFF)
    p = after(p, ev.TimerFired("backoff", p.timer), ev.Denied("u#2", "web runs on b"))
    assert (p.phase, p.wanted) == (P.DENIED, False)


def test_too_many_restarts_are_given_up_on():
    p = process(admission=False, restart=RestartSpec(policy="always", limit=2, window=60.0))
    p = after(p, START)
    for _ in range(2):
        p = after(p, SPAWNED, CRASH, EMPTY)
        p = after(p, ev.TimerFired("backoff", p.timer))
    p, effects = told(p, SPAWNED, CRASH, EMPTY)
    assert (p.phase, p.why.code, p.wanted) == (P.FAILED, "gave-up", False)
    assert p.why.text == "exited with 1; 2 restarts within 60 s are the limit"
    assert [effect for effect in effects if isinstance(effect, ev.StartTimer)] == []


def test_a_start_by_somebody_begins_the_count_anew():
    p = after(alive(P.BACKOFF), ev.StartAsked("k", "eve"), ev.Granted("u#2", 8), SPAWNED, CRASH, EMPTY)
    assert (p.tries, len(p.history)) == (1, 1)


def test_a_start_after_the_exit_does_not_wait_for_the_policy():
    p, effects = told(after(alive(P.EMPTYING), ev.StartAsked("k", "eve")), EMPTY)
    assert [ev.ReleaseLease(TOKEN), ev.AskPermission("u#2"), ev.Changed()] == effects
    assert (p.phase, p.starts) == (P.ASKING, ("k",))


def test_a_grant_of_an_earlier_run_does_not_pass_for_the_next():
    p = after(up(), ev.RestartAsked("k", "eve"), CLEAN, EMPTY)
    q, effects = told(p, GRANTED)
    assert (p, [ev.ReleaseLease(TOKEN)]) == (q, effects)
