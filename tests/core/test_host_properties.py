"""A host under random commands and random fates: every command has one answer, whatever happens meanwhile."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from procctl.core import events as ev
from procctl.core.host import Answer, Appeared, Perform, Vanished
from procctl.core.messages import (
    UNTIL,
    Add,
    Delete,
    Kill,
    Restart,
    Signal,
    Start,
    Status,
    Stop,
)
from procctl.core.specs import ReadyTcp, RestartSpec
from procctl.core.states import RESTING, Phase

from .hosting import free, host
from .making import ALWAYS, at

P = Phase

SPECS = [
    free("db", ready=ReadyTcp(port=1), restart=RestartSpec(policy="on-failure", jitter=0.0)),
    free("job"),
    free("api", instances=2, restart=ALWAYS),
    free("web", depends_on={"db": "ready", "job": "succeeded"}),
]
NAMES = st.sampled_from(["db", "job", "api", "api.1", "web", "*", "nobody"])
UNTILS = st.sampled_from(UNTIL)


class Fleet(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.host = host(*SPECS)
        self.clock = 0.0
        self.answered = Counter()
        self.asked = 0
        self.pending = {}  # uuid -> what the world owes this process
        self.timers = []

    # the world

    def now(self):
        return at(self.clock)

    def take(self, outs):
        for out in outs:
            match out:
                case Answer(key):
                    self.answered[key] += 1
                    assert self.answered[key] == 1
                case Perform(uuid, ev.Spawn()):
                    self.pending[uuid] = "spawn"
                case Perform(uuid, ev.Look()):
                    self.pending[uuid] = "look"
                case Perform(uuid, ev.StartTimer(timer, serial, after)):
                    self.timers.append((uuid, ev.TimerFired(timer, serial), self.clock + after))
                case Vanished(process):
                    assert process.phase in RESTING
                case Perform() | Appeared():
                    pass

    def feed(self, uuid, event):
        self.pending.pop(uuid, None)
        self.take(self.host.feed(uuid, event, self.now()))

    def owed(self, what):
        return sorted(uuid for uuid, owed in self.pending.items() if owed == what)

    def running(self):
        return sorted(p.uuid for p in self.host.processes.values() if p.pid)

    # commands

    def command(self, request, until):
        self.asked += 1
        self.take(self.host.request(f"k{self.asked}", request, "ann", until, self.now()))

    @rule(kind=st.sampled_from([Start, Stop, Kill, Restart, Status, Delete]), name=NAMES, until=UNTILS)
    def ask(self, kind, name, until):
        self.command(kind(name=name), until)

    @rule(name=NAMES, until=UNTILS)
    def signal(self, name, until):
        self.command(Signal(name=name, signal="HUP"), until)

    @rule(spec=st.sampled_from(SPECS), start=st.booleans(), until=UNTILS)
    def add(self, spec, start, until):
        self.command(Add(spec=spec, start=start), until)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def expire(self, data):
        number = data.draw(st.integers(1, self.asked))
        self.take(self.host.expire(f"k{number}", self.now()))

    # fates

    @precondition(lambda self: self.owed("spawn"))
    @rule(data=st.data(), fate=st.sampled_from(["up", "up", "up", "no", "passing"]))
    def spawn(self, data, fate):
        event = ev.Spawned(41) if fate == "up" else ev.SpawnFailed("out of luck", fate == "passing")
        self.feed(data.draw(st.sampled_from(self.owed("spawn"))), event)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), code=st.integers(0, 1))
    def end(self, data, code):
        self.feed(data.draw(st.sampled_from(self.running())), ev.Exited(code, None))

    @precondition(lambda self: self.owed("look"))
    @rule(data=st.data())
    def look(self, data):
        self.feed(data.draw(st.sampled_from(self.owed("look"))), ev.Looked())

    @precondition(lambda self: self.running())
    @rule(data=st.data(), ready=st.booleans())
    def check(self, data, ready):
        uuid = data.draw(st.sampled_from(self.running()))
        runs = self.host.processes[uuid].runs
        self.feed(uuid, ev.BecameReady(runs) if ready else ev.NotReady(runs, "late"))

    @precondition(lambda self: self.timers)
    @rule(data=st.data())
    def ring(self, data):
        uuid, event, due = self.timers.pop(data.draw(st.integers(0, len(self.timers) - 1)))
        self.clock = max(self.clock, due)
        self.take(self.host.feed(uuid, event, self.now()))

    # the end

    def teardown(self):
        """Everything is killed and deleted; nobody is left without an answer."""
        if not hasattr(self, "host"):
            return
        self.command(Kill(all=True), "settled")
        for _ in range(50):
            for uuid in self.owed("spawn"):
                self.feed(uuid, ev.Spawned(41))
            for uuid in self.running():
                self.feed(uuid, ev.Exited(None, "SIGKILL"))
            for uuid in self.owed("look"):
                self.feed(uuid, ev.Looked())
        self.command(Delete(all=True), "settled")
        assert self.host.processes == {}
        assert {f"k{n}" for n in range(1, self.asked + 1)} == set(self.answered)


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
