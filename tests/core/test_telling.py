"""What a host tells and what is known of it, over links that lose, repeat and reorder: never wrong without knowing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procctl.core import telling
from procctl.core.digest import hash_of, text_of
from procctl.core.hearing import Told
from procctl.core.messages import Heard
from procctl.core.records import ExitRecord, Item, Why
from procctl.core.telling import Teller
from procctl.core.value import evolve
from procctl.wire.codec import structure, unstructure

from .knowing import beat, item, up


class Machine:
    """A host's processes, and what it tells of them."""

    def __init__(self, **items):
        self.items = {f"a-{name}": made for name, made in items.items()}
        self.teller = Teller(self.look)

    def look(self, uuids):
        return tuple(self.items.values() if uuids is None else (self.items[u] for u in uuids if u in self.items))

    def set(self, name, **more):
        made = up(name, **more)
        self.items[made.uuid] = made
        self.teller.changed(made.uuid)

    def drop(self, name):
        del self.items[f"a-{name}"]
        self.teller.deleted(f"a-{name}")


def known():
    made = Told(name="a")
    made.begin(False)
    return made


def exchange(machine, told):
    """One heartbeat and its answer, over a link that keeps its promises."""
    sent = machine.teller.beat()
    _, wanted = told.take(sent)
    machine.teller.heard(Heard(beat=sent.beat, want="whole" if wanted else ""))
    return sent


# step by step -----------------------------------------------------------------------------------------------------


def test_first_everything_then_what_changes_then_nothing():
    machine, told = Machine(web=up(), api=item("api")), known()
    first = exchange(machine, told)
    machine.set("api")
    second, third = exchange(machine, told), exchange(machine, told)
    assert (first.whole, len(first.items), first.gone) == (True, 2, ())
    assert (second.whole, [i.name for i in second.items]) == (False, ["api"])
    assert (third.items, third.gone, third.digest) == ((), (), second.digest)
    assert (told.in_step, told.items) == (True, machine.items)


def test_a_quiet_process_costs_nothing(monkeypatch):
    machine, told = Machine(**{f"p{i}": up(f"p{i}") for i in range(100)}), known()
    exchange(machine, told)
    hashed = []
    for module in (telling, __import__("procctl.core.hearing", fromlist=["x"])):
        monkeypatch.setattr(module, "hash_of", lambda one: hashed.append(one.name) or hash_of(one))
    machine.set("p7", pid=99)
    exchange(machine, told)
    exchange(machine, told)
    assert (hashed, told.in_step) == (["p7", "p7", "p7"], True)  # one end its new one, the other old and new


def test_what_was_deleted_and_added_again_is_there():
    machine, told = Machine(web=up()), known()
    exchange(machine, told)
    machine.drop("web")
    machine.set("web", pid=7)
    exchange(machine, told)
    assert (told.items, told.in_step) == (machine.items, True)


def test_a_gap_is_known_and_asked_about():
    machine, told = Machine(web=up()), known()
    exchange(machine, told)
    machine.set("web", pid=7)
    machine.teller.beat()  # is lost
    assert told.in_step  # nothing is known of it yet
    exchange(machine, told)
    assert (told.in_step, machine.teller.pending) == (False, True)
    assert exchange(machine, told).whole
    assert (told.in_step, told.items) == (True, machine.items)


def test_another_digest_is_known_and_asked_about():
    machine, told = Machine(web=up()), known()
    exchange(machine, told)
    told.items["a-web"] = up(pid=1)
    told.digest, told._text = hash_of(told.items["a-web"]), ""
    exchange(machine, told)
    assert not told.in_step
    exchange(machine, told)
    assert (told.in_step, told.items) == (True, machine.items)


@pytest.mark.parametrize("text", ["", "zz", "0" * 16, "é", "1" * 5000])
def test_a_digest_that_is_none_is_another_one(text):
    told = known()
    told.take(beat(1, up(), whole=True, digest=text))
    assert told.in_step is (text == "")


