"""One process from a wish to a run: starting, waiting, permission, spawning, readiness, signals."""

import pytest

from procctl.core import events as ev
from procctl.core.records import ExitRecord
from procctl.core.restart import FIRST_STEP
from procctl.core.specs import ReadyTcp, RestartSpec
from procctl.core.states import RESTING, Phase
from procctl.errors import IllegalEvent

from .making import (
    ALWAYS,
    CLEAN,
    CRASH,
    EMPTY,
    GRANTED,
    PID,
    SPAWNED,
    START,
    STOP,
    TOKEN,
    after,
    alive,
    at,
    process,
    told,
    up,
)
from .world import RUNNING

P = Phase
AGAIN = ev.StartAsked("k-again", "eve")
READY = ReadyTcp(port=80)


# starting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", sorted(RESTING, key=str))
def test_a_process_at_rest_asks_for_permission_when_it_is_to_start(phase):
    p, effects = told(alive(phase), AGAIN)
    assert [ev.AskPermission(p.rid), ev.Changed()] == effects
    assert (p.phase, p.starts, p.by, p.wanted) == (P.ASKING, ("k-again",), "eve", True)


def test_without_admission_it_is_spawned_at_once_and_without_a_lease():
    p, effects = told(process(admission=False), START)
    assert [ev.Record(), ev.Spawn(0), ev.Changed()] == effects
    assert (p.phase, p.token, p.rid) == (P.STARTING, 0, "")


def test_every_question_has_a_number_of_its_own():
    first = after(process(), START)
    second = after(first, STOP, AGAIN)
    assert (first.rid, second.rid) == ("u#1", "u#2")


def test_force_goes_with_the_question():
    _, effects = told(process(), ev.StartAsked("k", "ann", force=True))
    assert [ev.AskPermission("u#1", force=True), ev.Changed()] == effects


def test_a_start_while_it_runs_is_done_already():
    p, effects = told(up(), AGAIN)
    assert [ev.Settle("k-again")] == effects
    assert (p.by, p.starts) == ("ann", ())


@pytest.mark.parametrize("phase", [P.WAITING, P.ASKING, P.STARTING, P.STOPPING, P.EMPTYING])
def test_a_start_under_way_is_joined(phase):
    before = alive(phase)
    p, effects = told(before, AGAIN)
    assert effects == []
    assert (phase, (*before.starts, "k-again"), True) == (p.phase, p.starts, p.wanted)


def test_what_somebody_starts_does_not_wait_for_its_turn():
    p, _ = told(alive(P.BACKOFF), ev.TimerFired("backoff", alive(P.BACKOFF).timer), ev.Queued("u#2", "not its turn"))
    assert (p.again, p.why.text) == (True, "not its turn")
    q, effects = told(p, AGAIN)
    assert ([ev.Withdraw("u#2"), ev.AskPermission("u#3")], q.again) == (effects, False)
    assert q.starts == ("k-again",)


def test_a_start_does_not_wait_for_the_back_off():
    p, effects = told(alive(P.BACKOFF), AGAIN)
    assert [ev.AskPermission("u#2"), ev.Changed()] == effects
    assert (p.tries, p.history) == (0, ())


def test_the_timer_of_a_back_off_that_was_cut_short_is_outdated():
    before = alive(P.BACKOFF)
    p = after(before, AGAIN)
    assert (p, []) == told(p, ev.TimerFired("backoff", before.timer))


def test_a_restart_of_what_does_not_run_is_a_start():
    p, effects = told(process(), ev.RestartAsked("k", "ann"))
    assert [ev.AskPermission("u#1"), ev.Changed()] == effects
    assert p.starts == ("k",)


# waiting for others -----------------------------------------------------------------------------------------------


def test_a_blocked_start_waits_and_says_for_what():
    p, effects = told(process(), ev.StartAsked("k", "ann", blocked="waits for db to be ready"))
    assert [ev.Changed()] == effects
    assert (p.phase, p.why.text) == (P.WAITING, "waits for db to be ready")


def test_an_unblocked_start_goes_on():
    p, effects = told(alive(P.WAITING), ev.Unblocked())
    assert [ev.AskPermission("u#1"), ev.Changed()] == effects
    assert p.starts == ("k-start",)


def test_an_unblocked_start_without_admission_is_spawned():
    _, effects = told(alive(P.WAITING, admission=False), ev.Unblocked())
    assert [ev.Record(), ev.Spawn(0), ev.Changed()] == effects


