"""When a command, or a mere wait, is answered: until accepted, settled, running, ready, stopped, exit; deadlines."""

import pytest

from procctl.core import events as ev
from procctl.core.messages import (
    Add,
    Delete,
    Kill,
    Miss,
    Restart,
    Start,
    Status,
    Stop,
)
from procctl.core.specs import ReadyTcp

from .hosting import (
    answers,
    ask,
    effects,
    ends,
    free,
    host,
    misses,
    names,
    phases,
    reply,
    starts,
    stops,
    tell,
    uuid,
)
from .making import ALWAYS, CRASH, EMPTY, at, spec

READY = ReadyTcp(port=80)
UP = ev.Spawned(41)
READIED = ev.BecameReady(1)


def again(h, name="web"):
    """The back-off is over."""
    p = h.processes[uuid(h, name)]
    return tell(h, name, ev.TimerFired("backoff", p.timer))


def details(batch):
    return [item.detail for item in batch.items]


# accepted, settled ------------------------------------------------------------------------------------------------


def test_accepted_is_answered_when_all_have_been_told():
    h = host(free("web", instances=2))
    out = ask(h, Start(name="web"), until="accepted")
    assert details(reply(out)) == ["starting", "starting"]
    assert [ev.Spawn(0), ev.Spawn(0)] == effects(out, ev.Spawn)


def test_accepted_says_nothing_of_what_comes_later():
    h = host(free())
    ask(h, Start(name="web"), until="accepted")
    assert answers(tell(h, "web", ev.SpawnFailed("no such file"))) == {}


def test_settled_is_also_held_for_a_person():
    h = host(spec())
    ask(h, Start(name="web"))
    batch = reply(tell(h, "web", ev.Held(f"{uuid(h, 'web')}#1", "a person was asked")))
    missed = Miss(target="web", code="approval-pending", message="a person was asked", hint="procctl approvals")
    assert (missed,) == batch.misses


def test_settled_is_also_denied():
    h = host(spec())
    ask(h, Start(name="web"))
    batch = reply(tell(h, "web", ev.Denied(f"{uuid(h, 'web')}#1", "web runs on b")))
    assert (misses(batch), details(batch)) == ([("web", "denied")], ["denied"])


def test_a_status_settles_at_once():
    assert details(reply(ask(host(free()), Status(name="web"), until="accepted"))) == ["registered"]


# running, ready ---------------------------------------------------------------------------------------------------


def test_a_start_may_wait_until_it_is_ready():
    h = host(free(ready=READY))
    ask(h, Start(name="web"), until="ready")
    assert answers(tell(h, "web", UP)) == {}
    assert [item.ready for item in reply(tell(h, "web", READIED)).items] == [True]


def test_running_does_not_wait_for_readiness():
    h = host(free(ready=READY))
    ask(h, Start(name="web"), until="running")
    assert [item.ready for item in reply(tell(h, "web", UP)).items] == [False]


def test_what_is_ready_already_is_answered_at_once():
    h = host(free())
    starts(h, "web")
    assert details(reply(ask(h, Start(name="web"), until="ready"))) == ["up"]


def test_a_batch_is_ready_when_all_are():
    h = host(free("web", instances=2, ready=READY))
    ask(h, Start(name="web"), until="ready")
    tell(h, "web.1", UP, READIED)
    assert answers(tell(h, "web.2", UP)) == {}
    assert names(reply(tell(h, "web.2", READIED))) == ["web.1", "web.2"]


def test_an_end_before_it_was_ready_is_a_miss():
    h = host(free(ready=READY))
    ask(h, Start(name="web"), until="ready")
    tell(h, "web", UP)
    batch = reply(ends(h, "web", 1))
    missed = Miss(target="web", code="exited", message="web is exited: exited with 1", hint="procctl why web")
    assert (missed,) == batch.misses


def test_a_check_that_fails_is_a_miss():
    h = host(free(ready=READY))
    ask(h, Start(name="web"), until="ready")
    tell(h, "web", UP, ev.NotReady(1, "not ready within 30 s"))
    assert misses(reply(ends(h, "web", 1))) == [("web", "not-ready")]


def test_a_restart_by_policy_may_still_become_ready():
    h = host(free(ready=READY, restart=ALWAYS))
    ask(h, Start(name="web"), until="ready")
    tell(h, "web", UP)
    assert answers([*ends(h, "web", 1), *again(h), *tell(h, "web", UP)]) == {}
    assert [h.processes[u].runs for u in h.processes] == [2]
    assert misses(reply(tell(h, "web", ev.BecameReady(2)))) == []


def test_a_start_that_fails_is_one_miss_however_long_it_would_have_waited():
    h = host(free())
    ask(h, Start(name="web"), until="ready")
    assert misses(reply(tell(h, "web", ev.SpawnFailed("no such file")))) == [("web", "spawn-failed")]


def test_a_stop_never_makes_it_run():
    h = host(free())
    starts(h, "web")
    ask(h, Stop(name="web"), until="running")
    assert misses(reply(ends(h, "web"))) == [("web", "stopped")]


def test_a_wait_for_running_is_patient_with_what_rests():
    h = host(free())
    assert answers(ask(h, Status(name="web"), until="running")) == {}
    assert answers(ask(h, Start(name="web"), key="start")) == {}
    assert {"k", "start"} == set(answers(tell(h, "web", UP)))


def test_a_wait_for_running_is_not_patient_with_what_has_failed():
    h = host(free())
    ask(h, Status(name="web"), until="running")
    ask(h, Start(name="web"), key="start")
    batch = answers(tell(h, "web", ev.SpawnFailed("no such file")))["k"]
    assert misses(batch) == [("web", "spawn-failed")]


