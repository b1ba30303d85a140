"""A gate: open questions, leases, people, displacement, hosts that come back."""

import pytest
from attrs import evolve

from procctl.core.approval import ask, displace, rule
from procctl.core.gate import Decided, Revoke, Wake

from .asking import final, gate, lease, permit, question, tokens
from .making import at

SINCE = "since 1970-01-01T00:16:40Z"


def in_the_way(host, slot="web"):
    """What is said of a holder of which the registry knows nothing."""
    way = f"make sure that nothing runs there, then procctl free {slot} --host {host}"
    return f"{slot} runs on {host} {SINCE}; {host} is not heard: if it is lost for good, {way}"


HELD = "waits for a person to approve web on a"


def revoked(lease):
    return evolve(lease, revoked="ann")


def asking(request, fleet):
    return ask(60.0)


# leases -----------------------------------------------------------------------------------------------------------


def test_a_grant_is_a_lease():
    g = gate()
    [decided] = g.permit(question("r1"), at(5), "e1")
    expected = lease(1, rid="r1", at=1005.0, by="ann", run="e1")
    assert evolve(expected, uuid="uuid-r1") == decided.lease
    assert {1: decided.lease} == g.leases
    assert (decided.lease,) == g.holders("web")


def test_tokens_begin_behind_the_last_that_was_ever_given():
    assert tokens(permit(gate(token=41), "r1")) == {"r1": 42}


def test_tokens_are_never_given_twice():
    g = gate()
    given = []
    for n in range(5):
        given += tokens(permit(g, f"r{n}")).values()
        g.release(given[-1], at())
    assert given == [1, 2, 3, 4, 5]


def test_a_second_is_denied_with_the_holder():
    g = gate()
    [first] = permit(g, "r1")
    assert [Decided("r2", denied=in_the_way("a"), holder=first.lease)] == permit(g, "r2", hostname="b")
    assert {1: first.lease} == g.leases


def test_a_release_makes_room():
    g = gate()
    permit(g, "r1")
    assert g.release(1, at()) == []
    assert g.holders("web") == ()
    assert tokens(permit(g, "r2", hostname="b")) == {"r2": 2}


def test_a_release_may_come_twice_or_for_nothing():
    g = gate()
    permit(g, "r1")
    assert (g.release(1, at()), g.release(1, at()), g.release(99, at())) == ([], [], [])


def test_a_host_releases_its_own_leases_only():
    g = gate()
    permit(g, "r1", hostname="a")
    g.release(1, at(), "b")
    assert [held.token for held in g.holders("web")] == [1]
    g.release(1, at(), "a")
    assert g.holders("web") == ()


def test_many_have_leases_of_their_own():
    g = gate()
    for rid in ("r1", "r2", "r3"):
        permit(g, rid, mode="many")
    g.release(2, at())
    assert [holder.token for holder in g.holders("web")] == [1, 3]


def test_one_of_the_whole_fleet_is_alone_however_narrowly_the_next_one_looks():
    g = gate()
    permit(g, "r1", hostname="a", scope="fleet")
    assert tokens(permit(g, "r2", hostname="b", scope="host")) == {}


def test_a_lease_has_the_mode_that_the_policy_fixed():
    g = gate(rule(mode="one"))
    [decided] = permit(g, "r1", mode="many")
    assert decided.lease.mode == "one"


# the same question again ------------------------------------------------------------------------------------------


def test_the_same_question_gets_the_same_lease():
    g = gate()
    assert permit(g, "r1") == permit(g, "r1")
    assert list(g.leases) == [1]


def test_the_same_question_is_still_held():
    g = gate(asking)
    permit(g, "r1")
    assert [Decided("r1", held=HELD)] == permit(g, "r1")


def test_the_same_question_is_still_waiting_for_others():
    g = gate()
    permit(g, "r1")
    first = permit(g, "r2", mode="force", hostname="b")
    assert [Decided("r2", held=f"waits for an end: {in_the_way('a')}", queued=True)] == first[1:]
    assert first[1:] == permit(g, "r2", mode="force", hostname="b")


def test_the_same_question_gets_the_same_refusal():
    g = gate()
    permit(g, "r1")
    refused = permit(g, "r2", hostname="b")
    g.release(1, at())
    assert refused == permit(g, "r2", hostname="b")


def test_a_question_whose_lease_has_ended_is_not_answered_with_it():
    g = gate()
    permit(g, "r1")
    g.release(1, at())
    assert set(tokens(permit(g, "r1")).values()) <= g.leases.keys()
    assert 1 not in g.leases


# displacing -------------------------------------------------------------------------------------------------------


def test_force_has_the_holder_stopped_first():
    g = gate()
    [first] = permit(g, "r1")
    assert [Revoke(revoked(first.lease), "ann")] == final(permit(g, "r2", mode="force", hostname="b"))
    assert {1: revoked(first.lease)} == g.leases


