"""Whatever a peer sends, a ledger answers and never raises; and two of them lose nothing between them."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from procctl.core import messages as m
from procctl.core.messages import RESERVED
from procctl.core.records import Item
from procctl.wire.envelope import dump, load
from procctl.wire.ledger import (
    Called,
    Cancelled,
    Complaint,
    Credit,
    Ended,
    Gave,
    Ledger,
    Replied,
    Send,
)

from .anything import documents, things

GOT = (Called, Replied, Gave, Ended, Credit, Cancelled, Send, Complaint)
WORDS = RESERVED | {"status", "done", "grant", "name", "spec", "type", "hostname", "misses", "uuid", "text"}
NUMBERS = st.integers(0, 4)


def busy():
    """A ledger with something open in both directions: 1 is plain, 2 a stream."""
    made = Ledger()
    made.ask(m.Status())
    made.ask(m.Events())
    assert isinstance(made.receive(b'{"id":1,"command":"status"}'), Called)
    assert isinstance(made.receive(b'{"id":2,"command":"events"}'), Called)
    return made


def answered(got):
    """It is something that a session can act on."""
    assert got is None or isinstance(got, GOT)
    if isinstance(got, Send):
        document = load(got.frame)
        assert {"code", "message"} <= document["error"].keys()
        assert b"\n" not in got.frame


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_no_bytes_make_it_raise(frames):
    made = busy()
    for frame in frames:
        answered(made.receive(frame))


@settings(deadline=None)
@given(st.lists(documents(WORDS), max_size=4))
def test_no_json_makes_it_raise(frames):
    made = busy()
    for document in frames:
        answered(made.receive(dump(document)))


DOCUMENTS = documents(WORDS - RESERVED)
HEADS = st.sampled_from([{"re": 1}, {"re": 2}, {"re": 3}, {"to": 1}, {"to": 2}, {"id": 1}, {"id": 3}, {}])
FIELDS = {
    "item": DOCUMENTS,
    "error": DOCUMENTS,
    "status": DOCUMENTS,
    "done": DOCUMENTS,
    "lost": st.none() | NUMBERS,
    "next": st.text(max_size=3),
    "end": st.booleans(),
    "credit": NUMBERS,
    "cancel": st.booleans(),
    "until": st.sampled_from(["settled", "exit", "soon"]),
    "command": st.sampled_from(sorted(m.REQUESTS)),
}
FRAMES = st.builds(
    lambda head, body: {**head, **body},
    HEADS,
    st.lists(st.sampled_from(sorted(FIELDS)), max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=4))
def test_nothing_that_is_addressed_to_what_is_open_makes_it_raise(frames):
    made = busy()
    for document in frames:
        answered(made.receive(dump(document)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_cut_of_a_good_frame_makes_it_raise(data):
    _, frame = Ledger().ask(data.draw(things(m.Add)), key="k")
    cut = data.draw(st.integers(0, len(frame) - 1))
    assert isinstance(Ledger().receive(frame[:cut]), Send)
    changed = bytearray(frame)
    changed[cut] = data.draw(st.integers(0, 255))
    answered(Ledger().receive(bytes(changed)))


class Talk(RuleBasedStateMachine):
    """Two ledgers, with frames under way in both directions; each side keeps its own books."""

    @initialize()
    def begin(self):
        self.sides = [Ledger(), Ledger()]
        self.wires = [[], []]  # frames on their way to that side
        self.mine = [{}, {}]  # number -> what was asked and is not answered
        self.theirs = [{}, {}]  # number -> what is to be answered
        self.sent = [{}, {}]  # stream -> items that were sent to that side and not read

    side = st.integers(0, 1)

    @rule(side=side, request=st.sampled_from([m.Status(), m.Stop(name="web"), m.Events(), m.Logs(name="web")]))
    def ask(self, side, request):
        number, frame = self.sides[side].ask(request)
        self.mine[side][number] = request
        self.sent[side][number] = []
        self.wires[1 - side].append(frame)

    @precondition(lambda self: any(self.wires))
    @rule(data=st.data())
    def arrive(self, data):
        side = data.draw(st.sampled_from([i for i in (0, 1) if self.wires[i]]))
        got = self.sides[side].receive(self.wires[side].pop(0))
        match got:
            case Called(number, request):
                assert number not in self.theirs[side]
                assert request == self.mine[1 - side].get(number, request)
                self.theirs[side][number] = request
            case Replied(number, reply):
                assert reply == self.sent[side].pop(number)[0]
                del self.mine[side][number]
            case Gave(number, item):
                assert item == self.sent[side][number].pop(0)
            case Ended(number, failure):
                assert (failure, self.sent[side].pop(number)) == (None, [])
                del self.mine[side][number]
            case Cancelled(number):
                assert number not in self.mine[1 - side]
                self.sides[side].dropped(number)
                del self.theirs[side][number]
            case Credit(number, count):
                assert (number in self.theirs[side], count) == (True, 5)
            case Send() | Complaint():
                raise AssertionError(f"two good sides complain: {got}")

    def open(self, streaming):
        return [
            (side, number)
            for side in (0, 1)
            for number, request in self.theirs[side].items()
            if isinstance(request, m.StreamRequest) == streaming
        ]

    @precondition(lambda self: self.open(False))
    @rule(data=st.data(), count=st.sampled_from([0, 1, 2]))
    def reply(self, data, count):
        side, number = data.draw(st.sampled_from(self.open(False)))
        batch = m.Batch(items=tuple(Item(name="web", uuid=str(n), hostname="a") for n in range(count)))
        del self.theirs[side][number]
        self.wires[1 - side] += self.sides[side].reply(number, batch)
        if number in self.mine[1 - side]:
            self.sent[1 - side][number].append(batch)

    @precondition(lambda self: self.open(True))
    @rule(data=st.data(), item=things(m.LogChunk) | things(m.Lost))
    def item(self, data, item):
        side, number = data.draw(st.sampled_from(self.open(True)))
        self.wires[1 - side].append(self.sides[side].item(number, 1, item))
        if number in self.mine[1 - side]:
            self.sent[1 - side][number].append(item)

    @precondition(lambda self: self.open(True))
    @rule(data=st.data())
    def end(self, data):
        side, number = data.draw(st.sampled_from(self.open(True)))
        del self.theirs[side][number]
        self.wires[1 - side].append(self.sides[side].end(number))

    @precondition(lambda self: any(self.mine))
    @rule(data=st.data(), cancel=st.booleans())
    def word(self, data, cancel):
        side = data.draw(st.sampled_from([i for i in (0, 1) if self.mine[i]]))
        number = data.draw(st.sampled_from(sorted(self.mine[side])))
        if not cancel:
            self.wires[1 - side].append(self.sides[side].credit(number, 5))
            return
        self.wires[1 - side].append(self.sides[side].give_up(number))
        del self.mine[side][number]
        del self.sent[side][number]

    def teardown(self):
        """When all has arrived and all was answered, nothing is open."""
        if not hasattr(self, "sides"):
            return
        assert all(self.sides[side].give_up(number) for side in (0, 1) for number in self.mine[side])


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
