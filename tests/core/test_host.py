"""A host: which processes a command means, batches of answers, the same key twice."""

import pytest

from procctl.core import events as ev
from procctl.core.answers import Answers, is_passing
from procctl.core.host import Answer, Perform
from procctl.core.messages import (
    Add,
    Batch,
    Delete,
    Failure,
    Kill,
    Miss,
    Restart,
    Signal,
    Start,
    Status,
    Stop,
    Target,
)
from procctl.core.records import Item
from procctl.core.specs import StopSpec

from .hosting import (
    HERE,
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
    tell,
    uuid,
)
from .making import EMPTY, GRANTED, STRAY, at, spec

THREE = (free("api"), free("web", group="front", instances=2))


# targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (Target(), ["api", "web.1", "web.2"]),
        (Target(name="web"), ["web.1", "web.2"]),
        (Target(name="web.2"), ["web.2"]),
        (Target(name="*.1"), ["web.1"]),
        (Target(name="web", hostname="b.example.com"), []),
        (Target(name="web", hostname="*.example.com"), ["web.1", "web.2"]),
        (Target(group="front"), ["web.1", "web.2"]),
        (Target(group="front", name="api"), []),
        (Target(name="nobody"), []),
    ],
)
def test_a_target_names_processes(target, found):
    assert found == [p.name for p in host(*THREE).select(target)]


def test_a_uuid_names_one_whole_or_by_its_beginning():
    h = host(*THREE)
    wanted = uuid(h, "web.2")
    assert [p.name for p in h.select(Target(uuid=wanted))] == ["web.2"]
    assert [p.name for p in h.select(Target(uuid=wanted[:8]))] == ["web.2"]
    assert h.select(Target(uuid=wanted[:7])) == []
    assert h.select(Target(uuid=wanted, name="api")) == []


def test_an_exact_name_beats_a_slot():
    h = host(free("web", instances=2), free("web.3"))
    assert [p.name for p in h.select(Target(name="web.3"))] == ["web.3"]
    assert [p.name for p in h.select(Target(name="web"))] == ["web.1", "web.2"]


# looking ----------------------------------------------------------------------------------------------------------


def test_a_status_is_answered_at_once():
    h = host(*THREE)
    assert names(reply(ask(h, Status()))) == ["api", "web.1", "web.2"]


def test_an_item_says_all_that_is_known():
    h = host(free("web", group="front"))
    ask(h, Start(name="web"), now=at(1))
    tell(h, "web", ev.Spawned(41), now=at(2))
    item = h.item(uuid(h, "web"), at(9.5))
    assert (
        item.name,
        item.hostname,
        item.pid,
        item.status,
        item.state,
        item.detail,
    ) == ("web", HERE, 41, 1, "running", "up")
    assert (
        item.timestamp,
        item.uptime,
        item.ready,
        item.restarts,
        item.group,
        item.exit,
    ) == (1002.0, 7, True, 0, "front", None)
    assert (item.why.code, item.why.text, item.why.by) == ("running", "started by ann", "ann")


def test_what_does_not_run_has_no_uptime():
    h = host(free())
    starts(h, "web")
    ends(h, "web", 1)
    item = h.item(uuid(h, "web"), at(100))
    assert (item.pid, item.uptime, item.ready, item.exit.code) == (0, 0, None, 1)


def test_details_are_told_without_the_values_of_the_environment():
    h = host(free("web", env={"PASSWORD": "secret", "GONE": None}))
    starts(h, "web")
    ends(h, "web", 1)
    [detail] = reply(ask(h, Status(detail=True))).details
    assert (uuid(h, "web"), {}, ("PASSWORD", "GONE")) == (detail.uuid, detail.spec.env, detail.environment)
    assert [record.code for record in detail.past] == [1]


def test_no_process_at_all_is_an_empty_status():
    assert Batch() == reply(ask(host(), Status()))


# misses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "target"),
    [(Status(name="wbe"), "wbe"), (Stop(group="back"), "group:back"), (Start(uuid="12345678"), "uuid:12345678")],
)
def test_a_target_that_matches_nothing_is_a_miss(request_, target):
    batch = reply(ask(host(*THREE), request_))
    assert ([], [(target, "no-such-target")]) == (names(batch), misses(batch))


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("wbe", "did you mean 'web'?"),
        ("web.3", "did you mean 'web.2'?"),
        ("zzzzzzz", "procctl ps shows what there is"),
    ],
)
def test_a_miss_says_what_may_have_been_meant(wrong, hint):
    batch = reply(ask(host(*THREE), Stop(name=wrong)))
    message = f"no process {wrong!r} on {HERE}"
    assert (Miss(target=wrong, code="no-such-target", message=message, hint=hint),) == batch.misses