def test_force_runs_when_the_last_holder_has_ended():
    g = gate()
    permit(g, "r1", mode="many")
    permit(g, "r2", mode="many", hostname="b")
    permit(g, "r3", mode="force", hostname="c")
    assert g.release(1, at()) == []
    assert tokens(g.release(2, at())) == {"r3": 3}
    assert [(holder.hostname, holder.mode) for holder in g.holders("web")] == [("c", "force")]


def test_who_comes_between_is_displaced_too():
    g = gate()
    permit(g, "r1", mode="many")
    permit(g, "r2", mode="force", hostname="b")
    permit(g, "r3", mode="many", hostname="c")
    between = g.leases[2]
    assert [Revoke(revoked(between), "ann")] == final(g.release(1, at()))
    assert tokens(g.release(2, at())) == {"r2": 3}


def test_of_two_that_displace_the_newest_runs_last():
    g = gate()
    permit(g, "r1")
    permit(g, "r2", mode="force", hostname="b")
    permit(g, "r3", mode="force", hostname="c")
    outs = g.release(1, at())
    assert tokens(outs) == {"r2": 2}
    assert Revoke(g.leases[2], "ann") == final(outs)[-1]
    assert tokens(g.release(2, at())) == {"r3": 3}


def test_a_policy_that_displaces_makes_it_alone():
    g = gate(lambda request, fleet: displace() if request.hostname == "b" else None)
    permit(g, "r1", mode="many")
    permit(g, "r2", mode="many", hostname="b")
    g.release(1, at())
    assert [holder.mode for holder in g.holders("web")] == ["force"]


def test_who_is_waited_for_on_a_host_can_be_told_again():
    g = gate()
    [first] = permit(g, "r1")
    permit(g, "r2", mode="force", hostname="b")
    assert ((revoked(first.lease), "ann"),) == g.revoking("a")
    assert g.revoking("b") == ()


def test_a_question_that_displaces_is_no_question_for_a_person():
    g = gate()
    permit(g, "r1")
    permit(g, "r2", mode="force", hostname="b")
    assert g.answer("r2", "bob", at()) == []
    assert g.expire("r2", at(1000)) == []
    assert list(g.open) == ["r2"]


# people -----------------------------------------------------------------------------------------------------------


def test_a_person_is_asked_for_so_long():
    g = gate(asking)
    assert [Wake("r1", 60.0), Decided("r1", held=HELD)] == permit(g, "r1")
    assert (g.open["r1"].deadline, g.open["r1"].since) == (160.0, 1000.0)


def test_a_person_may_be_asked_for_ever():
    g = gate(lambda request, fleet: ask())
    assert [Decided("r1", held=HELD)] == permit(g, "r1")
    assert g.expire("r1", at(1e9)) == []


def test_a_yes_is_a_lease():
    g = gate(asking)
    permit(g, "r1")
    assert tokens(g.answer("r1", "bob", at(5))) == {"r1": 1}
    assert g.open == {}


@pytest.mark.parametrize(("reason", "why"), [("", "bob denied it"), ("not now", "bob denied it: not now")])
def test_a_no_says_who_and_why(reason, why):
    g = gate(asking)
    permit(g, "r1")
    assert [Decided("r1", denied=why)] == g.answer("r1", "bob", at(5), deny=reason)
    assert (g.open, g.leases) == ({}, {})


def test_silence_is_a_no():
    g = gate(asking)
    permit(g, "r1")
    assert g.expire("r1", at(59)) == []
    assert [Decided("r1", denied="nobody answered in time")] == g.expire("r1", at(60))
    assert g.expire("r1", at(61)) == []


def test_an_answer_comes_once():
    g = gate(asking)
    permit(g, "r1")
    g.answer("r1", "bob", at())
    assert (g.answer("r1", "eve", at()), g.expire("r1", at(60)), g.answer("r9", "bob", at())) == ([], [], [])


def test_after_a_yes_the_modes_are_looked_at_again():
    g = gate(lambda request, fleet: ask() if request.hostname == "a" else None)
    permit(g, "r1")
    [other] = permit(g, "r2", hostname="b")
    assert [Decided("r1", denied=in_the_way("b"), holder=other.lease)] == g.answer("r1", "bob", at())


def test_after_a_yes_a_person_is_not_asked_again():
    g = gate(asking)
    permit(g, "r1", mode="force")
    assert tokens(g.answer("r1", "bob", at())) == {"r1": 1}


def test_after_a_yes_force_displaces():
    g = gate(lambda request, fleet: ask() if request.hostname == "b" else None)
    [first] = permit(g, "r1")
    permit(g, "r2", mode="force", hostname="b")
    assert [Revoke(revoked(first.lease), "ann")] == final(g.answer("r2", "bob", at()))
    assert tokens(g.release(1, at())) == {"r2": 2}


def test_the_mode_of_the_policy_holds_after_a_yes():
    g = gate(rule(mode="one", approve="ask"))
    permit(g, "r1", mode="many")
    [decided] = g.answer("r1", "bob", at())
    assert decided.lease.mode == "one"


# withdrawing ------------------------------------------------------------------------------------------------------


