"""A process whose work is apart from its life: the moves between resuming, up, pausing and idle."""

import pytest

from procctl.core import events as ev
from procctl.core.hooks import MAX_QUESTIONS
from procctl.core.process import step
from procctl.core.specs import SHUTDOWN, HooksSpec, ReadyMessage, ReadyTcp, StopSpec
from procctl.core.states import Phase, State
from procctl.core.words import SHUT_DOWN, START, STOP, question

from .making import (
    BEGUN,
    CLEAN,
    CRASH,
    EMPTY,
    GRANTED,
    KILL,
    PAUSED,
    PID,
    SPAWNED,
    TOKEN,
    after,
    alive,
    at,
    process,
    told,
    up,
)
from .making import START as STARTED

P = Phase

AGAIN = ev.StartAsked("k-again", "eve")
SOFT = ev.StopAsked("k-soft", "bob")
HARD = ev.StopAsked("k-hard", "cid", None, True)


def settled(effects):
    return [(effect.key, effect.code) for effect in effects if isinstance(effect, ev.Settle)]


def words(effects):
    return [effect.text for effect in effects if isinstance(effect, ev.SendToChild)]


def late(p):
    """The time for an answer is over."""
    return ev.TimerFired("answer", p.timer)


def working(**declared):
    return after(process(**{"hooks": True, **declared}), STARTED, GRANTED, SPAWNED, BEGUN)


def idle(**declared):
    return after(working(**declared), SOFT, PAUSED)


def living(phase):
    return working() if phase is P.UP else alive(phase)


# a life -----------------------------------------------------------------------------------------------------------


def test_it_is_asked_to_begin_and_runs_when_it_says_so():
    p, effects = told(process(hooks=True), STARTED, GRANTED, SPAWNED)
    assert (P.RESUMING, PID, False) == (p.phase, p.pid, p.ready)
    assert ([START], []) == (words(effects), settled(effects))
    p, effects = told(p, BEGUN)
    assert (P.UP, True, "started by ann") == (p.phase, p.ready, p.why.text)
    assert [("k-start", "")] == settled(effects)


def test_a_stop_pauses_it_and_it_keeps_pid_and_lease():
    p, effects = told(working(), SOFT)
    assert (P.PAUSING, [STOP], []) == (p.phase, words(effects), settled(effects))
    p, effects = told(p, PAUSED)
    assert (P.IDLE, State.STOPPED, PID, TOKEN) == (p.phase, p.phase.state, p.pid, p.token)
    assert [("k-soft", "")] == settled(effects)
    assert not any(isinstance(effect, ev.ReleaseLease | ev.Signal) for effect in effects)


def test_a_start_resumes_it_without_asking_anybody():
    p, effects = told(idle(), AGAIN)
    assert (P.RESUMING, [START]) == (p.phase, words(effects))
    assert not any(isinstance(effect, ev.AskPermission | ev.Spawn) for effect in effects)
    p, effects = told(p, BEGUN)
    assert (P.UP, PID, 1, [("k-again", "")]) == (p.phase, p.pid, p.runs, settled(effects))
    assert "resumed by eve" == p.why.text


def test_a_process_without_hooks_is_ended():
    p, effects = told(up(), SOFT)
    assert (P.STOPPING, []) == (p.phase, words(effects))


def test_what_is_idle_is_stopped_already():
    assert told(idle(), ev.StopAsked("k", "ann")) == (idle(), [ev.Settle("k")])


@pytest.mark.parametrize("command", [KILL, HARD], ids=["kill", "hard"])
@pytest.mark.parametrize("phase", [P.RESUMING, P.UP, P.PAUSING, P.IDLE])
def test_what_is_hard_ends_it_and_gives_its_lease_back(phase, command):
    command = ev.StopAsked(command.key, command.by, command.steps, True)
    p, effects = told(living(phase), command)
    assert P.STOPPING is p.phase
    assert any(isinstance(effect, ev.Signal) for effect in effects)
    p, effects = told(p, CLEAN, EMPTY)
    assert (P.EXITED, 0) == (p.phase, p.pid)
    assert ev.ReleaseLease(TOKEN) in effects
    assert (command.key, "") in settled(effects)


@pytest.mark.parametrize("phase", [P.RESUMING, P.UP, P.PAUSING, P.IDLE])
def test_a_restart_is_a_new_program(phase):
    p = living(phase)
    p, _ = told(p, ev.RestartAsked("k", "ann"), CLEAN, EMPTY)
    assert (P.ASKING, ("k",)) == (p.phase, p.starts[-1:])