def test_a_snapshot_comes_in_parts(monkeypatch):
    monkeypatch.setattr(telling, "PART", 2)
    machine, told = Machine(**{f"p{i}": up(f"p{i}") for i in range(5)}), known()
    sent = []
    while machine.teller.pending:
        assert told.items == {}  # nothing is said before all is there
        sent.append(exchange(machine, told))
    assert [(b.part, b.more, len(b.items), bool(b.digest)) for b in sent] == [
        (0, True, 2, False),
        (1, True, 2, False),
        (2, False, 1, True),
    ]
    assert (told.in_step, told.items) == (True, machine.items)


def test_a_snapshot_with_a_missing_part_is_asked_for_again(monkeypatch):
    monkeypatch.setattr(telling, "PART", 2)
    machine, told = Machine(**{f"p{i}": up(f"p{i}") for i in range(5)}), known()
    exchange(machine, told)
    machine.teller.beat()  # is lost
    while machine.teller.pending:
        exchange(machine, told)
    assert (told.in_step, told.items) == (True, machine.items)


def test_a_host_without_processes_says_so():
    machine, told = Machine(), known()
    assert exchange(machine, told).whole
    assert (told.in_step, told.items) == (True, {})


def test_many_that_are_gone_are_a_snapshot(monkeypatch):
    monkeypatch.setattr(telling, "GONE", 3)
    machine, told = Machine(**{f"p{i}": up(f"p{i}") for i in range(6)}), known()
    exchange(machine, told)
    for i in range(4):
        machine.drop(f"p{i}")
    assert exchange(machine, told).whole
    assert (told.in_step, told.items) == (True, machine.items)


def test_over_another_link_it_goes_on_where_it_was():
    machine, told = Machine(web=up()), known()
    exchange(machine, told)
    machine.teller.begin()
    told.begin(True)
    assert not told.in_step  # who knows what happened meanwhile
    machine.set("web", pid=7)
    assert not exchange(machine, told).whole
    assert (told.in_step, told.items) == (True, machine.items)


def test_another_controller_asks_for_everything():
    machine, told = Machine(web=up()), known()
    exchange(machine, told)
    machine.teller.begin()
    other = known()
    assert [exchange(machine, other).whole for _ in range(2)] == [False, True]
    assert (other.in_step, other.items) == (True, machine.items)


def test_an_outdated_wish_is_not_granted():
    machine, told = Machine(web=up()), known()
    first = exchange(machine, told)
    machine.teller.heard(Heard(beat=first.beat, want="whole"))
    again = exchange(machine, told)
    machine.teller.heard(Heard(beat=first.beat, want="whole"))
    assert (again.whole, machine.teller.pending) == (True, False)


# digests ----------------------------------------------------------------------------------------------------------


def test_measurements_are_not_in_the_digest():
    assert hash_of(up()) == hash_of(up(memory=4096, cpu=3.0, uptime=9, metrics={"x": 1.0}))


@pytest.mark.parametrize(
    "change",
    [
        *({"pid": 1}, {"detail": "stopping"}, {"ready": None}, {"ready": False}, {"restarts": 3}, {"timestamp": 1e-6}),
        *({"said": "x"}, {"trouble": "x"}, {"why": Why(text="other")}, {"group": "x"}, {"name": "other"}),
        {"exit": ExitRecord(code=0, signal=None, at=0.0, uptime=0.0)},
    ],
)
def test_everything_else_is(change):
    assert hash_of(up()) != hash_of(evolve(up(), **change))


def test_a_digest_is_a_word_of_a_fixed_form():
    """So that others can compute it: the example of the protocol's page."""
    web = Item(
        name="web",
        uuid="269e7763-a69e-4efe-8a75-5e4ad8060a74",
        hostname="north",
        pid=4711,
        status=1,
        detail="up",
        timestamp=1700000000.25,
        why=Why(code="running", text="started by ann", by="ann"),
        ready=True,
    )
    assert text_of(hash_of(web)) == "c063900e96c6c92e"


instants = st.floats(0, 4e9, allow_nan=False)


