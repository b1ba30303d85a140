"""Registering and forgetting processes on a host."""

from random import Random
from uuid import UUID

import pytest

from procctl.core import events as ev
from procctl.core.host import Answer, Appeared, Host, Vanished
from procctl.core.messages import Add, Delete, Failure, Miss, Start, Status, Stop, Target
from procctl.core.specs import RestartSpec

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
from .making import at

CHOSEN = "6f1c2c34-3c3b-4f0b-9a55-000000000001"


def refused(h, request):
    answer = reply(ask(h, request, key="~refused"), "~refused")
    assert isinstance(answer, Failure)
    return answer


# adding -----------------------------------------------------------------------------------------------------------


def test_what_is_added_appears_and_starts():
    h = host()
    out = ask(h, Add(spec=free()))
    assert [Appeared(uuid(h, "web"))] == [o for o in out if isinstance(o, Appeared)]
    assert [ev.Spawn(0)] == effects(out, ev.Spawn)
    assert [item.detail for item in reply(tell(h, "web", ev.Spawned(41))).items] == ["up"]


def test_an_add_without_a_start_is_answered_at_once():
    h = host()
    out = ask(h, Add(spec=free(), start=False))
    assert effects(out) == []
    assert [(item.name, item.state) for item in reply(out).items] == [("web", "notstarted")]


def test_the_spawn_that_fails_is_the_answer_to_the_add():
    h = host()
    ask(h, Add(spec=free()))
    assert misses(reply(tell(h, "web", ev.SpawnFailed("no such file")))) == [("web", "spawn-failed")]
    assert phases(h) == {"web": "failed"}


def test_instances_are_slots_with_identities_of_their_own():
    h = host()
    ask(h, Add(spec=free("web", instances=3), start=False))
    assert [p.name for p in h.processes.values()] == ["web.1", "web.2", "web.3"]
    assert len(h.processes) == 3


def test_the_uuid_may_be_chosen():
    h = host()
    ask(h, Add(spec=free("web", instances=2), uuid=CHOSEN, start=False))
    assert uuid(h, "web.1") == CHOSEN
    again = host()
    ask(again, Add(spec=free("web", instances=2), uuid=CHOSEN, start=False))
    assert uuid(h, "web.2") == uuid(again, "web.2")


def test_a_uuid_that_is_made_here_comes_from_the_dice():
    made = [uuid(host(free()), "web") for _ in range(2)]
    assert made[0] == made[1] == str(UUID(made[0]))
    assert UUID(made[0]).version == 4
    other = Host(HERE, Random(2))
    ask(other, Add(spec=free(), start=False))
    assert made[0] != uuid(other, "web")


@pytest.mark.parametrize("wrong", ["web", CHOSEN.upper(), f"{{{CHOSEN}}}", CHOSEN.replace("-", "")])
def test_what_is_no_uuid_is_refused(wrong):
    failure = refused(host(), Add(spec=free(), uuid=wrong))
    message = f"expected the text of a new uuid, got {wrong!r} at $.uuid"
    assert ("bad-request", message) == (failure.code, failure.message)


def test_a_uuid_is_used_once():
    h = host()
    ask(h, Add(spec=free("web"), uuid=CHOSEN, start=False))
    assert refused(h, Add(spec=free("api"), uuid=CHOSEN)).code == "bad-request"


def test_the_uuids_of_further_instances_are_used_once_too():
    h = host()
    ask(h, Add(spec=free("web", instances=2), uuid=CHOSEN, start=False))
    ask(h, Delete(name="web.1"), key="delete")
    out = ask(h, Add(spec=free("api", instances=2), uuid=CHOSEN, start=False), key="again")
    assert isinstance(reply(out, "again"), Failure)
    assert phases(h) == {"web.2": "registered"}


@pytest.mark.parametrize(
    ("there", "new", "taken"),
    [
        (free("web"), free("web"), "web"),
        (free("web"), free("web", instances=2), "web"),
        (free("web", instances=2), free("web"), "web"),
        (free("web", instances=2), free("web.2"), "web.2"),
        (free("web.2"), free("web", instances=2), "web.2"),
    ],
)
def test_a_name_is_used_once(there, new, taken):
    h = host(there)
    before = phases(h)
    failure = refused(h, Add(spec=new))
    message = f"a process {taken!r} exists already on {HERE}"
    hint = f"procctl delete {taken}, or choose another name"
    assert Failure(code="exists", message=message, hint=hint) == failure
    assert before == phases(h)