# its end ----------------------------------------------------------------------------------------------------------


def test_an_end_while_idle_is_recorded_and_leads_to_no_restart():
    p, effects = told(alive(P.IDLE), CRASH, EMPTY)
    assert (P.EXITED, 1, "") == (p.phase, p.exit.code, p.exit.by)
    assert "stopped by bob; exited with 1" == p.why.text
    assert ev.ReleaseLease(TOKEN) in effects


def test_an_end_instead_of_an_answer_is_an_end_that_was_asked_for():
    p, effects = told(alive(P.PAUSING), CLEAN, EMPTY)
    assert (P.EXITED, "bob") == (p.phase, p.exit.by)
    assert [("k-stop", "")] == settled(effects)


def test_an_end_before_its_work_has_begun_fails_the_start_and_is_for_the_policy():
    p, effects = told(alive(P.RESUMING), CRASH)
    assert [("k-start", "not-running")] == settled(effects)
    assert P.BACKOFF is after(p, EMPTY).phase


# no answer --------------------------------------------------------------------------------------------------------


def test_who_does_not_answer_a_stop_is_ended_and_that_is_said():
    p = after(working(), SOFT)
    p, effects = told(p, late(p))
    assert (P.STOPPING, "did not answer stopRequest within 10 s; SIGKILL in 10 s") == (p.phase, p.why.text)
    assert ev.Signal("SIGTERM") in effects
    p, effects = told(p, ev.Exited(None, "SIGTERM"), EMPTY)
    text = "stopped by bob; did not answer stopRequest within 10 s; killed by SIGTERM"
    assert (P.EXITED, text, "bob", [("k-soft", "")]) == (p.phase, p.why.text, p.exit.by, settled(effects))


def test_a_stop_with_its_own_grace_ends_it_within_that():
    p = after(working(), ev.StopAsked("k", "bob", (("SIGINT", 1.0),)))
    p, effects = told(p, late(p))
    assert ev.Signal("SIGINT") in effects
    assert at().boot + 1.0 == p.kill_at


def test_kill_is_at_once():
    p = after(working(hooks=HooksSpec(on_timeout="kill")), SOFT)
    assert ev.Signal("SIGKILL") in told(p, late(p))[1]


def test_fail_lets_it_be():
    p = after(working(hooks=HooksSpec(on_timeout="fail")), SOFT)
    p, effects = told(p, late(p))
    assert (P.UP, True, [("k-soft", "no-answer")]) == (p.phase, p.wanted, settled(effects))


def test_fail_and_a_late_answer():
    p = after(working(hooks=HooksSpec(on_timeout="fail")), SOFT)
    p, _ = told(p, late(p), PAUSED)
    assert (P.IDLE, "its work has paused by itself") == (p.phase, p.why.text.partition(";")[0])


def test_a_refusal_counts_as_no_answer_with_a_reason():
    p = after(working(hooks=HooksSpec(on_timeout="fail")), SOFT)
    p, effects = told(p, ev.ChildAnswered("stop", "busy"))
    assert [ev.Settle("k-soft", "no-answer", "web refused to stop: busy", "procctl kill web")] == effects[:1]


def test_a_refusal_of_what_was_not_asked_is_nothing():
    assert told(working(), ev.ChildAnswered("stop", "busy")) == (working(), [])


def test_who_does_not_answer_a_start_is_a_failure():
    p = after(process(hooks=True), STARTED, GRANTED, SPAWNED)
    p, effects = told(p, late(p))
    assert (P.STOPPING, [("k-start", "no-answer")]) == (p.phase, settled(effects))
    p, effects = told(p, ev.Exited(None, "SIGTERM"), EMPTY)
    assert (P.FAILED, "not-ready") == (p.phase, p.why.code)


# crossings --------------------------------------------------------------------------------------------------------


def test_a_stop_while_it_resumes_pauses_it_again():
    p, effects = told(idle(), AGAIN, SOFT)
    assert (P.RESUMING, [("k-again", "superseded")]) == (p.phase, settled(effects))
    p, effects = told(p, BEGUN)
    assert (P.PAUSING, [STOP]) == (p.phase, words(effects))
    p, effects = told(p, PAUSED)
    assert (P.IDLE, [("k-soft", "")]) == (p.phase, settled(effects))


def test_a_start_while_it_pauses_resumes_it():
    p, effects = told(working(), SOFT, AGAIN, PAUSED)
    assert (P.RESUMING, [STOP, START], [("k-soft", "")]) == (p.phase, words(effects), settled(effects))
    p, effects = told(p, BEGUN)
    assert (P.UP, [("k-again", "")]) == (p.phase, settled(effects))