@given(instants, instants, st.text(max_size=8), st.none() | st.booleans())
def test_both_ends_come_to_the_same(stamp, at, said, ready):
    here = up(timestamp=stamp, said=said, ready=ready, exit=ExitRecord(code=1, signal=None, at=at, uptime=1.5))
    assert hash_of(here) == hash_of(structure(unstructure(here), Item))


# links that lose, repeat and reorder ------------------------------------------------------------------------------

SEEDS = range(150)
STEPS = 150
WEIGHTS = {
    "change": 30,
    "drop": 8,
    "tick": 25,
    "deliver": 40,
    "answer": 25,
    "cut": 1,
    "another controller": 1,
    "another agent": 1,
}


class Chance:
    """Heartbeats and answers are in flight for as long as it pleases, are lost, and come again.

    Args:
        seed: The same one gives the same run.
        digests: Whether they are told; without them, numbers have to do it alone.
    """

    def __init__(self, seed, digests):
        self.dice = random.Random(seed)
        self.digests = digests
        self.machine = Machine()
        self.told = known()
        self.start_agent()

    def start_agent(self):
        self.machine.teller = Teller(self.machine.look)
        self.perfect = known()  # misses nothing
        self.truth = {}  # number of a heartbeat -> what was told up to it
        self.told.begin(False)
        self.cut()

    def cut(self):
        self.beats, self.answers, self.newest = [], [], 0
        self.machine.teller.begin()

    def send(self):
        sent = self.machine.teller.beat()
        self.perfect.take(sent)
        self.truth[sent.beat] = dict(self.perfect.items)
        return sent if self.digests else evolve(sent, digest="")

    def take(self, sent):
        self.newest = max(self.newest, sent.beat)
        _, wanted = self.told.take(sent)
        return Heard(beat=sent.beat, want="whole" if wanted else "")

    def some(self, things):
        """One of them: the next, or any; it is gone then, or comes again. None: it is lost."""
        chosen = things[0] if self.dice.random() < 0.6 else self.dice.choice(things)
        fate = self.dice.random()
        if fate > 0.15:
            things.remove(chosen)
        return chosen if fate < 0.85 else None

    def step(self):
        match self.dice.choices(list(WEIGHTS), WEIGHTS.values())[0]:
            case "change":
                self.machine.set(f"p{self.dice.randrange(5)}", pid=self.dice.randrange(1, 1000))
            case "drop" if self.machine.items:
                self.machine.drop(self.dice.choice(list(self.machine.items.values())).name)
            case "tick":
                self.beats.append(self.send())
            case "deliver" if self.beats:
                if (sent := self.some(self.beats)) is not None:
                    self.answers.append(self.take(sent))
            case "answer" if self.answers:
                if (answer := self.some(self.answers)) is not None:
                    self.machine.teller.heard(answer)
            case "cut":
                self.cut()
                self.told.begin(True)
            case "another controller":
                self.cut()
                self.told = known()
            case "another agent":
                self.start_agent()

    def check(self):
        """Never wrong without knowing."""
        if self.told.in_step:
            assert (self.truth[self.told.beat], self.told.beat >= self.newest) == (self.told.items, True)
        assert sum(map(hash_of, self.told.items.values())) % 2**64 == self.told.digest

    def heal(self):
        """Nothing is lost any more, and then nothing is in doubt."""
        self.beats, self.answers = [], []
        for _ in range(12):
            self.machine.teller.heard(self.take(self.send()))
        assert (self.told.in_step, self.told.items) == (True, self.machine.items)


@pytest.mark.parametrize("part", [2, 200])
@pytest.mark.parametrize("digests", [True, False])
def test_never_wrong_without_knowing(digests, part, monkeypatch):
    monkeypatch.setattr(telling, "PART", part)
    followed = 0
    for seed in SEEDS:
        run = Chance(seed, digests)
        for number in range(STEPS):
            run.step()
            try:
                run.check()
            except (AssertionError, KeyError) as error:
                raise AssertionError(f"seed {seed}, step {number}: {error}") from error
            followed += run.told.in_step
        run.heal()
    assert followed > len(SEEDS) * STEPS / 10  # it is not for ever in doubt, which would be true of nothing at all