def test_a_host_that_is_not_meant_says_who_it_is():
    [miss] = reply(ask(host(*THREE), Status(hostname="zz"))).misses
    assert ("zz/*", "no host 'zz' is there", f"there is {HERE}") == (miss.target, miss.message, miss.hint)


# commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Start, Stop, Kill, Restart, Delete])
def test_a_command_on_everything_needs_all(kind):
    refused = reply(ask(host(*THREE), kind()))
    assert ("needs-all", f"{kind.command} without a target would mean every process") == (refused.code, refused.message)


def test_a_signal_to_everything_needs_all():
    assert reply(ask(host(*THREE), Signal(signal="SIGHUP"))).code == "needs-all"


def test_with_all_everything_is_meant():
    h = host(*THREE)
    out = ask(h, Start(all=True))
    assert [ev.Spawn(0)] * 3 == effects(out, ev.Spawn)


def test_a_batch_is_answered_when_the_last_target_has_settled():
    h = host(*THREE)
    assert answers(ask(h, Start(name="web"))) == {}
    assert answers(tell(h, "web.2", ev.Spawned(42))) == {}
    batch = reply(tell(h, "web.1", ev.Spawned(41)))
    assert [(item.name, item.pid) for item in batch.items] == [("web.1", 41), ("web.2", 42)]


def test_some_of_a_batch_may_fail():
    h = host(*THREE)
    ask(h, Start(name="web"))
    tell(h, "web.1", ev.Spawned(41))
    batch = reply(tell(h, "web.2", ev.SpawnFailed("no such file")))
    missed = Miss(target="web.2", code="spawn-failed", message="no such file", hint="procctl why web.2")
    assert (missed,) == batch.misses
    assert [item.detail for item in batch.items] == ["up", "failed"]


def test_a_miss_keeps_the_hint_of_the_process():
    h = host(free())
    batch = reply(ask(h, Signal(name="web", signal="HUP")))
    assert [(miss.code, miss.hint) for miss in batch.misses] == [("not-running", "procctl start web")]


def test_a_signal_goes_by_any_of_its_names():
    h = host(free())
    starts(h, "web")
    for i, name in enumerate(("hup", "SIGHUP", "1")):
        out = ask(h, Signal(name="web", signal=name), key=f"k{i}")
        assert [ev.Signal("SIGHUP", tree=False)] == effects(out, ev.Signal)


@pytest.mark.parametrize("request_", [Signal(name="web", signal="NONE"), Kill(name="web", signal="99")])
def test_what_is_no_signal_is_refused(request_):
    assert reply(ask(host(free()), request_)).code == "bad-signal"


@pytest.mark.parametrize("grace", [-1.0, float("nan"), float("inf"), 2e9])
def test_what_is_no_grace_is_refused(grace):
    refused = reply(ask(host(free()), Stop(name="web", grace=grace)))
    assert ("bad-request", f"expected seconds, got {grace} at $.grace") == (refused.code, refused.message)


def test_a_negative_grace_of_a_kill_is_refused():
    h = host(free())
    starts(h, "web")
    assert reply(ask(h, Kill(name="web", signal="TERM", grace=-1.0))).code == "bad-request"


@pytest.mark.parametrize(
    ("grace", "wait"), [(None, 4.0), (4.0, 2.0), (0.0, 0.0)], ids=["its own", "shorter", "none at all"]
)
def test_a_grace_is_spread_over_the_signals_of_the_spec(grace, wait):
    h = host(free(stop=StopSpec(steps=(("SIGINT", 4.0), ("SIGTERM", 4.0)))))
    starts(h, "web")
    out = ask(h, Stop(name="web", grace=grace))
    assert [wait] == [timer.after for timer in effects(out, ev.StartTimer)]


def test_a_grace_for_signals_without_waits_is_shared():
    h = host(free(stop=StopSpec(steps=(("SIGINT", 0.0), ("SIGTERM", 0.0)))))
    starts(h, "web")
    out = ask(h, Stop(name="web", grace=3.0))
    assert [timer.after for timer in effects(out, ev.StartTimer)] == [1.5]


def test_a_grace_where_the_spec_kills_at_once_is_none():
    h = host(free(stop=StopSpec(steps=())))
    starts(h, "web")
    assert [ev.Signal("SIGKILL")] == effects(ask(h, Stop(name="web", grace=3.0)), ev.Signal)


def test_a_kill_may_begin_with_another_signal():
    h = host(free())
    starts(h, "web")
    out = ask(h, Kill(name="web", signal="int", grace=3.0))
    assert [ev.Signal("SIGINT")] == effects(out, ev.Signal)
    assert [timer.after for timer in effects(out, ev.StartTimer)] == [3.0]


def test_a_kill_is_at_once():
    h = host(free())
    starts(h, "web")
    assert [ev.Signal("SIGKILL")] == effects(ask(h, Kill(name="web")), ev.Signal)


