"""The agent's rules: what is started on a lease, until when it may run, and what is said of it."""

import pytest

from procctl.core import events as ev
from procctl.core.guard import Feed, Guard, Keep, Say
from procctl.core.messages import LeaseExited, LeaseRenew, LeaseWithdraw
from procctl.core.replies import Done, Failure, Grant, HeldForPerson, Refusal, Renewed
from procctl.core.specs import StopSpec
from procctl.core.states import Phase
from procctl.core.terms import Terms

from .making import alive, at, process

TERMS = Terms()
HOLD = TERMS.hold(30.0)


def web(**declared):
    return process(**{"mode": "one", "stop": StopSpec(steps=(("SIGTERM", 5.0),)), **declared})


def ask(guard, rid="u#1", now=None, **declared):
    [say] = guard.ask(web(**declared), ev.AskPermission(rid), now or at())
    return say.message


def grant(permit, token=1, epoch=7, asked=None, ttl=30.0):
    return Grant(token=token, epoch=epoch, asked=permit.asked if asked is None else asked, ttl=ttl)


def holding(token=1, now=None, **declared):
    """A guard with a lease."""
    guard = Guard("a", "b1", "e1", TERMS)
    permit = ask(guard, now=now, **declared)
    guard.answered(permit, grant(permit, token), now or at())
    return guard


def fed(outs):
    return [out.event for out in outs if isinstance(out, Feed)]


def said(outs):
    return [out.message for out in outs if isinstance(out, Say)]


def kept(outs):
    return [out.until for out in outs if isinstance(out, Keep)]


# starting -----------------------------------------------------------------------------------------------------------


def test_it_counts_from_when_it_asked():
    guard = Guard("a", "b1", "e1", TERMS)
    permit = ask(guard, now=at(0))
    outs = guard.answered(permit, grant(permit), at(4))
    assert [Keep("u", at(0).boot + HOLD, 30.0), Feed("u", ev.Granted("u#1", 1, 7))] == outs


def test_what_was_asked_long_ago_is_renewed_as_soon_as_it_is_given():
    guard = Guard("a", "b1", "e1", TERMS)
    permit = ask(guard, now=at(0))
    keep, feed, again = guard.answered(permit, grant(permit), at(10))
    assert (Keep("u", at(0).boot + HOLD, 30.0), Feed("u", ev.Granted("u#1", 1, 7))) == (keep, feed)
    assert (at(10).boot, (1,)) == (again.message.asked, again.message.tokens)


@pytest.mark.parametrize(
    ("wrong", "when"),
    [
        ({}, HOLD),  # too late
        ({}, HOLD - 5),  # it would be asked to end at once
        ({"asked": 99.0}, 0),  # what nobody here has asked
        ({"token": 5}, 0),  # not above what an earlier run has used
        ({"epoch": 1, "token": 99}, 0),
    ],
)
def test_what_cannot_be_used_is_given_back_and_asked_for_anew(wrong, when):
    guard = Guard("a", "b1", "e1", TERMS)
    guard.begin(2, 5, None)
    permit = ask(guard)
    outs = guard.answered(permit, grant(permit, **{"token": 6, "epoch": 2, **wrong}), at(when))
    stale = wrong.get("epoch") == 1
    assert [ev.Denied if stale else ev.Lapsed] == [type(event) for event in fed(outs)]
    assert [LeaseExited(token=wrong.get("token", 6), slot="web", started=False)] == said(outs)
    assert guard.holds == {}


def test_what_was_given_back_is_never_used():
    guard = Guard("a", "b1", "e1", TERMS)
    first = ask(guard)
    guard.answered(first, grant(first, 4), at(HOLD))
    second = ask(guard, "u#2", at(HOLD))
    assert ev.Lapsed("u#2") in fed(guard.answered(second, grant(second, 4), at(HOLD)))


def test_a_question_that_is_withdrawn_takes_no_answer():
    guard = Guard("a", "b1", "e1", TERMS)
    permit = ask(guard)
    assert [LeaseWithdraw(rid="u#1")] == said(guard.withdraw("u#1"))
    outs = guard.answered(permit, grant(permit), at())
    assert ([], [1]) == (fed(outs), [message.token for message in said(outs)])


def test_an_answer_may_come_twice():
    guard = Guard("a", "b1", "e1", TERMS)
    permit = ask(guard)
    guard.answered(permit, grant(permit), at())
    assert [] == guard.answered(permit, grant(permit), at())


def test_a_second_one_beside_the_first_is_not_started():
    guard = holding()
    second = ask(guard, "u#2")
    assert [ev.Lapsed("u#2")] == fed(guard.answered(second, grant(second, 2), at()))
    assert 1 == guard.holds["u"].token