def test_an_add_without_a_start_may_wait_for_one():
    h = host()
    assert answers(ask(h, Add(spec=free(), start=False), until="running")) == {}
    ask(h, Start(name="web"), key="start")
    assert [(i.name, i.detail) for i in answers(tell(h, "web", UP))["k"].items] == [("web", "up")]


# stopped, exit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", ["stopped", "exit"])
def test_what_rests_has_ended(until):
    assert details(reply(ask(host(free()), Status(name="web"), until=until))) == ["registered"]


@pytest.mark.parametrize("until", ["stopped", "exit"])
def test_a_wait_for_the_end_ends_in_emptiness(until):
    h = host(free())
    starts(h, "web")
    assert answers(ask(h, Status(name="web"), until=until)) == {}
    assert answers(tell(h, "web", CRASH)) == {}
    assert [item.exit.code for item in reply(tell(h, "web", EMPTY)).items] == [1]


def test_an_end_that_is_followed_by_a_restart_is_an_exit_and_no_stop():
    h = host(free(restart=ALWAYS))
    starts(h, "web")
    ask(h, Status(name="web"), key="exit", until="exit")
    ask(h, Status(name="web"), key="stopped", until="stopped")
    assert list(answers(ends(h, "web", 1))) == ["exit"]
    again(h)
    tell(h, "web", UP)
    assert [key for key in answers(stops(h, "web")) if key != "~stop"] == ["stopped"]


def test_a_restart_is_an_exit():
    h = host(free())
    starts(h, "web")
    ask(h, Status(name="web"), until="exit")
    ask(h, Restart(name="web"), key="restart")
    assert list(answers(ends(h, "web"))) == ["k"]


def test_a_wait_that_begins_before_the_run_sees_the_exit_of_a_restart():
    h = host(free())
    ask(h, Start(name="web"), key="start")
    ask(h, Status(name="web"), until="exit")
    tell(h, "web", UP)
    ask(h, Restart(name="web"), key="restart")
    assert list(answers(ends(h, "web"))) == ["k"]


def test_a_wait_that_begins_while_it_is_looked_after_sees_the_exit_of_a_restart():
    h = host(free())
    starts(h, "web")
    ask(h, Restart(name="web"), key="restart")
    tell(h, "web", CRASH)
    ask(h, Status(name="web"), until="exit")
    assert list(answers(tell(h, "web", EMPTY))) == ["k"]


def test_a_start_may_wait_for_the_end_of_the_run():
    h = host(free())
    ask(h, Start(name="web"), until="exit")
    assert answers(tell(h, "web", UP)) == {}
    assert [item.exit.code for item in reply(ends(h, "web")).items] == [0]


def test_a_start_of_what_runs_waits_for_the_end_of_that_run():
    h = host(free())
    starts(h, "web")
    assert answers(ask(h, Start(name="web"), until="exit")) == {}
    assert [item.exit.code for item in reply(ends(h, "web", 1)).items] == [1]


@pytest.mark.parametrize("until", ["settled", "stopped", "exit"])
def test_a_kill_is_done_when_nothing_is_left(until):
    h = host(free())
    starts(h, "web")
    assert answers(ask(h, Kill(name="web"), until=until)) == {}
    assert details(reply(ends(h, "web", 1))) == ["exited"]


# deadlines --------------------------------------------------------------------------------------------------------


def test_a_deadline_answers_with_what_there_is():
    h = host(free("web", instances=2))
    ask(h, Start(name="web"))
    tell(h, "web.1", UP)
    batch = reply(h.expire("k", at(5)))
    missed = Miss(target="web.2", code="timeout", message="still starting: is being spawned", hint="procctl why web.2")
    assert (missed,) == batch.misses
    assert details(batch) == ["up", "starting"]


def test_a_deadline_undoes_nothing():
    h = host(free())
    ask(h, Start(name="web"))
    h.expire("k", at(5))
    assert answers(tell(h, "web", UP)) == {}
    assert phases(h) == {"web": "up"}


def test_a_deadline_holds_for_waits_too():
    h = host(free(ready=READY))
    ask(h, Start(name="web"), until="ready")
    tell(h, "web", UP)
    assert misses(reply(h.expire("k", at(5)))) == [("web", "timeout")]


def test_a_deadline_after_the_answer_is_nothing():
    h = host(free())
    ask(h, Start(name="web"))
    tell(h, "web", UP)
    assert h.expire("k", at(5)) == []


def test_who_is_late_is_named_in_the_order_of_the_targets():
    h = host(free("web", instances=12))
    ask(h, Start(name="web"))
    batch = reply(h.expire("k", at(5)))
    assert names(batch) == [target for target, _ in misses(batch)]


# deleted meanwhile ------------------------------------------------------------------------------------------------


def test_a_process_that_is_deleted_is_waited_for_no_longer():
    h = host(free())
    ask(h, Status(name="web"), until="running")
    batch = answers(ask(h, Delete(name="web"), key="delete"))["k"]
    assert (Miss(target="web", code="no-such-target", message="web was deleted"),) == batch.misses
    assert batch.items == ()


def test_the_others_of_the_batch_are_still_waited_for():
    h = host(free("web", instances=2))
    ask(h, Status(name="web"), until="running")
    assert list(answers(ask(h, Delete(name="web.1"), key="delete"))) == ["delete"]
    ask(h, Start(name="web"), key="start")
    batch = answers(tell(h, "web.2", UP))["k"]
    assert (names(batch), misses(batch)) == (["web.2"], [("web.1", "no-such-target")])