def test_a_hopeless_start_fails_with_the_reason():
    p, effects = told(alive(P.WAITING), ev.Unblocked("depends on db, which is not registered"))
    why = "depends on db, which is not registered"
    assert [ev.Settle("k-start", "dependency-failed", why), ev.Changed()] == effects
    assert (p.phase, p.why.code, p.wanted) == (P.FAILED, "dependency-failed", False)


# permission -------------------------------------------------------------------------------------------------------


def test_a_grant_leads_to_a_spawn_with_its_token():
    p, effects = told(alive(P.ASKING), GRANTED)
    assert [ev.Record(), ev.Spawn(TOKEN), ev.Changed()] == effects
    assert (p.phase, p.token, p.rid, p.force) == (P.STARTING, TOKEN, "", False)


def test_a_denial_is_the_answer_to_whoever_asked():
    p, effects = told(alive(P.ASKING), ev.Denied("u#1", "web runs on b"))
    assert [ev.Settle("k-start", "denied", "web runs on b"), ev.Changed()] == effects
    assert (p.phase, p.why.text, p.wanted) == (P.DENIED, "web runs on b", False)


def test_a_question_that_could_not_be_put_is_told_by_its_own_code():
    p, effects = told(alive(P.ASKING), ev.Denied("u#1", "nobody is there", "peer-gone"))
    assert [ev.Settle("k-start", "peer-gone", "nobody is there"), ev.Changed()] == effects
    assert p.why.code == "peer-gone"


def test_holding_answers_those_who_wait_and_keeps_the_question_open():
    p, effects = told(alive(P.ASKING), ev.Held("u#1", "a person was asked"))
    settled = ev.Settle("k-start", "approval-pending", "a person was asked", "procctl approvals")
    assert [settled, ev.Changed()] == effects
    assert (p.phase, p.rid, p.starts) == (P.HELD, "u#1", ())


def test_a_start_while_held_is_told_about_the_person():
    p, effects = told(alive(P.HELD), AGAIN)
    assert [ev.Settle("k-again", "approval-pending", "a person was asked", "procctl approvals")] == effects
    assert alive(P.HELD) == p


def test_a_person_may_say_yes_later():
    p, effects = told(alive(P.HELD), GRANTED)
    assert [ev.Record(), ev.Spawn(TOKEN), ev.Changed()] == effects
    assert P.STARTING is p.phase


def test_a_person_may_say_no_later():
    p, effects = told(alive(P.HELD), ev.Denied("u#1", "bob denied it"))
    assert [ev.Changed()] == effects
    assert (p.phase, p.why.text) == (P.DENIED, "bob denied it")


@pytest.mark.parametrize("phase", list(P))
def test_a_grant_for_another_question_is_given_back(phase):
    before = alive(phase)
    assert (before, [ev.ReleaseLease(99)]) == told(before, ev.Granted("u#0", 99))


@pytest.mark.parametrize("phase", [phase for phase in P if phase not in (P.ASKING, P.HELD)])
def test_a_grant_that_nobody_waits_for_is_given_back(phase):
    before = alive(phase)
    assert (before, [ev.ReleaseLease(99)]) == told(before, ev.Granted("u#1", 99))


@pytest.mark.parametrize("event", [ev.Denied("u#0", "no"), ev.Held("u#0", "later")])
@pytest.mark.parametrize("phase", list(P))
def test_other_late_answers_change_nothing(phase, event):
    before = alive(phase)
    assert (before, []) == told(before, event)


# a spawn ----------------------------------------------------------------------------------------------------------


def test_a_spawned_process_is_up_and_the_start_is_done():
    p, effects = told(alive(P.STARTING), SPAWNED, now=at(3))
    assert [ev.Settle("k-start"), ev.Changed()] == effects
    assert (p.phase, p.pid, p.ready, p.started, p.runs) == (P.UP, PID, True, 103.0, 1)


def test_all_who_wait_for_a_start_are_told():
    _, effects = told(after(alive(P.STARTING), AGAIN), SPAWNED)
    assert [ev.Settle("k-start"), ev.Settle("k-again"), ev.Changed()] == effects


def test_the_reason_of_a_run_names_the_asker_and_the_run_before():
    p = after(alive(P.EXITED), AGAIN, ev.Granted("u#2", 8), SPAWNED)
    assert p.why.text == "started by eve; before that it exited with 0"