@pytest.mark.parametrize(
    ("reply", "event"),
    [
        (Refusal(why="no"), ev.Denied("u#1", "no")),
        (Failure(code="closed", message="gone"), ev.Denied("u#1", "permission could not be asked for: gone", "closed")),
        (Done(), ev.Denied("u#1", "the answer to a permit was done", "bad-reply")),
    ],
)
def test_a_refusal_is_told(reply, event):
    guard = Guard("a")
    permit = ask(guard)
    assert [Feed("u", event)] == guard.answered(permit, reply, at())
    assert [] == guard.answered(permit, reply, at())


@pytest.mark.parametrize(("queued", "event"), [(False, ev.Held("u#1", "w")), (True, ev.Queued("u#1", "w"))])
def test_what_is_not_decided_is_asked_with_patience(queued, event):
    guard = Guard("a")
    permit = ask(guard)
    outs = guard.answered(permit, HeldForPerson(why="w", queued=queued), at())
    assert ([event], [True]) == (fed(outs), [message.patient for message in said(outs)])
    outs = guard.answered(said(outs)[0], grant(permit, ttl=0.0), at(1e6))
    assert [ev.Granted("u#1", 1, 7)] == fed(outs)


# going on -----------------------------------------------------------------------------------------------------------


def renewal(guard, now):
    [message] = [message for message in said(guard.tick(now)) if isinstance(message, LeaseRenew)]
    return message


def renewed(message, **more):
    return Renewed(**{"asked": message.asked, "epoch": 7, "tokens": message.tokens, **more})


def test_renewals_are_said_now_and_then_and_move_the_deadline():
    guard = holding()
    message = renewal(guard, at(5))
    assert ((1,), at(5).boot) == (message.tokens, message.asked)
    assert [] == said(guard.tick(at(6)))
    assert [at(5).boot + HOLD] == kept(guard.answered(message, renewed(message), at(8)))


@pytest.mark.parametrize("wrong", [{"asked": 1.0}, {"epoch": 6}, {"tokens": ()}, {"tokens": (2,)}])
def test_no_other_answer_moves_it(wrong):
    guard = holding()
    message = renewal(guard, at(5))
    assert [] == guard.answered(message, renewed(message, **wrong), at(6))
    assert at(0).boot + HOLD == guard.holds["u"].until


def test_an_older_answer_does_not_move_it_back():
    guard = holding()
    first, second = renewal(guard, at(5)), renewal(guard, at(10))
    guard.answered(second, renewed(second), at(11))
    assert [] == guard.answered(first, renewed(first), at(12))


def test_what_is_late_or_being_stopped_is_not_prolonged():
    guard = holding()
    message = renewal(guard, at(5))
    assert [] == kept(guard.answered(message, renewed(message), at(HOLD)))
    guard.changed(alive(Phase.STOPPING))
    assert [] == kept(guard.answered(message, renewed(message), at(6)))
    assert () == renewal(guard, at(20)).tokens


def test_it_is_asked_to_end_in_time():
    guard = holding()
    assert [] == fed(guard.tick(at(HOLD - 5.1)))
    [event] = fed(guard.tick(at(HOLD - 5)))
    assert (1, at(0).boot + HOLD) == (event.token, event.until)


def test_a_long_grace_does_not_eat_up_the_lease():
    guard = holding(stop=StopSpec(steps=(("SIGTERM", 1000.0),)))
    assert [] == fed(guard.tick(at(HOLD * 2 / 3 - 0.1)))
    assert 1 == len(fed(guard.tick(at(HOLD * 2 / 3))))


def test_what_the_gate_says_is_over_ends_and_may_ask_again():
    guard = holding()
    [event] = fed(guard.over("u", 1, at(6)))
    assert (1, at(6).boot + 5.0) == (event.token, event.until)
    assert [] == guard.over("u", 2, at(6))
    assert [] == guard.over("v", 1, at(6))


@pytest.mark.parametrize("ttl", [0.0, 30.0])
def test_what_is_over_is_told_again_until_it_has_ended(ttl):
    """A program that is just being started is not stopped by the first word; one on a strict lease never runs out."""
    guard = Guard("a", "b1", "e1", TERMS)
    permit = ask(guard)
    guard.answered(permit, grant(permit, ttl=ttl), at())
    assert [at(11).boot] == kept(guard.over("u", 1, at(6)))
    assert guard.busy
    assert [ev.LeaseEnds] == [type(event) for event in fed(guard.tick(at(16)))]
    guard.release("u", 1, at(17))
    assert [] == fed(guard.tick(at(18)))


