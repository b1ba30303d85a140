"""What a gate puts down, in which order, and what it makes of leases that run out, are lost, or come back."""

import math

import pytest
from attrs import evolve

from procctl.core.gate import Decided, Gate, Revoke, Strike
from procctl.core.leases import Inventory
from procctl.core.registry import Registry
from procctl.core.terms import Terms

from .asking import final, lease, question
from .making import at

TERMS = Terms(ttl=30.0)
NEVER = "what was permitted has ended; it has to be asked anew"


def gate(token=0, **more):
    return Gate((), Registry(), token, **{"terms": TERMS, "epoch": 7, **more})


def held(g, rid="r1", now=None, run="e1", **more):
    """A lease that was given."""
    return g.permit(question(rid, asked=5.0, boot="b1", **more), now or at(), run)[-1].lease


def kinds(outs):
    return [type(out).__name__ for out in outs]


def inventory(hostname="a", run="e1", leases=(), **more):
    more = {"asked": 10.0, "boot": "b1", **more}
    return Inventory(hostname=hostname, run=run, leases=tuple(leases), **more)


# the order ----------------------------------------------------------------------------------------------------------


def test_it_is_put_down_before_anybody_hears_of_it():
    outs = gate().permit(question("r1"), at())
    assert ["Note", "Decided"] == kinds(outs)
    assert outs[0].lease == outs[1].lease


def test_what_has_ended_is_struck_out_before_the_next_is_put_down():
    g = gate()
    held(g)
    g.permit(question("r2", hostname="b", standby=True), at())
    assert ["Strike", "Note", "Decided"] == kinds(g.release(1, at()))


def test_the_intent_to_displace_is_put_down_before_anybody_is_stopped():
    g = gate()
    held(g)
    note, revoke = final(g.permit(question("r2", mode="force", hostname="b"), at()))
    assert ("ann", 1) == (note.lease.revoked, note.lease.token)
    assert Revoke(note.lease, "ann") == revoke
    again = final(g.permit(question("r3", mode="force", hostname="c"), at()))
    assert [Revoke(note.lease, "ann")] == again  # put down already


def test_a_grant_says_until_when_and_quotes_the_question():
    given = held(gate())
    assert (30.0, 5.0, 7, "b1", "lease") == (given.ttl, given.asked, given.epoch, given.boot, given.level)


@pytest.mark.parametrize("more", [{"level": "strict"}, {"mode": "many"}])
def test_some_leases_do_not_run_out(more):
    g = gate()
    assert held(g, **more).ttl == 0
    assert g.tick(at(1e6)) == []
    assert [1] == list(g.leases)


# running out --------------------------------------------------------------------------------------------------------


def test_a_lease_that_is_not_renewed_runs_out():
    g = gate()
    held(g, now=at(0))
    assert g.tick(at(29.9)) == []
    assert [Strike(1)] == g.tick(at(30))
    assert g.leases == {}


def test_a_renewal_counts_from_now_and_quotes_the_asker():
    g = gate()
    held(g, now=at(0))
    answer = g.renew("a", 25.0, [1, 9], [], at(20))
    assert (25.0, 7, (1,), (9,)) == (answer.asked, answer.epoch, answer.tokens, answer.gone)
    assert (g.tick(at(49.9)), kinds(g.tick(at(50)))) == ([], ["Strike"])


def test_a_host_renews_its_own_leases_only():
    g = gate()
    held(g)
    assert ((), (1,)) == (g.renew("b", 1.0, [1], [], at()).tokens, g.renew("b", 1.0, [1], [], at()).gone)


def test_who_is_to_be_stopped_is_not_renewed():
    g = gate()
    held(g, now=at(0))
    g.permit(question("r2", mode="force", hostname="b"), at(10))
    assert ((), ()) == (g.renew("a", 9.0, [1], [], at(20)).tokens, g.renew("a", 9.0, [1], [], at(20)).gone)
    assert g.permit(question("r1", asked=21.0), at(21))[0].lease.asked == 5.0
    outs = g.tick(at(30))
    assert ["Strike", "Note", "Decided"] == kinds(outs)
    assert "b" == outs[-1].lease.hostname


def test_asking_again_renews_and_quotes_the_later_question():
    g = gate()
    held(g, now=at(0))
    again = g.permit(question("r1", asked=15.0), at(10))
    assert [Decided("r1", lease=g.leases[1])] == again
    assert g.leases[1].asked == 15.0
    assert g.tick(at(39)) == []


def test_an_open_question_counts_from_when_it_was_last_asked():
    g = gate()
    held(g)
    g.permit(question("r2", hostname="b", standby=True, asked=1.0), at())
    g.renew("b", 50.0, [], ["r2"], at(1))
    assert g.release(1, at(2))[-1].lease.asked == 50.0


# waiting for the holder ---------------------------------------------------------------------------------------------