def test_the_phase_says_since_when():
    p = after(alive(P.STARTING), SPAWNED, now=at(5))
    assert (p.since, p.why.since) == (1005.0, 1005.0)


def test_a_failed_spawn_gives_the_lease_back_and_is_final():
    p, effects = told(alive(P.STARTING), ev.SpawnFailed("no such file"))
    failed = ev.Settle("k-start", "spawn-failed", "no such file")
    assert [ev.ReleaseLease(TOKEN), failed, ev.Changed()] == effects
    assert (p.phase, p.token, p.wanted) == (P.FAILED, 0, False)


def test_a_passing_failure_is_final_where_nothing_is_restarted():
    p, effects = told(after(process(), START, GRANTED), ev.SpawnFailed("out of memory", passing=True))
    failed = ev.Settle("k-start", "spawn-failed", "out of memory")
    assert [ev.ReleaseLease(TOKEN), failed, ev.Changed()] == effects
    assert P.FAILED is p.phase


def test_a_passing_failure_is_tried_again_where_ends_are_restarted():
    p, effects = told(alive(P.STARTING), ev.SpawnFailed("out of memory", passing=True))
    failed = ev.Settle("k-start", "spawn-failed", "out of memory")
    timer = ev.StartTimer("backoff", p.timer, 1.0)
    assert [ev.ReleaseLease(TOKEN), failed, timer, ev.Changed()] == effects
    assert (p.phase, p.why.text, p.why.next) == (P.BACKOFF, "out of memory; next try in 1.0 s", 1001.0)


def test_passing_failures_are_tried_again_ever_more_slowly():
    p = process(admission=False, restart=ALWAYS)
    p, _ = told(p, START)
    pauses = []
    for _ in range(4):
        p, effects = told(p, ev.SpawnFailed("out of memory", passing=True))
        pauses += [effect.after for effect in effects if isinstance(effect, ev.StartTimer)]
        p, _ = told(p, ev.TimerFired("backoff", p.timer))
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_passing_failures_are_not_tried_again_for_ever():
    limited = RestartSpec(policy="always", limit=2, jitter=0.0)
    p = after(process(admission=False, restart=limited), START)
    for _ in range(2):
        p = after(p, ev.SpawnFailed("out of memory", passing=True))
        p = after(p, ev.TimerFired("backoff", p.timer))
    assert P.FAILED is after(p, ev.SpawnFailed("out of memory", passing=True)).phase


def test_a_passing_failure_does_not_count_as_a_short_run():
    patient = RestartSpec(policy="always", min_uptime=60.0)
    p = after(process(restart=patient), START, GRANTED, ev.SpawnFailed("out of memory", passing=True))
    assert P.BACKOFF is p.phase


def test_a_restart_at_once_waits_a_moment_from_the_second_on():
    quick = RestartSpec(policy="always", delay=(0.0, 60.0), jitter=0.0)
    p = after(process(admission=False, restart=quick), START)
    p, effects = told(p, SPAWNED, CRASH, EMPTY)
    assert (P.STARTING, [ev.Spawn(0), ev.Changed()]) == (p.phase, effects[-2:])
    _, effects = told(p, SPAWNED, CRASH, EMPTY)
    assert [2 * FIRST_STEP] == [effect.after for effect in effects if isinstance(effect, ev.StartTimer)]


def test_force_is_for_the_start_that_it_was_given_to_and_for_no_later_one():
    p = after(alive(P.STARTING), ev.StartAsked("k-again", "eve", force=True), SPAWNED, CRASH, EMPTY)
    _, effects = told(p, ev.TimerFired("backoff", p.timer))
    assert [ev.AskPermission("u#2", again=True), ev.Changed()] == effects


def test_force_holds_for_the_run_after_the_one_that_is_being_stopped():
    p = after(alive(P.STOPPING), ev.StartAsked("k-again", "eve", force=True), CLEAN)
    _, effects = told(p, EMPTY)
    assert ev.AskPermission("u#2", force=True) in effects


def test_force_that_was_denied_is_not_remembered():
    forced = ev.StartAsked("k", "ann", force=True)
    _, effects = told(after(process(), forced, ev.Denied("u#1", "no")), AGAIN)
    assert ev.AskPermission("u#2") in effects


def test_force_that_waited_in_vain_is_not_remembered():
    forced = ev.StartAsked("k", "ann", blocked="waits for db", force=True)
    _, effects = told(after(process(), forced, ev.Unblocked("db is failed")), AGAIN)
    assert ev.AskPermission("u#1") in effects