def test_a_slot_that_no_process_has_is_free():
    assert names(reply(ask(host(free("web", instances=2)), Add(spec=free("web.3"), start=False)))) == ["web.3"]


def test_a_bad_spec_is_refused_with_its_first_problem():
    failure = refused(host(), Add(spec=free(restart=RestartSpec(jitter=2.0), group="-")))
    assert (failure.code, failure.message) == ("bad-spec", "'-' is no group name at $.spec.group")


def test_an_add_for_another_host_is_refused():
    failure = refused(host(), Add(spec=free(), hostname="b.example.com"))
    assert ("no-such-target", f"this host is {HERE}, not b.example.com") == (failure.code, failure.message)


@pytest.mark.parametrize("hostname", ["", HERE, HERE.upper(), "*.example.com"])
def test_an_add_for_this_host_is_taken(hostname):
    assert names(reply(ask(host(), Add(spec=free(), hostname=hostname, start=False)))) == ["web"]


def test_a_refused_add_leaves_no_trace():
    h = host()
    refused(h, Add(spec=free("web", instances=2, depends_on={"web": "ready"})))
    assert phases(h) == {}
    assert h.select(Target(name="web")) == []


# deleting ---------------------------------------------------------------------------------------------------------


def test_what_is_deleted_vanishes_as_it_was_last():
    h = host(free())
    starts(h, "web")
    ends(h, "web", 1)
    out = ask(h, Delete(name="web"))
    [vanished] = [o for o in out if isinstance(o, Vanished)]
    assert (vanished.process.name, vanished.process.exit.code) == ("web", 1)
    assert [(item.name, item.detail) for item in reply(out).items] == [("web", "exited")]
    assert phases(h) == {}


def test_what_runs_is_not_deleted():
    h = host(free())
    starts(h, "web")
    batch = reply(ask(h, Delete(name="web")))
    text = "web is up; only what does not run can be deleted"
    assert (Miss(target="web", code="still-running", message=text, hint="procctl stop web"),) == batch.misses
    assert phases(h) == {"web": "up"}


def test_of_a_batch_that_is_deleted_what_runs_stays():
    h = host(free("web", instances=2))
    starts(h, "web.2")
    batch = reply(ask(h, Delete(name="web")))
    assert (names(batch), misses(batch)) == (["web.1"], [("web.2", "still-running")])
    assert phases(h) == {"web.2": "up"}


def test_everything_is_deleted_with_all():
    h = host(free("api"), free("web", instances=2))
    assert names(reply(ask(h, Delete(all=True)))) == ["api", "web.1", "web.2"]
    assert Answer("k2", reply(ask(h, Status(), key="k2"), "k2")) == ask(h, Status(), key="k2")[0]
    assert phases(h) == {}


def test_a_deleted_name_is_free_again():
    h = host(free("web", instances=2))
    ask(h, Delete(name="web"))
    assert names(reply(ask(h, Add(spec=free(), start=False), key="again"), "again")) == ["web"]
    assert [p.name for p in h.select(Target(name="web"))] == ["web"]


def test_the_other_slots_keep_the_name():
    h = host(free("web", instances=2))
    ask(h, Delete(name="web.1"))
    assert [p.name for p in h.select(Target(name="web"))] == ["web.2"]
    assert h.select(Target(name="web.1")) == []


def test_what_is_deleted_cannot_be_stopped():
    h = host(free())
    ask(h, Delete(name="web"))
    assert misses(answers(ask(h, Stop(name="web"), key="stop"))["stop"]) == [("web", "no-such-target")]


def test_a_deleted_process_starts_anew_under_its_name():
    h = host(free())
    starts(h, "web")
    ends(h, "web", 1)
    ask(h, Delete(name="web"))
    ask(h, Add(spec=free(), start=False), key="again")
    ask(h, Start(name="web"), key="start", now=at(9))
    item = h.item(uuid(h, "web"), at(9))
    assert (item.detail, item.exit, item.restarts) == ("starting", None, 0)
