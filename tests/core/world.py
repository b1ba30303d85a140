"""A tiny world around one process: it answers what is asked of it, in whatever order a test chooses.

It holds its own books of tokens, keys, timers and spawns, and checks the machine against them after each step.
"""

from collections import Counter

from procctl.core import events as ev
from procctl.core.life import left_by_another
from procctl.core.process import Process, step
from procctl.core.states import RESTING, TABLE, Phase

from .making import at, spec

P = Phase

RUNNING = {P.RESUMING, P.UP, P.PAUSING, P.IDLE, P.STOPPING}
LEASED = {P.STARTING, *RUNNING, P.EMPTYING}
ASKING = {P.ASKING, P.HELD}
STARTS = {P.WAITING, P.ASKING, P.STARTING, P.RESUMING, P.PAUSING, P.STOPPING, P.EMPTYING}
STOPS = {P.STARTING, P.RESUMING, P.PAUSING, P.STOPPING, P.EMPTYING}


class World:
    def __init__(self, **declared):
        self.process = Process(uuid="u", name="web", spec=spec(**declared))
        self.clock = 0.0
        self.moves = 0
        self.keys = Counter()  # how often each was settled
        self.questions = {}  # rid -> whether it is still asked
        self.tokens = set()  # granted and not given back
        self.granted = 0
        self.spawning = 0
        self.spawns = 0
        self.pid = 0
        self.looking = 0
        self.timers = []  # (effect, due, moves at its start)
        self.checks = []
        self.words = []  # what the program was told
        self.sound = True  # no check has failed so far

    # what happens -------------------------------------------------------------------------------------------------

    def command(self, kind, *args):
        key = f"k{len(self.keys)}"
        self.keys[key] = 0
        self.feed(kind(key, "ann", *args))

    def grant(self, rid):
        del self.questions[rid]
        self.granted += 1
        self.tokens.add(self.granted)
        self.feed(ev.Granted(rid, self.granted))

    def deny(self, rid):
        del self.questions[rid]
        self.feed(ev.Denied(rid, "no"))

    def lapse(self, rid):
        del self.questions[rid]
        self.feed(ev.Lapsed(rid))

    def lease_ends(self, token, left):
        """Then it is killed in time, whatever its own grace."""
        before = self.process
        until = at(self.clock).boot + left
        self.feed(ev.LeaseEnds(token, until, "over"))
        p = self.process
        if token == before.token and before.phase in RUNNING:
            assert p.phase is P.STOPPING
            assert p.kill_at <= until + 0.011

    def spawned(self):
        self.spawning -= 1
        self.spawns += 1
        self.pid = 1000 + self.spawns
        self.feed(ev.Spawned(self.pid))

    def spawn_failed(self, passing):
        self.spawning -= 1
        self.feed(ev.SpawnFailed("out of luck", passing))

    def exit(self, code, signal=None):
        self.pid = 0
        self.feed(ev.Exited(code, signal))

    def looked(self, strays=()):
        self.looking -= 1
        self.feed(ev.Looked(strays))

    def crash(self, lost):
        """The agent is killed and another one has its records. What it had asked for and not seen is forgotten.

        A spawn may have happened: then the program is found by its marks, unless it has ended (`lost`).
        """
        self.questions.clear()
        self.timers.clear()
        self.checks.clear()
        self.looking = 0
        p = self.process
        for key in (*p.starts, *p.stops, *(key for _, key in p.questions)):
            self.keys[key] = 1  # nobody is there to be told
        if self.spawning and not lost:
            self.spawning, self.spawns = 0, self.spawns + 1
            self.pid = 1000 + self.spawns
        self.spawning = 0
        self.process = left_by_another(p)
        self.feed(ev.Resumed(self.pid))

    def ring(self, index):
        """A timer fires, not before it is due."""
        timer, due, moves = self.timers.pop(index)
        self.clock = max(self.clock, due)
        before = self.process
        outdated = timer.serial != before.timer or moves != self.moves
        effects = self.feed(ev.TimerFired(timer.timer, timer.serial))
        if outdated:
            assert (before, []) == (self.process, effects)

    # books --------------------------------------------------------------------------------------------------------

    def feed(self, event):
        self.sound = False
        before = self.process
        after, effects = step(before, event, at(self.clock))
        if after.phase is not before.phase:
            assert after.phase in TABLE[before.phase][type(event)]
            self.moves += 1
        told = int(after.phase is not before.phase or after.ready is not before.ready or _news(before, after))
        told = told or int(isinstance(event, ev.Queued) and after is not before)
        assert told == sum(isinstance(effect, ev.Changed) for effect in effects)
        self.process = after
        for effect in effects:
            self.do(effect)
        self.check()
        self.sound = True
        return effects

    def do(self, effect):
        match effect:
            case ev.AskPermission(rid):
                assert rid not in self.questions
                self.questions[rid] = True
            case ev.Withdraw(rid):
                assert rid in self.questions
                self.questions[rid] = False
            case ev.Spawn(token):
                assert (self.spawning, self.pid, self.looking) == (0, 0, 0)
                assert not token or token in self.tokens
                self.spawning += 1
            case ev.Signal(strays=strays):
                assert self.pid or strays
            case ev.SendToChild(text):
                assert self.pid
                assert self.process.spec.channel
                self.words.append(text)
            case ev.CheckReady(serial):
                self.checks.append(serial)
            case ev.Look():
                assert (self.pid, self.looking) == (0, 0)
                self.looking += 1
            case ev.ReleaseLease(token):
                self.tokens.remove(token)  # exactly once
            case ev.StartTimer(_, _, after):
                assert after >= 0
                self.timers.append((effect, self.clock + after, self.moves))
            case ev.Detach():
                assert self.pid
                self.pid = 0
            case ev.Settle(key) if key:  # without one it was a command of an earlier agent
                self.keys[key] += 1
                assert self.keys[key] == 1

    def check(self):
        p = self.process
        phase = p.phase
        assert (phase in RUNNING) == bool(p.pid)
        assert self.pid == p.pid
        assert bool(self.spawning) == (phase is P.STARTING)
        assert (p.ready is None) == (p.pid == 0)
        assert ({p.token} - {0}) == self.tokens
        assert phase in LEASED or not p.token
        assert (phase in ASKING) == bool(p.rid)
        assert not p.starts or phase in STARTS
        assert not p.stops or phase in STOPS
        assert (phase is P.EMPTYING) == (p.ended is not None)
        assert (p.wanted, phase) not in {(True, rest) for rest in RESTING}
        assert p.wanted or phase is not P.UP
        assert p.pid or not (p.said or p.metrics or p.questions)
        waiting = {key for key, settled in self.keys.items() if not settled}
        assert waiting == {*p.starts, *p.stops, *(key for _, key in p.questions)} - {""}

    # the end of a test --------------------------------------------------------------------------------------------

    def settle_down(self):
        """Everything that is under way comes to its good end: it runs, or it rests."""
        for _ in range(100):
            match self.process.phase:
                case P.WAITING:
                    self.feed(ev.Unblocked())
                case P.ASKING | P.HELD:
                    self.grant(self.process.rid)
                case P.STARTING:
                    self.spawned()
                case P.RESUMING:
                    self.feed(ev.ChildAnswered("start"))
                case P.PAUSING:
                    self.feed(ev.ChildAnswered("stop"))
                case P.UP | P.IDLE if self.process.questions:
                    self.feed(ev.QuestionAnswered(self.process.questions[0][0], "1"))
                case P.STOPPING:
                    self.exit(None, "SIGTERM")
                case P.EMPTYING if self.looking:
                    self.looked()
                case P.EMPTYING | P.BACKOFF:
                    self.ring(next(i for i, entry in enumerate(self.timers) if entry[0].serial == self.process.timer))
                case _:
                    return
        raise AssertionError(f"it never comes to rest: {self.process}")


def _news(before, after):
    """Whether the program has said something new of itself; its end silences it, which is no news."""
    return bool(after.pid) and before.said != after.said
