"""One process against its table: every pair of phase and event, and random lives in a tiny world."""

from itertools import product

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from procctl.core import events as ev
from procctl.core.process import step
from procctl.core.records import Stray
from procctl.core.specs import SHUTDOWN, HooksSpec, ReadyTcp, RestartSpec, StopSpec, WatchdogSpec
from procctl.core.states import IGNORE, RESTING, TABLE, Phase
from procctl.errors import IllegalEvent

from .making import ALWAYS, LIVES, STRAY, alive, at, process, spec
from .world import World

P = Phase

KINDS = {
    ev.StartAsked: [ev.StartAsked("k", "ann"), ev.StartAsked("k", "ann", blocked="waits for db", force=True)],
    ev.RestartAsked: [ev.RestartAsked("k", "ann")],
    ev.StopAsked: [ev.StopAsked("k", "ann"), ev.StopAsked("k", "ann", (), True)],
    ev.SignalAsked: [ev.SignalAsked("k", "ann", "SIGHUP")],
    ev.DetachAsked: [ev.DetachAsked("k", "ann")],
    ev.Resumed: [ev.Resumed(), ev.Resumed(55)],
    ev.QuestionAsked: [ev.QuestionAsked("k", "ann", "flush")],
    ev.QuestionAnswered: [ev.QuestionAnswered(1, "2"), ev.QuestionAnswered(9, refusal="no")],
    ev.ChildAnswered: [ev.ChildAnswered(a, refusal) for a in ("start", "stop") for refusal in ("", "busy")],
    ev.ChildReported: [ev.ChildReported("warm"), ev.ChildReported(None, (("jobs", 3.0),))],
    ev.Unblocked: [ev.Unblocked(), ev.Unblocked("no such thing")],
    ev.Granted: [ev.Granted("u#1", 9), ev.Granted("u#2", 9)],
    ev.Denied: [ev.Denied("u#1", "no"), ev.Denied("u#2", "no")],
    ev.Held: [ev.Held("u#1", "wait"), ev.Held("u#2", "wait")],
    ev.Queued: [ev.Queued("u#1", "wait"), ev.Queued("u#2", "wait")],
    ev.Lapsed: [ev.Lapsed("u#1"), ev.Lapsed("u#2")],
    ev.LeaseEnds: [ev.LeaseEnds(7, 101.0, "over"), ev.LeaseEnds(9, 0.0, "over")],
    ev.Spawned: [ev.Spawned(55)],
    ev.SpawnFailed: [ev.SpawnFailed("no"), ev.SpawnFailed("no", passing=True)],
    ev.BecameReady: [ev.BecameReady(1), ev.BecameReady(2)],
    ev.NotReady: [ev.NotReady(1, "late"), ev.NotReady(2, "late")],
    ev.Exited: [ev.Exited(0, None), ev.Exited(None, "SIGKILL")],
    ev.Looked: [ev.Looked(), ev.Looked((STRAY,))],
    ev.TimerFired: [
        ev.TimerFired(name, n) for name in ("stop", "look", "backoff", "answer", "watchdog") for n in range(8)
    ],
}
READY = ReadyTcp(port=80)
HOOKS = HooksSpec()
LENIENT = HooksSpec(on_timeout="fail")


# the table --------------------------------------------------------------------------------------------------------


def test_every_event_is_in_the_table():
    classes = {cls for row in TABLE.values() for cls in row}
    assert set(ev.Event.__subclasses__()) == classes == set(KINDS)


def test_every_phase_has_a_row_and_a_life_that_leads_to_it():
    assert set(P) == set(TABLE) == set(LIVES)


@pytest.mark.parametrize(("phase", "kind"), list(product(P, KINDS)))
def test_every_pair_is_answered(phase, kind):
    cell = TABLE[phase].get(kind)
    for event, ready in product(KINDS[kind], (None, READY)):
        before = alive(phase, ready=ready)
        if cell is None:
            with pytest.raises(IllegalEvent):
                step(before, event, at())
            assert alive(phase, ready=ready) == before
        else:
            after, _ = step(before, event, at())
            assert after.phase in cell | {phase}


def test_every_move_of_the_table_can_be_made():
    promised = {(phase, kind, to) for phase, row in TABLE.items() for kind, cell in row.items() for to in cell}
    assert promised == _moves()


