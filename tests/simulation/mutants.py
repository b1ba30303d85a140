"""Deliberate mistakes in the code that decides about leases, each a small patch. The simulation has to notice each."""

import math
from contextlib import contextmanager
from typing import Any, NamedTuple

from procctl.agent.sweep import Sweep
from procctl.agent.top import Asking
from procctl.core import asking, process
from procctl.core.events import Denied, Exited, Looked, Now, Record, ReleaseLease
from procctl.core.gate import Decided, Gate, Note, Strike
from procctl.core.guard import Feed, Guard
from procctl.core.leases import Book, Inventory
from procctl.core.replies import Refusal
from procctl.core.terms import Terms
from procctl.core.value import evolve
from procctl.link.doorkeeper import Doorkeeper
from procctl.testing.simulation.kernel import Keeper
from procctl.testing.simulation.top import Life


class Mutant(NamedTuple):
    """A mistake: what is replaced by what `make` gives for the original. `first`: a seed that is known to notice it."""

    name: str
    target: Any
    attribute: str
    make: Any
    first: int


MUTANTS = []


def mutant(target, attribute, first=0):
    def add(make):
        MUTANTS.append(Mutant(make.__name__.replace("_", " "), target, attribute, make, first))
        return make

    return add


@contextmanager
def made(mistake):
    """The mistake is made for as long as the block lasts."""
    in_dict = isinstance(mistake.target, dict)
    original = mistake.target[mistake.attribute] if in_dict else mistake.target.__dict__[mistake.attribute]
    put = mistake.target.__setitem__ if in_dict else lambda name, value: setattr(mistake.target, name, value)
    put(mistake.attribute, mistake.make(original))
    try:
        yield
    finally:
        put(mistake.attribute, original)


# the agent's times ----------------------------------------------------------------------------------------------


@mutant(Guard, "_granted", first=57)
def lease_counted_from_the_receipt(original):
    def granted(self, permit, grant, now):
        self._stamp(now)
        return original(self, permit, evolve(grant, asked=now.boot), now)

    return granted


@mutant(Guard, "_renewed", first=42)
def renewal_counted_from_the_receipt(original):
    def renewed(self, reply, now):
        self._stamp(now)
        return original(self, evolve(reply, asked=now.boot), now)

    return renewed


@mutant(Terms, "hold", first=10)
def no_margin_for_drift(original):
    return lambda self, ttl: ttl - self.wake - self.kill


@mutant(Terms, "hold", first=15)
def no_margin_for_the_kill(original):
    return lambda self, ttl: (1 - self.drift) * (ttl / (1 + self.drift) - self.wake)


@mutant(Terms, "hold", first=15)
def no_margin_for_waking_late(original):
    return lambda self, ttl: (1 - self.drift) * (ttl / (1 + self.drift) - self.kill)


@mutant(Guard, "_granted", first=44)
def a_grant_that_is_late_is_accepted(original):
    def granted(self, permit, grant, now):
        if grant.ttl and now.boot >= grant.asked + self.terms.hold(grant.ttl):
            self._stamp(now)
            grant = evolve(grant, asked=now.boot)
        return original(self, permit, grant, now)

    return granted


def question_of(guard, permit):
    """The open question of the same process, whatever it was that was answered."""
    return next((asked for asked in guard._asked.values() if asked.uuid == permit.uuid), permit)


@mutant(Guard, "_granted", first=40)
def a_grant_of_an_earlier_question_is_accepted(original):
    def granted(self, permit, grant, now):
        self._stamp(evolve(now, boot=grant.asked))
        return original(self, question_of(self, permit), grant, now)

    return granted


@mutant(Guard, "_granted", first=599)
def a_number_that_is_over_is_accepted(original):
    def granted(self, permit, grant, now):
        if (grant.epoch, grant.token) <= self._over.get(permit.slot, (0, 0)):
            self._stamp(evolve(now, boot=grant.asked))
            self._over.clear()
            permit = question_of(self, permit)
        return original(self, permit, grant, now)

    return granted


# the agent's guards ---------------------------------------------------------------------------------------------


@mutant(Keeper, "keep", first=41)
def no_guard_beside_the_agent(original):
    return lambda self, uuid, until: None


@mutant(Keeper, "_later", first=13)
def the_keeper_is_late(original):
    return lambda self, uuid, until, late: original(self, uuid, until, late + 8)


@mutant(Guard, "restore", first=3)
def another_agent_forgets_the_deadlines(original):
    return lambda self, process, until, ttl=0.0, kept=True: original(self, process, None, 0.0)


@mutant(Asking, "restore", first=36)
def another_agent_gives_everything_a_new_deadline(original):
    def restore(self, process, until, ttl, kept):
        original(self, process, until and self._now().boot + self.guard.terms.hold(ttl), ttl, kept)

    return restore


@mutant(asking, "spawn", first=14)
def started_before_it_is_recorded(original):
    def spawn(p, token, now):
        q, effects = original(p, token, now)
        return q, [e for e in effects if not isinstance(e, Record)] + [e for e in effects if isinstance(e, Record)]

    return spawn


@mutant(process._DECIDE, Looked)
def given_back_before_it_is_empty(original):
    return lambda p, event, now: original(p, Looked(), now)


@mutant(process._DECIDE, Exited, first=1)
def given_back_when_the_program_has_ended(original):
    def exited(p, event, now):
        q, effects = original(p, event, now)
        return evolve(q, token=0), [*effects, *([ReleaseLease(p.token)] if p.token else [])]

    return exited