def test_a_question_that_is_withdrawn_is_open_no_longer():
    g = gate(asking)
    permit(g, "r1")
    assert g.withdraw("r1", at()) == []
    assert (g.open, g.answer("r1", "bob", at())) == ({}, [])


def test_a_question_that_is_withdrawn_after_its_grant_gives_the_lease_back():
    g = gate()
    permit(g, "r1")
    permit(g, "r2", mode="force", hostname="b")
    assert tokens(g.withdraw("r1", at())) == {"r2": 2}


def test_what_was_never_asked_can_be_withdrawn():
    assert gate().withdraw("r1", at()) == []


# hosts that come back ---------------------------------------------------------------------------------------------


def test_a_host_says_what_it_holds():
    g = gate()
    assert g.adopt("a", "e1", [lease(7, rid="r7"), lease(9, slot="api", rid="r9")], at()) == []
    assert [(t.slot, t.token, t.run) for t in g.leases.values()] == [("web", 7, "e1"), ("api", 9, "e1")]


def test_tokens_grow_beyond_what_a_host_says():
    g = gate()
    g.adopt("a", "e1", [lease(7)], at())
    assert tokens(permit(g, "r1", slot="api")) == {"r1": 8}


def test_what_a_host_holds_stands_in_the_way_of_others():
    g = gate()
    g.adopt("a", "e1", [lease(7)], at())
    assert permit(g, "r1", hostname="b")[0].denied.startswith("web runs on a; ")


@pytest.mark.parametrize("when", [1e300, -1e300, float("inf")])
def test_what_a_host_says_of_its_past_does_no_harm_to_others(when):
    g = gate()
    g.adopt("a", "e1", [lease(7, at=when)], at())
    assert permit(g, "r1", hostname="b")[0].denied.startswith("web runs on a")


def test_a_host_speaks_for_itself_only():
    g = gate()
    g.adopt("a", "e1", [lease(7, hostname="b")], at())
    assert [holder.hostname for holder in g.holders("web")] == ["a"]


def test_what_a_host_no_longer_holds_is_released():
    g = gate()
    permit(g, "r1")
    permit(g, "r2", mode="force", hostname="b")
    assert tokens(g.adopt("a", "e1", [], at())) == {"r2": 2}


def test_what_a_host_still_holds_stays_as_it_was():
    g = gate()
    [decided] = permit(g, "r1")
    assert g.adopt("a", "e1", [decided.lease], at()) == []
    assert {1: decided.lease} == g.leases


def test_another_run_of_the_agent_holds_nothing_of_the_one_before():
    g = gate()
    permit(g, "r1")
    g.adopt("a", "e2", [], at())
    assert g.leases == {}


def test_what_another_run_of_the_agent_has_taken_over_is_still_held():
    g = gate()
    [decided] = permit(g, "r1")
    permit(g, "r2", mode="force", hostname="b")
    assert g.adopt("a", "e2", [decided.lease], at()) == []
    assert [(held.hostname, held.run) for held in g.holders("web")] == [("a", "e2")]


def test_other_hosts_are_left_alone():
    g = gate()
    permit(g, "r1", hostname="b")
    g.adopt("a", "e2", [], at())
    assert list(g.leases) == [1]


def test_the_questions_of_an_earlier_run_are_forgotten():
    g = gate(asking)
    permit(g, "r1")
    permit(g, "r2", hostname="b")
    g.adopt("a", "e2", [], at())
    assert list(g.open) == ["r2"]


def test_the_questions_of_the_same_run_stay_open():
    g = gate(asking)
    permit(g, "r1")
    g.adopt("a", "e1", [], at())
    assert list(g.open) == ["r1"]


def test_a_question_of_an_earlier_run_is_not_granted_by_the_releases_of_its_host():
    g = gate()
    permit(g, "r1")
    permit(g, "r2", mode="force")
    assert g.adopt("a", "e2", [], at()) == []
    assert g.leases == {}


def test_what_a_host_holds_is_held_although_another_host_has_the_same_number():
    g = gate()
    permit(g, "r1", slot="api", hostname="b")
    g.adopt("a", "e1", [lease(1)], at())
    assert [holder.hostname for holder in g.holders("web")] == ["a"]


def test_a_number_that_was_taken_is_released_by_its_host_under_that_number():
    g = gate()
    permit(g, "r1", slot="api", hostname="b")
    g.adopt("a", "e1", [lease(1)], at())
    g.adopt("a", "e1", [lease(1)], at())
    g.release(1, at(), "a")
    assert (g.holders("web"), [held.hostname for held in g.holders("api")]) == ((), ["b"])


def test_a_number_that_was_taken_once_is_its_own_when_it_is_free_again():
    g = gate()
    permit(g, "r1", slot="api", hostname="b")
    g.adopt("a", "e1", [lease(1)], at())
    g.adopt("a", "e2", [], at())
    g.release(1, at(), "b")
    g.adopt("a", "e3", [lease(1)], at())
    g.release(1, at(), "a")
    assert g.leases == {}