def test_a_program_that_pauses_and_goes_on_by_itself_is_believed():
    p = after(working(), PAUSED)
    assert (P.IDLE, False) == (p.phase, p.wanted)
    p = after(p, BEGUN)
    assert (P.UP, True) == (p.phase, p.wanted)


def test_an_answer_twice_changes_nothing():
    assert told(working(), BEGUN) == (working(), [])
    assert told(idle(), PAUSED) == (idle(), [])


def test_a_timer_of_an_earlier_question_is_known():
    p = after(process(hooks=True), STARTED, GRANTED, SPAWNED)
    timer = late(p)
    p = after(p, BEGUN)
    assert told(p, timer) == (p, [])
    p = after(p, SOFT)
    assert told(p, timer) == (p, [])


# readiness --------------------------------------------------------------------------------------------------------


def test_readiness_is_looked_for_when_its_work_has_begun_and_again_when_it_goes_on():
    p, effects = told(process(hooks=True, ready=ReadyTcp(port=80)), STARTED, GRANTED, SPAWNED)
    assert not any(isinstance(effect, ev.CheckReady) for effect in effects)
    p, effects = told(p, BEGUN)
    assert ev.CheckReady(1) in effects
    p, effects = told(p, ev.BecameReady(1), SOFT, PAUSED, AGAIN, BEGUN)
    assert (False, True) == (p.ready, ev.CheckReady(2) in effects)
    assert told(p, ev.NotReady(1, "late")) == (p, [])


# a channel without hooks ------------------------------------------------------------------------------------------


def test_shutdown_is_a_step_of_a_stop():
    p, effects = told(up(stop=StopSpec(steps=((SHUTDOWN, 5.0), ("SIGTERM", 5.0)))), SOFT)
    assert [SHUT_DOWN] == words(effects)
    assert not any(isinstance(effect, ev.Signal) for effect in effects)
    _, effects = told(p, ev.TimerFired("stop", p.timer))
    assert ev.Signal("SIGTERM") in effects


@pytest.mark.parametrize(
    ("declared", "channel"),
    [
        ({}, False),
        ({"hooks": False}, False),
        ({"hooks": True}, True),
        ({"ready": ReadyMessage(message="ready")}, True),
        ({"stop": StopSpec(steps=((SHUTDOWN, 1.0),))}, True),
    ],
)
def test_who_has_a_channel(declared, channel):
    assert channel is process(**declared).spec.channel


# what it says, and is asked ---------------------------------------------------------------------------------------


def test_what_it_says_is_told_once_and_forgotten_at_its_end():
    p, effects = told(working(), ev.ChildReported("warm"), ev.ChildReported("warm"))
    assert ("warm", [ev.Changed()]) == (p.said, effects)
    p, effects = told(p, ev.ChildReported(None, (("jobs", 3.0),)))
    assert ("warm", (("jobs", 3.0),), []) == (p.said, p.metrics, effects)
    p = after(p, CRASH)
    assert ("", ()) == (p.said, p.metrics)


def test_a_question_and_its_answer():
    p, effects = told(working(), ev.QuestionAsked("k", "ann", "flush", '{"all":true}'))
    assert [question(1, "flush", '{"all":true}')] == words(effects)
    p, effects = told(p, ev.QuestionAnswered(1, "[7]"))
    assert ((), [ev.Settle("k", data="[7]")]) == (p.questions, effects)
    assert told(p, ev.QuestionAnswered(1, "[8]")) == (p, [])


def test_a_question_that_is_refused_or_cut_off():
    p = after(working(), ev.QuestionAsked("k", "ann", "flush"))
    assert [("k", "child-refused")] == settled(told(p, ev.QuestionAnswered(1, refusal="no"))[1])
    assert [("k", "not-running")] == settled(told(p, CRASH)[1])


def test_who_cannot_be_asked():
    asked = ev.QuestionAsked("k", "ann", "flush")
    assert [("k", "no-channel")] == settled(told(up(), asked)[1])
    assert [("k", "not-running")] == settled(told(process(hooks=True), asked)[1])


def test_open_questions_are_bounded():
    p = working()
    for i in range(MAX_QUESTIONS):
        p, _ = step(p, ev.QuestionAsked(f"k{i}", "ann", "flush"), at())
    p, effects = told(p, ev.QuestionAsked("more", "ann", "flush"))
    assert ([("k0", "no-answer")], MAX_QUESTIONS) == (settled(effects), len(p.questions))