def test_a_stop_is_answered_when_nothing_is_left():
    h = host(free())
    starts(h, "web")
    ask(h, Stop(name="web"))
    assert answers(tell(h, "web", ev.Exited(None, "SIGTERM"), ev.Looked((STRAY,)))) == {}
    batch = reply(tell(h, "web", EMPTY))
    assert [(i.detail, i.exit.signal, i.exit.by) for i in batch.items] == [("exited", "SIGTERM", "ann")]


def test_a_restart_is_answered_by_the_new_run():
    h = host(free())
    starts(h, "web")
    ask(h, Restart(name="web"))
    assert answers(ends(h, "web")) == {}
    assert [(i.pid, i.restarts) for i in reply(tell(h, "web", ev.Spawned(99))).items] == [(99, 1)]


def test_force_reaches_the_question():
    h = host(spec())
    out = ask(h, Start(name="web", force=True))
    assert [ev.AskPermission(f"{uuid(h, 'web')}#1", force=True)] == effects(out, ev.AskPermission)


# what happens to one ----------------------------------------------------------------------------------------------


def test_an_event_for_a_process_that_was_deleted_is_dropped():
    h = host(free())
    gone = uuid(h, "web")
    ask(h, Delete(name="web"))
    assert h.feed(gone, ev.TimerFired("look", 3), at()) == []


def test_a_grant_for_a_process_that_was_deleted_is_given_back():
    h = host(free())
    gone = uuid(h, "web")
    ask(h, Delete(name="web"))
    assert [Perform(gone, ev.ReleaseLease(7))] == h.feed(gone, GRANTED, at())


# the same key -----------------------------------------------------------------------------------------------------


def test_the_same_key_gets_the_same_answer_and_does_nothing():
    h = host(free())
    starts(h, "web")
    ask(h, Stop(name="web"))
    first = reply(ends(h, "web"))
    starts(h, "web")
    assert [Answer("k", first)] == ask(h, Stop(name="web"))
    assert phases(h) == {"web": "up"}


def test_the_same_key_while_it_is_under_way_is_answered_once():
    h = host(free())
    ask(h, Start(name="web"))
    assert ask(h, Start(name="web")) == []
    assert list(answers(tell(h, "web", ev.Spawned(41)))) == ["k"]


def test_an_add_that_is_sent_again_is_no_second_process():
    h = host()
    first = reply(ask(h, Add(spec=free(), start=False)))
    assert [Answer("k", first)] == ask(h, Add(spec=free(), start=False))
    assert phases(h) == {"web": "registered"}


def test_passing_keys_are_not_remembered():
    h = host(free())
    ask(h, Status(), key="~1")
    starts(h, "web")
    assert [item.detail for item in reply(ask(h, Status(), key="~1"), "~1").items] == ["up"]


def test_a_refusal_is_not_remembered():
    h = host()
    assert isinstance(reply(ask(h, Add(spec=free("all")))), Failure)
    assert names(reply(ask(h, Add(spec=free(), start=False)))) == ["web"]


def test_a_command_whose_answer_is_forgotten_goes_on():
    h = host(free())
    ask(h, Start(name="web"))
    h.forget("k")
    tell(h, "web", ev.Spawned(41))
    assert phases(h) == {"web": "up"}


def test_a_command_whose_answer_was_forgotten_is_not_done_again():
    h = host(free())
    starts(h, "web")
    ask(h, Restart(name="web"))
    h.forget("k")
    ends(h, "web")
    tell(h, "web", ev.Spawned(42))
    assert effects(ask(h, Restart(name="web"))) == []


def test_what_is_not_asked_can_be_forgotten():
    h = host(free())
    h.forget("nobody")
    assert h.expire("nobody", at()) == []


# answers that are kept --------------------------------------------------------------------------------------------


def items(count):
    return Batch(items=tuple(Item(name=f"p{i}", uuid=str(i), hostname=HERE) for i in range(count)))


def test_the_oldest_answers_are_forgotten_first():
    kept = Answers(weight=10)
    for key in ("one", "two", "three"):
        kept.put(key, items(3))
    assert (None, items(3), items(3)) == (kept.get("one"), kept.get("two"), kept.get("three"))


def test_an_answer_counts_by_its_items_and_misses():
    missed = Batch(misses=(Miss(target="x", code="y", message="z"),))
    kept = Answers(weight=4)
    kept.put("one", missed)
    kept.put("two", items(1))
    assert (missed, items(1)) == (kept.get("one"), kept.get("two"))
    kept.put("three", Batch())
    assert (None, items(1), Batch()) == (kept.get("one"), kept.get("two"), kept.get("three"))


def test_keys_that_were_made_here_are_passing():
    assert (is_passing("~1"), is_passing("cli:~1")) == (True, False)