def test_one_that_stands_by_waits_and_is_told_for_whom():
    g = gate()
    held(g)
    [waits] = g.permit(question("r2", hostname="b", standby=True), at())
    why = "web runs on a since 1970-01-01T00:16:40Z; a is not heard, and the lease runs out by itself"
    assert (True, f"waits for the slot: {why}") == (waits.queued, waits.held)
    assert {"r2": 2} == {out.rid: out.lease.token for out in g.release(1, at()) if isinstance(out, Decided)}


def test_they_stand_in_line():
    g = gate()
    held(g)
    for rid, host in (("r2", "b"), ("r3", "c")):
        g.permit(question(rid, hostname=host, standby=True), at())
    outs = [out for out in g.release(1, at()) if isinstance(out, Decided)]
    assert [("r2", False), ("r3", True)] == [(out.rid, out.queued) for out in outs]
    assert "runs on b" in outs[1].held


def test_a_process_waits_for_the_end_of_its_own_last_run():
    g = gate()
    held(g, uuid="u")
    [waits] = g.permit(question("r2", uuid="u"), at())
    assert waits.queued
    assert [1] == list(g.leases)
    assert ["Strike", "Note", "Decided"] == kinds(g.release(1, at()))


def test_a_refusal_of_a_policy_is_not_waited_for():
    from procctl.core.approval import deny

    g = Gate((lambda request, fleet: deny("no"),), Registry(), terms=TERMS)
    assert [Decided("r1", denied="no")] == g.permit(question("r1", standby=True), at())


# what is over -------------------------------------------------------------------------------------------------------


def test_a_question_whose_lease_is_over_is_not_granted_again():
    g = gate()
    held(g)
    g.release(1, at())
    assert [Decided("r1", denied=NEVER)] == g.permit(question("r1"), at())


def test_a_release_is_for_its_own_slot():
    g = gate()
    held(g)
    assert (g.release(1, at(), "a", "api"), list(g.leases)) == ([], [1])


def test_a_person_may_say_that_it_has_ended():
    g = gate()
    given = held(g, level="strict")
    g.permit(question("r2", hostname="b", standby=True), at())
    freed, outs = g.override("web", "a", "ann", at())
    assert ((given,), ["Revoke", "Strike", "Note", "Decided"]) == (freed, kinds(outs))
    assert ("", "ann has freed it") == (outs[0].by, outs[0].why)
    assert (((), [])) == g.override("web", "elsewhere", "ann", at())


@pytest.mark.parametrize(
    ("holder", "comes", "ends"),
    [
        ({}, {}, True),
        ({"mode": "many"}, {}, True),
        ({}, {"mode": "many"}, True),
        ({"mode": "many"}, {"mode": "many"}, False),
        ({"scope": "host"}, {}, False),
    ],
)
def test_what_a_gate_without_its_journal_has_given_anew_is_not_held_twice(holder, comes, ends):
    g = gate(epoch=8, born=8)
    held(g, hostname="b", **holder)
    back = lease(99, epoch=7, run="e1", **comes)
    outs = g.adopt(inventory(run="e1", hostname=back.hostname, leases=[back]), at())
    assert (["Revoke"] if ends else ["Note"]) == kinds(outs)
    if ends:
        assert "web was given to b, since nothing was known of this lease" == outs[0].why
    assert (1 if ends else 2) == len(g.holders("web"))


def test_who_displaces_comes_before_who_stands_by():
    g = gate()
    held(g)
    g.permit(question("r2", hostname="b", standby=True), at())
    g.permit(question("r3", mode="force", hostname="c"), at())
    outs = [out for out in g.release(1, at()) if isinstance(out, Decided)]
    assert [("r3", "c"), ("r2", None)] == [(out.rid, out.lease and out.lease.hostname) for out in outs]
    assert "waits for the slot: web runs on c" in outs[1].held


def test_who_holds_what_is_told_where_nobody_is_found():
    g = gate()
    held(g)
    assert ("nobody holds web on z", "it is held on a") == g.nobody("web", "z")
    assert ("nobody holds wep", "did you mean 'web'?") == g.nobody("wep", "")
    assert ("nobody holds zzzz", "procctl ps shows what runs where") == g.nobody("zzzz", "")


def test_who_comes_back_with_what_was_freed_is_told_by_whom():
    g = gate(epoch=7, born=7)
    given = held(g, level="strict")
    g.override("web", "a", "ann", at())
    [revoke] = g.adopt(inventory(run="e1", leases=[given]), at())
    assert (1, "", "ann has freed it") == (revoke.lease.token, revoke.by, revoke.why)


# what cannot be put down --------------------------------------------------------------------------------------------


def test_what_cannot_be_put_down_is_not_given():
    g = gate()
    note, _ = g.permit(question("r1"), at())
    [decided] = g.unwritten([note], "disk is full", at())
    assert Decided("r1", denied="the gate cannot put it down: disk is full") == decided
    assert g.leases == {}
    assert held(g, "r2").token == 2