def _moves():
    """Every (phase, event, phase) that can come about, found by trying all events in all situations."""
    seen = set()
    found = set()
    front = [
        process(admission=admission, restart=restart, ready=READY, hooks=hooks)
        for admission, restart, hooks in product((True, False), (ALWAYS, RestartSpec()), (None, HOOKS, LENIENT))
    ]
    front.append(process(watchdog=WatchdogSpec(on_silence="end")))
    front.append(evolve(alive(P.DENIED), spec=spec(admission=False)))  # what is declared may change between two runs
    while front:
        before = front.pop()
        for event in (event for kind in TABLE[before.phase] for event in _fitting(before, kind)):
            after, _ = step(before, event, at())
            if after.phase is not before.phase:
                found.add((before.phase, type(event), after.phase))
            if _situation(after) not in seen:
                seen.add(_situation(after))
                front.append(after)
    return found


def _fitting(p, kind):
    match kind:
        case ev.Granted | ev.Held | ev.Denied:
            return [kind(p.rid, "no")] if kind is not ev.Granted else [ev.Granted(p.rid, 9)]
        case ev.Lapsed | ev.Queued:
            return [ev.Lapsed(p.rid) if kind is ev.Lapsed else ev.Queued(p.rid, "wait")]
        case ev.LeaseEnds:
            return [ev.LeaseEnds(p.token, 0.0, "over")]
        case ev.NotReady | ev.BecameReady:
            return [ev.NotReady(p.checks, "late")] if kind is ev.NotReady else [ev.BecameReady(p.checks)]
        case ev.TimerFired:
            watched = ev.TimerFired("watchdog", p.watch)
            return [watched, *(ev.TimerFired(name, p.timer) for name in ("stop", "look", "backoff", "answer"))]
    return KINDS[kind]


def _situation(p):
    bare = (
        p.phase,
        p.wanted,
        p.exit is None,
        p.ready,
        p.spec.admission,
        p.spec.restart.policy,
        p.spec.hooks,
        p.spec.watchdog,
    )
    return (*bare, bool(p.starts), bool(p.stops), bool(p.cause), bool(p.strays))


def test_only_what_rests_can_be_forgotten():
    assert {P.REGISTERED, P.DENIED, P.EXITED, P.FAILED, P.DETACHED} == RESTING
    assert all(TABLE[phase][ev.StopAsked] == IGNORE for phase in RESTING)


# random lives -----------------------------------------------------------------------------------------------------

RESTARTS = st.sampled_from(
    [
        RestartSpec(),
        ALWAYS,
        RestartSpec(policy="on-failure", limit=2, window=100.0),
        RestartSpec(policy="always", min_uptime=1.0, delay=(0.0, 0.0)),
    ]
)
STOPSPECS = st.sampled_from(
    [
        StopSpec(),
        StopSpec(steps=()),
        StopSpec(steps=((SHUTDOWN, 3.0),)),
        StopSpec(steps=(("SIGINT", 1.0), ("SIGTERM", 0.0))),
    ]
)
STEPS = st.sampled_from([None, (), (("SIGTERM", 2.0),)])


