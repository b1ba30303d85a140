"""A gate under random questions, answers, ends and returns: never two, tokens grow, one answer each."""

from collections import Counter

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from procctl.core.approval import ask, deny, displace
from procctl.core.approval import rule as ruled
from procctl.core.gate import Decided, Revoke, Wake

from .asking import gate, question
from .making import at

HOSTS = ("a", "b", "c")
POLICIES = {
    "none": lambda request, fleet: None,
    "one": ruled(mode="one"),
    "many": ruled(mode="many"),
    "ask": lambda request, fleet: ask(30.0) if request.hostname == "a" else None,
    "ask for ever": ruled(mode="one", approve="ask"),
    "displace": lambda request, fleet: displace() if request.hostname == "b" else None,
    "deny": lambda request, fleet: deny("not there") if request.hostname == "c" else None,
    "broken": lambda request, fleet: 1 / 0 if request.mode == "force" else None,
}


class Admission(RuleBasedStateMachine):
    @initialize(policy=st.sampled_from(sorted(POLICIES)), scope=st.sampled_from(["fleet", "host"]))
    def begin(self, policy, scope):
        self.gate = gate(POLICIES[policy])
        self.scope = scope
        self.clock = 0.0
        self.epochs = dict.fromkeys(HOSTS, 1)
        self.asked = {}  # rid -> question
        self.final = Counter()
        self.dropped = set()  # questions whose asker is gone or has withdrawn them
        self.running = {}  # token -> lease, as the hosts know it
        self.revoked = set()
        self.ended = set()  # tokens of which the gate is just being told
        self.last = 0

    def now(self):
        return at(self.clock)

    def epoch(self, hostname):
        return f"e{self.epochs[hostname]}"

    def take(self, outs):
        for out in outs:
            match out:
                case Decided(rid) if not out.held:
                    self.final[rid] += 1
                    assert rid in self.asked
                    assert bool(out.lease) != bool(out.denied)
                    if out.lease is not None:
                        assert out.lease.token > self.last
                        self.last = out.lease.token
                        self.running[out.lease.token] = out.lease
                case Decided(rid):
                    waiting = self.gate.open[rid]
                    assert waiting.for_a_person or (out.queued and waiting.displaces)
                case Revoke(lease):
                    self.revoked.add(lease.token)
                    assert lease.token in self.running or lease.token in self.ended
                case Wake(rid, after):
                    assert (after, rid in self.gate.open) == (30.0, True)

    # what happens

    @rule(
        slot=st.sampled_from(["web", "api"]),
        mode=st.sampled_from(["many", "one", "force"]),
        hostname=st.sampled_from(HOSTS),
    )
    def permit(self, slot, mode, hostname):
        rid = f"r{len(self.asked)}"
        self.asked[rid] = question(rid, slot, mode, hostname, scope=self.scope)
        self.take(self.gate.permit(self.asked[rid], self.now(), self.epoch(hostname)))

    @precondition(lambda self: self.gate.open or self.running)
    @rule(data=st.data())
    def permit_again(self, data):
        """A question that is open or granted changes nothing when it is repeated."""
        rid = data.draw(st.sampled_from(sorted({*self.gate.open, *(held.rid for held in self.running.values())})))
        before = (dict(self.gate.leases), dict(self.gate.open))
        outs = self.gate.permit(self.asked[rid], self.now(), self.epoch(self.asked[rid].hostname))
        assert before == (self.gate.leases, self.gate.open)
        assert all(out.rid == rid for out in outs)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data):
        token = data.draw(st.sampled_from(sorted(self.running)))
        held = self.running.pop(token)
        self.take(self.gate.release(token, self.now(), held.hostname))

    @precondition(lambda self: self.gate.open)
    @rule(data=st.data(), deny=st.sampled_from([None, "", "no"]))
    def answer(self, data, deny):
        self.take(self.gate.answer(data.draw(st.sampled_from(sorted(self.gate.open))), "bob", self.now(), deny))

    @precondition(lambda self: self.gate.open)
    @rule(data=st.data())
    def expire(self, data):
        self.take(self.gate.expire(data.draw(st.sampled_from(sorted(self.gate.open))), self.now()))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def withdraw(self, data):
        rid = data.draw(st.sampled_from(sorted(self.asked)))
        self.dropped.add(rid)
        self.running = {token: held for token, held in self.running.items() if held.rid != rid}
        self.take(self.gate.withdraw(rid, self.now()))

    @rule(hostname=st.sampled_from(HOSTS), data=st.data(), anew=st.booleans())
    def come_back(self, hostname, data, anew):
        """A host joins again with what it still holds; something may have ended meanwhile, the agent itself too."""
        if anew:
            self.epochs[hostname] += 1
            asked = [rid for rid, waiting in self.gate.open.items() if waiting.request.hostname == hostname]
            self.dropped.update(asked)
        mine = [held for held in self.running.values() if held.hostname == hostname]
        kept = [held for held in mine if data.draw(st.booleans())]
        self.ended = {held.token for held in mine if held not in kept}
        for held in mine:
            if held not in kept:
                del self.running[held.token]
        self.running.update({held.token: evolve(held, run=self.epoch(hostname)) for held in kept})
        self.take(self.gate.adopt(hostname, self.epoch(hostname), kept, self.now()))

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds):
        self.clock += seconds

    # what holds

    @invariant()
    def never_two(self):
        if not hasattr(self, "gate"):
            return
        assert self.running == {token: evolve(held, revoked="") for token, held in self.gate.leases.items()}
        for slot in ("web", "api"):
            places = HOSTS if self.scope == "host" else [None]
            for place in places:
                held = [h for h in self.gate.holders(slot) if place in (None, h.hostname)]
                assert len(held) < 2 or {"many"} == {h.mode for h in held}

    @invariant()
    def one_answer_each(self):
        if not hasattr(self, "gate"):
            return
        for rid in self.asked:
            left = rid in self.gate.open
            assert self.final[rid] <= 1
            assert rid in self.dropped or (self.final[rid] == 1) != left

    @invariant()
    def who_waits_waits_for_somebody(self):
        if not hasattr(self, "gate"):
            return
        for waiting in self.gate.open.values():
            assert waiting.waits_for <= self.gate.leases.keys()
            assert waiting.waits_for <= self.revoked

    def teardown(self):
        """When people have answered and holders have ended, every question is decided."""
        if not hasattr(self, "gate"):
            return
        for _ in range(len(self.asked) + 1):
            for rid in [rid for rid, waiting in self.gate.open.items() if waiting.for_a_person]:
                self.take(self.gate.answer(rid, "bob", self.now()))
            for token in list(self.running):
                del self.running[token]
                self.take(self.gate.release(token, self.now()))
        assert (self.gate.open, self.gate.leases) == ({}, {})
        assert set(self.asked) - self.dropped <= {rid for rid, count in self.final.items() if count == 1}


TestAdmission = Admission.TestCase
TestAdmission.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
