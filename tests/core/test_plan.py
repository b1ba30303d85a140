"""Dependencies: what is satisfied, what is hopeless, circles, the order of a whole end."""

from itertools import pairwise, product

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.plan import cycle, hopeless, satisfied, waves
from procctl.core.process import Process
from procctl.core.records import ExitRecord
from procctl.core.states import Phase

from .making import alive, spec

P = Phase
CONDITIONS = ("started", "ready", "completed", "succeeded")
NEVER_RAN = [P.REGISTERED, P.DENIED, P.WAITING, P.ASKING, P.HELD, P.STARTING]


def ended(phase, code=0):
    record = ExitRecord(code=code, signal=None, at=0.0, uptime=1.0)
    return evolve(alive(phase), exit=record)


def named(name, *needs, slot=""):
    return Process(uuid=slot or name, name=slot or name, spec=spec(name, depends_on=dict.fromkeys(needs, "started")))


# conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", list(P))
def test_only_what_is_up_is_started(phase):
    assert (phase is P.UP) is satisfied("started", alive(phase))


def test_ready_is_up_and_ready():
    up = alive(P.UP)
    assert (satisfied("ready", up), satisfied("ready", evolve(up, ready=False))) == (True, False)
    assert satisfied("ready", alive(P.STOPPING)) is False


@pytest.mark.parametrize(("phase", "code"), list(product((P.EXITED, P.FAILED), (0, 1))))
def test_completed_is_a_run_that_has_ended(phase, code):
    assert satisfied("completed", ended(phase, code)) is True


def test_what_never_ran_is_not_completed():
    assert {False} == {satisfied("completed", alive(phase)) for phase in [*NEVER_RAN, P.FAILED]}


@pytest.mark.parametrize(
    ("phase", "code", "answer"), [(P.EXITED, 0, True), (P.EXITED, 1, False), (P.EXITED, None, False)]
)
def test_succeeded_is_code_0(phase, code, answer):
    assert answer is satisfied("succeeded", ended(phase, code))


@pytest.mark.parametrize("condition", ["completed", "succeeded"])
@pytest.mark.parametrize("phase", [P.UP, P.STOPPING, P.EMPTYING, P.BACKOFF])
def test_the_run_before_does_not_count_while_another_is_on(condition, phase):
    assert satisfied(condition, ended(phase)) is False


# hope -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("condition", "phase"), list(product(CONDITIONS, (P.DENIED, P.FAILED))))
def test_what_has_failed_or_was_denied_needs_somebodys_help(condition, phase):
    p = alive(phase)
    assert f"web is {phase.detail}: {p.why.text}" == hopeless(condition, p)


def test_what_has_ended_will_not_run_by_itself():
    assert hopeless("started", alive(P.EXITED)) == "web has ended: stopped by bob; exited with 0"


def test_what_has_ended_badly_has_not_succeeded():
    assert hopeless("succeeded", ended(P.EXITED, 1)) == "web exited with 1"


def test_what_is_registered_will_not_run_by_itself():
    assert hopeless("started", alive(P.REGISTERED)) != ""


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("phase", [P.WAITING, P.ASKING, P.HELD, P.STARTING, P.UP, P.STOPPING, P.EMPTYING, P.BACKOFF])
def test_what_is_under_way_may_yet_come(condition, phase):
    assert hopeless(condition, alive(phase)) == ""


# circles ----------------------------------------------------------------------------------------------------------


def test_no_circle():
    assert cycle({"web": ["db"], "db": ["disk"]}) == ()


def test_a_circle_by_name_from_who_needs_to_what_is_needed():
    circle = cycle({"web": ["db"], "db": ["mq"], "mq": ["web"], "api": ["web"]})
    assert circle[0] == circle[-1]
    assert {("web", "db"), ("db", "mq"), ("mq", "web")} == set(pairwise(circle))


def test_what_needs_itself_is_a_circle():
    assert cycle({"web": ["web"]}) == ("web", "web")


# the end of a whole set -------------------------------------------------------------------------------------------


def test_what_is_needed_ends_after_who_needs_it():
    db, api, web = named("db"), named("api", "db"), named("web", "api")
    assert [[web], [api], [db]] == waves([db, api, web])


def test_what_is_needed_by_slot_ends_after_who_needs_it():
    one, two, web = named("db", slot="db.1"), named("db", slot="db.2"), named("web", "db.2")
    assert [[one, web], [two]] == waves([one, two, web])


def test_all_slots_of_a_name_end_after_who_needs_it():
    one, two, web = named("db", slot="db.1"), named("db", slot="db.2"), named("web", "db")
    assert [[web], [one, two]] == waves([one, two, web])


def test_what_is_not_there_is_not_waited_for():
    web = named("web", "ghost")
    assert [[web]] == waves([web])


def test_a_circle_ends_all_at_once():
    web, db, api = named("web", "db"), named("db", "web"), named("api", "web")
    assert [[api], [web, db]] == waves([web, db, api])


def test_nothing_ends_in_no_wave():
    assert waves([]) == []


@given(st.lists(st.lists(st.integers(0, 7), max_size=4), max_size=8))
def test_every_process_ends_once_and_before_what_it_needs(needs):
    processes = [named(f"p{i}", *(f"p{j}" for j in js if j < i)) for i, js in enumerate(needs)]
    found = waves(processes)
    assert sorted(p.name for p in processes) == sorted(p.name for wave in found for p in wave)
    when = {p.name: i for i, wave in enumerate(found) for p in wave}
    assert all(when[p.name] < when[name] for p in processes for name in p.spec.depends_on)
