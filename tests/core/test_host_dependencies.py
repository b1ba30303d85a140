"""What a start needs is started with it, waited for, and told when it will never come."""

from itertools import permutations

import pytest

from procctl.core import events as ev
from procctl.core.messages import Add, Delete, Failure, Restart, Start, Stop
from procctl.core.specs import ReadyTcp

from .hosting import (
    answers,
    ask,
    effects,
    ends,
    free,
    host,
    misses,
    phases,
    reply,
    starts,
    stops,
    tell,
    uuid,
)
from .making import ALWAYS, at, spec

READY = ReadyTcp(port=80)
UP = ev.Spawned(41)


def needs(condition, name="db", **declared):
    return free("web", depends_on={name: condition}, **declared)


def missed(h, outs):
    [miss] = reply(outs).misses
    return miss.code, miss.message


# conditions -------------------------------------------------------------------------------------------------------


def test_what_is_needed_is_started_with_it():
    h = host(free("db"), needs("started"))
    out = ask(h, Start(name="web"))
    assert [ev.Spawn(0)] == effects(out, ev.Spawn)
    assert phases(h) == {"db": "starting", "web": "waiting"}
    assert h.item(uuid(h, "web"), at()).why.text == "waits for db to be started"


def test_started_is_running():
    h = host(free("db", ready=READY), needs("started"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    assert phases(h) == {"db": "up", "web": "starting"}


def test_ready_is_running_and_ready():
    h = host(free("db", ready=READY), needs("ready"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    assert phases(h)["web"] == "waiting"
    tell(h, "db", ev.BecameReady(1))
    assert phases(h)["web"] == "starting"


@pytest.mark.parametrize("code", [0, 1])
def test_completed_is_ended_whatever_the_code(code):
    h = host(free("db"), needs("completed"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    assert phases(h)["web"] == "waiting"
    ends(h, "db", code)
    assert phases(h)["web"] == "starting"


def test_succeeded_is_ended_with_code_0():
    h = host(free("db"), needs("succeeded"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    ends(h, "db")
    assert phases(h)["web"] == "starting"


def test_a_failure_is_no_success():
    h = host(free("db"), needs("succeeded"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    code, message = missed(h, ends(h, "db", 1))
    assert (code, message) == ("dependency-failed", "depends on db to be succeeded, but db exited with 1")
    assert phases(h)["web"] == "failed"


@pytest.mark.parametrize("condition", ["started", "ready"])
def test_what_is_as_it_should_be_is_not_waited_for(condition):
    h = host(free("db"), needs(condition))
    starts(h, "db")
    ask(h, Start(name="web"))
    assert phases(h) == {"db": "up", "web": "starting"}


@pytest.mark.parametrize("condition", ["completed", "succeeded"])
def test_what_has_succeeded_is_not_run_again(condition):
    h = host(free("db"), needs(condition))
    starts(h, "db")
    ends(h, "db")
    ask(h, Start(name="web"))
    assert phases(h) == {"db": "exited", "web": "starting"}


def test_all_slots_of_a_name_are_needed():
    h = host(free("db", instances=2), needs("started"))
    ask(h, Start(name="web"))
    tell(h, "db.1", UP)
    assert phases(h)["web"] == "waiting"
    tell(h, "db.2", UP)
    assert phases(h)["web"] == "starting"


def test_one_slot_may_be_needed():
    h = host(free("db", instances=2), needs("started", "db.2"))
    ask(h, Start(name="web"))
    assert phases(h) == {"db.1": "registered", "db.2": "starting", "web": "waiting"}
    tell(h, "db.2", UP)
    assert phases(h)["web"] == "starting"


def test_all_that_is_needed_is_waited_for():
    h = host(free("db"), free("mq"), free("web", depends_on={"db": "started", "mq": "started"}))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    assert phases(h)["web"] == "waiting"
    tell(h, "mq", UP)
    assert phases(h)["web"] == "starting"


def test_a_restart_of_what_is_needed_is_waited_for():
    h = host(free("db", restart=ALWAYS, ready=READY), needs("ready"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    ends(h, "db", 1)
    assert phases(h) == {"db": "backoff", "web": "waiting"}


# chains -----------------------------------------------------------------------------------------------------------


def test_what_is_needed_by_what_is_needed_is_started_first():
    h = host(free("disk"), free("db", depends_on={"disk": "started"}), needs("started"))
    ask(h, Start(name="web"))
    assert phases(h) == {"disk": "starting", "db": "waiting", "web": "waiting"}
    tell(h, "disk", UP)
    tell(h, "db", UP)
    assert phases(h) == {"disk": "up", "db": "up", "web": "starting"}


def test_a_failure_runs_through_the_chain():
    h = host(free("disk"), free("db", depends_on={"disk": "started"}), needs("started"))
    ask(h, Start(name="web"))
    code, message = missed(h, tell(h, "disk", ev.SpawnFailed("no such file")))
    assert code == "dependency-failed"
    assert message == (
        "depends on db to be started, but db is failed: depends on disk to be started, but disk is failed: no such file"
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_several_need_is_started_once(order):
    specs = [free("db"), free("api", depends_on={"db": "started"}), needs("started")]
    h = host(*(specs[i] for i in order))
    out = ask(h, Start(all=True))
    assert [ev.Spawn(0)] == effects(out, ev.Spawn)
    tell(h, "db", UP)
    assert phases(h) == {"db": "up", "api": "starting", "web": "starting"}


def test_what_several_need_and_cannot_be_had_is_tried_once():
    layers = [free("base", depends_on={"ghost": "started"})]
    below = ["base"]
    for i in range(6):
        here = [f"l{i}", f"r{i}"]
        layers += [free(name, depends_on=dict.fromkeys(below, "started")) for name in here]
        below = here
    h = host(*layers, free("top", depends_on=dict.fromkeys(below, "started")))
    base = uuid(h, "base")
    out = ask(h, Start(name="top"))
    tried = [o for o in out if getattr(o, "uuid", "") == base and o.effect == ev.Changed()]
    assert len(tried) == 2  # it waits, and it fails


def test_a_chain_that_is_started_as_a_whole_may_be_declared_in_any_order():
    chain = [free("web", depends_on={"db": "started"}), free("db", depends_on={"disk": "started"}), free("disk")]
    for order in permutations(chain):
        h = host(*order)
        ask(h, Start(all=True))
        assert phases(h) == {"disk": "starting", "db": "waiting", "web": "waiting"}


@pytest.mark.parametrize("length", [10, 300])
def test_a_chain_may_be_long(length):
    links = [free(f"p{n}", depends_on={f"p{n + 1}": "started"}) for n in range(length)]
    h = host(*links, free(f"p{length}"))
    ask(h, Start(name="p0"))
    tell(h, f"p{length}", ev.SpawnFailed("no such file"))
    assert phases(h)["p0"] == "failed"


def test_who_is_started_for_another_says_so():
    h = host(free("db"), needs("started"))
    ask(h, Start(name="web"))
    assert h.item(uuid(h, "db"), at()).why.by == "ann (web depends on it)"


def test_a_restart_of_what_rests_starts_what_it_needs():
    h = host(free("db"), needs("started"))
    ask(h, Restart(name="web"))
    assert phases(h) == {"db": "starting", "web": "waiting"}


def test_a_restart_of_what_runs_leaves_what_it_needs_alone():
    h = host(free("db"), needs("started"))
    starts(h, "db", "web")
    ask(h, Restart(name="web"))
    assert phases(h) == {"db": "up", "web": "stopping"}


# what never comes -------------------------------------------------------------------------------------------------


def test_what_is_not_registered_is_not_waited_for():
    h = host(needs("started"))
    expected = ("dependency-failed", "depends on db, which is not registered")
    assert expected == missed(h, ask(h, Start(name="web")))
    assert phases(h) == {"web": "failed"}


def test_what_is_registered_later_serves_the_next_start():
    h = host(needs("started"))
    ask(h, Start(name="web"))
    ask(h, Add(spec=free("db"), start=False), key="add")
    ask(h, Start(name="web"), key="again")
    assert phases(h) == {"web": "waiting", "db": "starting"}


@pytest.mark.parametrize("condition", ["started", "ready", "completed", "succeeded"])
def test_what_cannot_be_spawned_is_not_waited_for(condition):
    h = host(free("db"), needs(condition))
    ask(h, Start(name="web"))
    code, message = missed(h, tell(h, "db", ev.SpawnFailed("no such file")))
    assert code == "dependency-failed"
    assert f"depends on db to be {condition}, but db is failed: no such file" == message


def test_what_is_denied_is_not_waited_for():
    h = host(spec("db"), needs("started"))
    ask(h, Start(name="web"))
    outs = tell(h, "db", ev.Denied(f"{uuid(h, 'db')}#1", "db runs on b"))
    assert missed(h, outs)[1] == "depends on db to be started, but db is denied: db runs on b"


def test_what_has_ended_is_not_waited_for():
    h = host(free("db", ready=READY), needs("ready"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    assert missed(h, ends(h, "db"))[1] == "depends on db to be ready, but db has ended: exited with 0"


def test_what_is_stopped_is_not_waited_for():
    h = host(free("db", ready=READY), needs("ready"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    outs = stops(h, "db")
    assert misses(answers(outs)["k"]) == [("web", "dependency-failed")]


def test_what_is_stopped_before_it_ran_is_not_waited_for():
    h = host(spec("db"), needs("started"))
    ask(h, Start(name="web"))
    ask(h, Stop(name="db"), key="stop")
    assert phases(h) == {"db": "registered", "web": "failed"}


def test_what_is_deleted_is_not_waited_for():
    h = host(spec("db"), needs("started"))
    ask(h, Start(name="web"))
    ask(h, Stop(name="db"), key="stop")
    ask(h, Delete(name="db"), key="delete")
    assert phases(h) == {"web": "failed"}


@pytest.mark.parametrize("order", [("db", "mq"), ("mq", "db")])
def test_one_that_never_comes_is_enough(order):
    h = host(free("db"), free("mq"), free("web", depends_on=dict.fromkeys(order, "started")))
    ask(h, Start(name="web"))
    assert misses(reply(tell(h, "mq", ev.SpawnFailed("no such file")))) == [("web", "dependency-failed")]


def test_a_stop_ends_the_wait_and_leaves_what_is_needed():
    h = host(free("db"), needs("started"))
    ask(h, Start(name="web"))
    outs = answers(ask(h, Stop(name="web"), key="stop"))
    assert misses(outs["k"]) == [("web", "superseded")]
    assert phases(h) == {"db": "starting", "web": "registered"}


def test_what_is_needed_and_ends_later_does_not_end_the_other():
    h = host(free("db"), needs("started"))
    ask(h, Start(name="web"))
    tell(h, "db", UP)
    tell(h, "web", UP)
    ends(h, "db", 1)
    assert phases(h) == {"db": "exited", "web": "up"}


# circles ----------------------------------------------------------------------------------------------------------


def refused(h, declared):
    answer = reply(ask(h, Add(spec=declared, start=False), key="~c"), "~c")
    assert isinstance(answer, Failure)
    return answer.code, answer.message


def test_a_process_does_not_need_itself():
    expected = ("bad-spec", "a process cannot depend on itself at $.spec.depends_on.web")
    assert expected == refused(host(), needs("started", "web"))


def test_a_circle_is_refused_by_name():
    h = host(free("db", depends_on={"web": "started"}))
    code, message = refused(h, needs("started"))
    assert code == "bad-spec"
    assert message in (
        "a circle of dependencies: web -> db -> web at $.spec.depends_on",
        "a circle of dependencies: db -> web -> db at $.spec.depends_on",
    )


def test_a_circle_over_several_is_refused():
    h = host(free("a", depends_on={"b": "started"}), free("b", depends_on={"c": "started"}))
    assert refused(h, free("c", depends_on={"a": "ready"}))[0] == "bad-spec"


def test_a_diamond_is_no_circle():
    h = host(free("a"), free("l", depends_on={"a": "started"}), free("r", depends_on={"a": "started"}))
    both = {"l": "started", "r": "started"}
    assert [i.name for i in reply(ask(h, Add(spec=free("z", depends_on=both), start=False))).items] == ["z"]


def test_a_slot_of_its_own_is_a_circle():
    assert refused(host(), free("web", instances=2, depends_on={"web.1": "started"}))[0] == "bad-spec"


def test_a_circle_over_a_slot_is_refused():
    h = host(free("db", instances=2, depends_on={"web": "started"}))
    assert refused(h, needs("started", "db.2"))[0] == "bad-spec"