@mutant(Sweep, "_looked", first=34)
def swept_at_once(original):
    def looked(self, kin, token, quiet, strays):
        return original(self, kin, token, 99, ())

    return looked


# the gate -------------------------------------------------------------------------------------------------------


@mutant(Book, "load")
def a_restart_forgets_what_was_given(original):
    return lambda self, leases, now: None


@mutant(Book, "load")
def a_restart_counts_from_the_grant(original):
    def load(self, leases, now):
        leases = list(leases)
        original(self, leases, now)
        for lease in leases:
            if lease.ttl:
                self.until[lease.token] = now

    return load


@mutant(Gate, "_displace")
def force_starts_when_the_stop_is_sent(original):
    def displace(self, question, leases):
        outs = original(self, question, leases)
        del self.open[question.request.rid]
        lease = self._grant(question, "force", Now(max(self.book.until.values(), default=0.0)))
        return [*outs, Note(lease, given=True), Decided(lease.rid, lease=lease)]

    return displace


@mutant(Gate, "release")
def a_late_end_releases_the_next_lease(original):
    def release(self, token, now, hostname="", slot=""):
        holders = [lease for lease in self.holders(slot) if lease.hostname == hostname]
        return original(self, holders[0].token if holders else token, now, hostname, slot)

    return release


@mutant(Gate, "renew")
def renewed_for_the_agent_and_not_here(original):
    def renew(self, *args):
        before = dict(self.book.until)
        answer = original(self, *args)
        self.book.until.update(before)
        return answer

    return renew


@mutant(Gate, "_grant", first=1)
def a_lease_counted_from_the_first_asking(original):
    def grant(self, question, mode, now):
        lease = original(self, question, mode, now)
        if lease.ttl:
            self.book.until[lease.token] -= now.wall - question.since
        return lease

    return grant


@mutant(Book, "overdue", first=1)
def strict_runs_out_too(original):
    def overdue(self, now):
        late = original(self, now)
        for lease in self.leases.values():
            if not lease.ttl and now > self.__dict__.setdefault("seen", {}).setdefault(lease.token, now) + 20:
                late.append(lease)
        return late

    return overdue


@mutant(Book, "overdue", first=1)
def runs_out_early(original):
    return lambda self, now: original(self, now + 5)


@mutant(Inventory, "denies", first=34)
def another_run_is_another_boot(original):
    return lambda self, lease: lease.run != self.run or original(self, lease)


@mutant(Gate, "_told", first=14)
def what_is_over_is_held_again(original):
    def told(self, lease, now):
        born, self.born = self.born, 0
        self._beside = lambda lease: None  # which would find out, where somebody else has the slot by then
        try:
            return original(self, lease, now)
        finally:
            self.born = born
            del self._beside

    return told


@mutant(Doorkeeper, "_go_on", first=1)
def told_before_it_is_put_down(original):
    def go_on(self):
        self._do([out for out in self._todo if not isinstance(out, Note | Strike)])
        self._todo = [out for out in self._todo if isinstance(out, Note | Strike)]
        original(self)

    return go_on


@mutant(Doorkeeper, "_written", first=3)
def what_could_not_be_put_down_is_given(original):
    return lambda self, batch, rest, why: original(self, batch, rest, "")


@mutant(Gate, "unwritten", first=74)
def the_holder_is_forgotten_when_a_note_fails(original):
    return lambda self, notes, why, now: original(self, [evolve(note, given=True) for note in notes], why, now)


@mutant(Life, "write", first=1)
def put_down_but_not_durable(original):
    """What assumption A4 excludes: the disk says that it has it, and loses it when the controller is killed."""

    def write(self, batch, done):
        self._writing = None
        paper = self.top.paper
        self.__dict__.setdefault("cache", []).append((dict(paper.leases), paper.token))
        die = type(self).die

        def lost():
            paper.leases, paper.token = dict(self.cache[-1][0]), self.cache[-1][1]
            die(self)

        self.die = lost
        self._writing = (batch, done)
        self._written()

    return write


@mutant(Gate, "__init__", first=1)
def numbers_begin_again(original):
    def init(self, policies, fleet, token=0, **more):
        original(self, policies, fleet, 0, **more)

    return init


@mutant(Gate, "_queue", first=1)
def a_process_need_not_wait_for_its_own_last_run(original):
    def queue(self, question, holder):
        if holder.hostname != question.request.hostname:
            return original(self, question, holder)
        lease = self._grant(question, "one", Now(math.inf))
        return [Note(lease, given=True), Decided(lease.rid, lease=lease)]

    return queue


@mutant(Gate, "answer", first=11)
def a_yes_is_given_whoever_runs_by_now(original):
    def answer(self, rid, by, now, deny=None):
        question = self.open.get(rid)
        if deny is not None or question is None or not question.for_a_person:
            return original(self, rid, by, now, deny)
        del self.open[rid]
        lease = self._grant(question, "one", now)
        return [Note(lease, given=True), Decided(rid, lease=lease)]

    return answer


@mutant(Guard, "_permitted", first=2)
def an_answer_that_is_heard_twice_counts_twice(original):
    def permitted(self, permit, reply, now):
        said = original(self, permit, reply, now)
        if isinstance(reply, Refusal) and not said:
            return [Feed(permit.uuid, Denied(permit.rid, reply.why))]
        return said

    return permitted