def test_who_cannot_be_marked_is_not_displaced():
    g = gate()
    held(g)
    note, _ = final(g.permit(question("r2", mode="force", hostname="b"), at()))
    [decided] = g.unwritten([note], "disk is full", at())
    assert ("r2", "", {}) == (decided.rid, g.leases[1].revoked, g.open)


def test_what_is_held_already_stays_held():
    """Seed 10 of the simulation: the holder had another run, and that could not be put down."""
    g = gate()
    given = held(g)
    [note] = g.adopt(inventory(run="e2", leases=[given]), at())
    assert [] == g.unwritten([note], "disk is full", at())
    assert [1] == list(g.leases)


# coming back --------------------------------------------------------------------------------------------------------


def test_after_a_restart_every_lease_lasts_a_whole_time_again():
    g = gate()
    given = held(g, now=at(0))
    anew = gate(token=1, epoch=8, born=7)
    anew.book.load([given], at(1000).boot)
    assert anew.tick(at(1029)) == []
    assert kinds(anew.permit(question("r2", hostname="b"), at(1029))) == ["Decided"]
    assert kinds(anew.tick(at(1030))) == ["Strike"]
    assert held(anew, "r3").token == 2


def test_after_a_restart_who_was_to_be_stopped_still_is():
    g = gate()
    held(g)
    note, _ = final(g.permit(question("r2", mode="force", hostname="b"), at()))
    anew = gate(token=1, born=7)
    anew.book.load([note.lease], at().boot)
    assert ((note.lease, "ann"),) == anew.revoking("a")
    assert anew.renew("a", 1.0, [1], [], at()).tokens == ()


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({}, []),  # it was asked before, and is not asked for any more
        ({"rids": ("r1",)}, [1]),  # the answer is under way
        ({"asked": 4.0}, [1]),  # said before it was asked
        ({"run": "e2"}, [1]),  # an agent that does not know what the one before has left
        ({"run": "e2", "knows": 5.0}, []),
        ({"run": "e2", "knows": 6.0}, [1]),
        ({"run": "e2", "boot": "b2"}, []),  # nothing is left of another boot
    ],
)
def test_what_a_host_denies_is_over(told, left):
    g = gate()
    held(g)
    g.adopt(inventory(**told), at())
    assert left == list(g.leases)


def test_what_an_earlier_run_has_left_is_ended_by_the_next():
    g = gate()
    given = held(g, uuid="u")
    assert [Revoke(given, "")] == g.adopt(inventory(run="e2"), at())
    assert g.permit(question("r2", uuid="v"), at(), "e2")[0].queued
    assert g.permit(question("r3", hostname="b"), at(), "e1")[0].denied
    assert ["Strike", "Note", "Decided"] == kinds(g.release(1, at(), "a"))


def test_even_a_strict_lease_ends_with_the_boot():
    g = gate()
    held(g, level="strict")
    assert [Strike(1)] == g.adopt(inventory(run="e2", boot="b2"), at())


def test_what_an_agent_believes_to_hold_from_another_boot_is_over():
    """Seed 6503 of the simulation: it says so before it has looked."""
    g = gate()
    given = held(g, level="strict")
    assert [Strike(1)] == g.adopt(inventory(run="e2", boot="b2", leases=[given]), at())
    assert {} == g.leases


def test_what_is_known_to_be_over_has_to_end():
    g = gate(born=7)
    late = lease(5, epoch=7, ttl=30.0)
    [revoke] = g.adopt(inventory(leases=[late]), at())
    assert (5, {}) == (revoke.lease.token, g.leases)


def test_where_nothing_is_known_the_hosts_word_counts():
    g = gate(born=7)
    [note] = g.adopt(inventory(leases=[lease(5, epoch=6, ttl=30.0)]), at())
    assert (5, [5]) == (note.lease.token, list(g.leases))
    assert g.tick(at(29)) == []
    assert kinds(g.tick(at(30))) == ["Strike"]


def test_another_run_that_has_it_is_put_down():
    g = gate()
    given = held(g)
    assert [] == g.adopt(inventory(leases=[given]), at())
    [note] = g.adopt(inventory(run="e2", leases=[given]), at())
    assert ("e2", 5.0) == (note.lease.run, note.lease.asked)


# the times ----------------------------------------------------------------------------------------------------------


def test_the_times_fit():
    assert TERMS.hold(30.0) == pytest.approx(25.888, abs=0.001)
    for drift in (-TERMS.drift, TERMS.drift):
        latest = TERMS.hold(30.0) / (1 - TERMS.drift) + TERMS.wake + TERMS.kill
        assert latest <= 30.0 / (1 + abs(drift)) + 1e-9


def test_equal_leases_are_equal():
    assert evolve(lease(1), ttl=math.inf) != lease(1)