def test_what_somebody_else_has_got_ends():
    guard = holding()
    message = renewal(guard, at(5))
    [event] = fed(guard.answered(message, renewed(message, tokens=(), gone=(1,)), at(6)))
    assert (1, at(11).boot) == (event.token, event.until)


def test_a_lease_that_does_not_run_out_is_not_ended():
    guard = Guard("a", terms=TERMS)
    permit = ask(guard)
    assert [None] == kept(guard.answered(permit, grant(permit, ttl=0.0), at()))
    assert [] == fed(guard.tick(at(1e6)))


def test_many_are_not_renewed():
    guard = Guard("a", terms=TERMS)
    permit = ask(guard, mode="many")
    guard.answered(permit, grant(permit, ttl=0.0), at())
    assert ([], []) == (guard.tick(at(100)), guard.joined(at(100)))


# the end ------------------------------------------------------------------------------------------------------------


def test_that_it_is_over_is_said_until_it_was_heard():
    guard = holding()
    outs = guard.release("u", 1, at(50))
    over = LeaseExited(token=1, slot="web")
    assert [Keep("u", None), Say(over)] == outs
    assert [over] == said(guard.tick(at(53)))
    assert [over] == said(guard.tick(at(56)))
    guard.answered(over, Done(), at(57))
    assert [] == said(guard.tick(at(60)))


def test_what_does_not_run_on_it_does_not_release_it():
    guard = holding()
    assert [LeaseExited(token=9)] == said(guard.release("u", 9, at()))
    assert 1 == guard.holds["u"].token
    assert [] == guard.release("v", 0, at())


def test_what_was_disowned_before_its_grant_has_come_is_not_started():
    """Seed 9 of the simulation: it was to be stopped before it was known."""
    guard = Guard("a", "b1", "e1", TERMS)
    permit = ask(guard)
    guard.release("u", 1, at())
    assert [ev.Lapsed("u#1")] == fed(guard.answered(permit, grant(permit), at()))


# another run --------------------------------------------------------------------------------------------------------


def test_what_an_earlier_run_has_left_is_held():
    guard = Guard("a", "b1", "e2", TERMS)
    guard.begin(7, 3, 50.0)
    up = alive(Phase.UP)
    assert [Keep("u", 120.0, 30.0)] == guard.restore(up, 120.0, 30.0)
    assert [up.token] == [lease.token for lease in guard.inventory(at()).leases]
    assert up.token == fed(guard.tick(at(21)))[0].token
    assert [] == guard.restore(alive(Phase.BACKOFF), None)


def test_the_inventory_says_what_is_held_and_asked():
    guard = holding()
    guard.ask(web(), ev.AskPermission("u#2"), at())
    told = guard.inventory(at(3))
    assert (("u#2",), at(3).boot, "b1", "e1", None) == (told.rids, told.asked, told.boot, told.run, told.knows)
    [lease] = told.leases
    assert (1, 7, 30.0, "lease") == (lease.token, lease.epoch, lease.ttl, lease.level)
    assert 1 == len(said(guard.joined(at(3))))


# ends ---------------------------------------------------------------------------------------------------------------


KILLED, UNKNOWN = ev.Exited(None, "SIGKILL"), ev.Exited(None, None)


@pytest.mark.parametrize("event", [KILLED, UNKNOWN])
def test_what_is_killed_at_its_deadline_was_ended_since_its_lease_had_run_out(event):
    guard = holding()
    assert "" == guard.ended("u", event, at(HOLD - 1)).overdue
    assert "its lease runs out" in guard.ended("u", event, at(HOLD)).overdue


@pytest.mark.parametrize("event", [ev.Exited(0, None), ev.Exited(1, None), ev.Exited(None, "SIGSEGV")])
def test_what_ended_by_itself_did_so_however_late_that_is_heard(event):
    assert event == holding().ended("u", event, at(HOLD + 100))


def test_what_ended_with_its_agent_did_not_end_for_its_lease():
    guard = Guard("a", "b1", "e2", TERMS)
    guard.restore(alive(Phase.UP, mode="one"), at(HOLD).boot, 30.0, kept=False)
    assert KILLED == guard.ended("u", KILLED, at(HOLD + 100))


def test_what_does_not_run_out_is_not_overdue():
    guard = holding(level="strict")
    guard.restore(alive(Phase.UP, mode="one"), None)
    assert KILLED == guard.ended("u", KILLED, at(HOLD + 100))
    assert KILLED == Guard("a").ended("u", KILLED, at())