def test_a_passing_failure_answers_the_stop_and_the_start_that_came_after_it():
    _, effects = told(after(alive(P.STARTING), STOP, AGAIN), ev.SpawnFailed("out of memory", passing=True))
    settled = [effect for effect in effects if isinstance(effect, ev.Settle)]
    assert settled == [ev.Settle("k-again", "spawn-failed", "out of memory"), ev.Settle("k-stop")]


def test_force_after_a_stop_while_it_is_spawned_is_for_the_next_run():
    forced = ev.StartAsked("k-again", "eve", force=True)
    _, effects = told(after(alive(P.STARTING), STOP, forced, SPAWNED, CLEAN), EMPTY)
    assert ev.AskPermission("u#2", force=True) in effects


# readiness --------------------------------------------------------------------------------------------------------


def test_a_process_with_a_check_is_up_before_it_is_ready():
    p, effects = told(alive(P.STARTING, ready=READY), SPAWNED)
    assert [ev.Settle("k-start"), ev.CheckReady(1), ev.Changed()] == effects
    assert (p.phase, p.ready) == (P.UP, False)


def test_becoming_ready_is_told():
    p, effects = told(up(ready=READY), ev.BecameReady(1))
    assert [ev.Changed()] == effects
    assert (p.phase, p.ready) == (P.UP, True)


@pytest.mark.parametrize("event", [ev.BecameReady(0), ev.NotReady(0, "late"), ev.BecameReady(2)])
def test_the_check_of_another_run_changes_nothing(event):
    before = up(ready=READY)
    assert (before, []) == told(before, event)


@pytest.mark.parametrize("event", [ev.BecameReady(1), ev.NotReady(1, "late")])
def test_readiness_is_found_once(event):
    before = after(up(ready=READY), ev.BecameReady(1))
    assert (before, []) == told(before, event)


def test_what_does_not_become_ready_is_stopped_and_has_failed():
    p, effects = told(up(ready=READY), ev.NotReady(1, "not ready within 30 s"))
    assert [ev.Signal("SIGTERM"), ev.StartTimer("stop", p.timer, 10.0), ev.Changed()] == effects
    assert (p.phase, p.why.text) == (P.STOPPING, "not ready within 30 s; SIGKILL in 10 s")
    q = after(p, CLEAN, EMPTY)
    assert (q.phase, q.why.code) == (P.FAILED, "not-ready")
    assert q.why.text == "not ready within 30 s; exited with 0"


def test_nobody_had_asked_for_the_end_of_what_did_not_become_ready():
    p = after(up(ready=READY), ev.NotReady(1, "not ready"), CLEAN, EMPTY)
    assert ExitRecord(code=0, signal=None, at=1000.0, uptime=0.0, cause="not ready") == p.exit


def test_what_did_not_become_ready_is_restarted_as_any_failure():
    restart = RestartSpec(policy="on-failure", jitter=0.0)
    p = after(up(ready=READY, restart=restart), ev.NotReady(1, "not ready"), CLEAN, EMPTY)
    assert (p.phase, p.tries) == (P.BACKOFF, 1)


def test_a_stop_while_it_is_stopped_for_not_being_ready_ends_the_restarts():
    p = after(up(ready=READY, restart=ALWAYS), ev.NotReady(1, "not ready"), STOP, CLEAN, EMPTY)
    assert (p.phase, p.why.text) == (P.EXITED, "stopped by bob; exited with 0")


# signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", sorted(RUNNING, key=str))
def test_a_signal_goes_to_the_process_alone_and_changes_nothing(phase):
    before = alive(phase)
    effects = [ev.Signal("SIGHUP", tree=False), ev.Settle("k")]
    assert (before, effects) == told(before, ev.SignalAsked("k", "ann", "SIGHUP"))


@pytest.mark.parametrize("phase", [phase for phase in P if phase not in RUNNING])
def test_a_signal_to_what_does_not_run_is_refused(phase):
    before = alive(phase)
    refused = ev.Settle("k", "not-running", f"web is {phase.detail}", "procctl start web")
    assert (before, [refused]) == told(before, ev.SignalAsked("k", "ann", "SIGHUP"))


# what cannot be ---------------------------------------------------------------------------------------------------


def test_an_illegal_event_says_what_happened_where():
    with pytest.raises(IllegalEvent, match="web: a process that is exited cannot have Spawned"):
        told(alive(P.EXITED), SPAWNED)