class Life(RuleBasedStateMachine):
    """Answers come in any order, late and wrong ones too; commands come at any time."""

    @initialize(
        admission=st.booleans(),
        restart=RESTARTS,
        stop=STOPSPECS,
        ready=st.sampled_from([None, READY]),
        hooks=st.sampled_from([None, HOOKS, LENIENT, HooksSpec(timeout=0.0, on_timeout="kill")]),
    )
    def begin(self, admission, restart, stop, ready, hooks):
        self.world = World(admission=admission, restart=restart, stop=stop, ready=ready, hooks=hooks)

    # commands

    @rule(blocked=st.sampled_from(["", "", "waits for db"]), force=st.booleans())
    def start(self, blocked, force):
        self.world.command(ev.StartAsked, blocked, force)

    @rule(steps=STEPS, hard=st.booleans())
    def stop(self, steps, hard):
        self.world.command(ev.StopAsked, steps, hard)

    @rule()
    def question(self):
        self.world.command(ev.QuestionAsked, "flush")

    @rule()
    def restart(self):
        self.world.command(ev.RestartAsked)

    @rule()
    def signal(self):
        self.world.command(ev.SignalAsked, "SIGHUP")

    @rule()
    def detach(self):
        self.world.command(ev.DetachAsked)

    @rule(lost=st.booleans())
    def another_agent(self, lost):
        self.world.crash(lost)

    @rule(failed=st.sampled_from(["", "", "db is failed"]))
    def unblock(self, failed):
        self.world.feed(ev.Unblocked(failed))

    # answers

    @precondition(lambda self: self.world.questions)
    @rule(data=st.data())
    def grant(self, data):
        self.world.grant(data.draw(st.sampled_from(sorted(self.world.questions))))

    @precondition(lambda self: self.world.questions)
    @rule(data=st.data())
    def deny(self, data):
        self.world.deny(data.draw(st.sampled_from(sorted(self.world.questions))))

    @precondition(lambda self: self.world.questions)
    @rule(data=st.data())
    def hold(self, data):
        self.world.feed(ev.Held(data.draw(st.sampled_from(sorted(self.world.questions))), "a person was asked"))

    @precondition(lambda self: self.world.questions)
    @rule(data=st.data())
    def queue(self, data):
        self.world.feed(ev.Queued(data.draw(st.sampled_from(sorted(self.world.questions))), "somebody has it"))

    @precondition(lambda self: self.world.questions)
    @rule(data=st.data())
    def lapse(self, data):
        self.world.lapse(data.draw(st.sampled_from(sorted(self.world.questions))))

    @precondition(lambda self: self.world.tokens)
    @rule(data=st.data(), left=st.sampled_from([0.0, 1.0, 5.0]))
    def lease_ends(self, data, left):
        self.world.lease_ends(data.draw(st.sampled_from(sorted(self.world.tokens))), left)

    @precondition(lambda self: self.world.spawning)
    @rule()
    def spawned(self):
        self.world.spawned()

    @precondition(lambda self: self.world.spawning)
    @rule(passing=st.booleans())
    def spawn_failed(self, passing):
        self.world.spawn_failed(passing)

    @precondition(lambda self: self.world.pid)
    @rule(end=st.sampled_from([(0, None), (1, None), (None, "SIGKILL"), (None, None)]))
    def exit(self, end):
        self.world.exit(*end)

    @precondition(lambda self: self.world.looking)
    @rule(strays=st.lists(st.builds(Stray, st.integers(1, 3), st.just("x"), st.booleans()), max_size=2))
    def looked(self, strays):
        self.world.looked(tuple(strays))

    @precondition(lambda self: self.world.timers)
    @rule(data=st.data())
    def ring(self, data):
        self.world.ring(data.draw(st.integers(0, len(self.world.timers) - 1)))

    @precondition(lambda self: self.world.checks)
    @rule(data=st.data(), ready=st.booleans())
    def check(self, data, ready):
        serial = data.draw(st.sampled_from(self.world.checks))
        self.world.feed(ev.BecameReady(serial) if ready else ev.NotReady(serial, "late"))

    @precondition(lambda self: self.world.pid)
    @rule(action=st.sampled_from(["start", "stop"]), refusal=st.sampled_from(["", "", "busy"]))
    def say(self, action, refusal):
        self.world.feed(ev.ChildAnswered(action, refusal))

    @rule(said=st.sampled_from([None, "warm"]), metrics=st.sampled_from([None, (("jobs", 1.0),)]))
    def report(self, said, metrics):
        self.world.feed(ev.ChildReported(said, metrics))

    @rule(serial=st.integers(1, 3), refusal=st.sampled_from(["", "no"]))
    def answer(self, serial, refusal):
        self.world.feed(ev.QuestionAnswered(serial, "2", refusal))

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds):
        self.world.clock += seconds

    def teardown(self):
        """Whatever has happened, it can be brought to run or to rest, and then every command has had its answer."""
        world = getattr(self, "world", None)
        if world is None or not world.sound:
            return
        world.settle_down()
        assert set() == {key for key, settled in world.keys.items() if settled != 1}
        world.command(ev.StopAsked, None, True)
        world.settle_down()
        assert world.process.phase in RESTING
        assert (set(), 0, 0) == (world.tokens, world.spawning, world.looking)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
