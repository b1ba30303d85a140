"""Numbered frames: windows, and whatever order of losses and repetitions, each frame arrives once, in its place."""

from hypothesis import given
from hypothesis import strategies as st

from procctl.transports.amqp.sequence import BYTES, WINDOW, Incoming, Marks, Outgoing


def test_a_window_of_frames():
    out = Outgoing()
    for number in range(1, WINDOW + 1):
        assert not out.full
        assert out.add(b"x") == number
    assert out.full
    assert out.mark(Marks(WINDOW, 0))
    assert out.full  # they are over there, and nobody has read them
    assert out.mark(Marks(WINDOW, 1))
    assert not out.full


def test_a_window_of_bytes():
    out = Outgoing()
    out.add(b"x" * (BYTES - 1))
    assert not out.full
    out.add(b"xx")
    assert out.full
    out.mark(Marks(1, 1))
    assert not out.full


def test_what_the_other_end_has_is_not_kept():
    out = Outgoing()
    for text in (b"a", b"b", b"c"):
        out.add(text)
    out.mark(Marks(2, 0))
    assert [*out.kept()] == [(3, b"c")]
    out.mark(Marks(1, 0))  # older news
    assert [*out.kept()] == [(3, b"c")]


def test_nobody_has_what_was_never_sent():
    out = Outgoing()
    out.add(b"a")
    assert not out.mark(Marks(2, 0))
    assert not out.mark(Marks(0, 1))
    assert out.mark(Marks(1, 1))


def test_a_reader_tells_how_far_it_is_before_the_window_is_full():
    into = Incoming()
    for number in range(1, WINDOW + 1):
        assert into.take(number, 1)
        assert not into.overrun
    told = [into.read(1) for _ in range(WINDOW // 4)]
    assert told == [False] * (WINDOW // 4 - 1) + [True]
    assert into.marks() == Marks(WINDOW, WINDOW // 4)
    assert not into.read(1)


def test_a_reader_of_large_frames_tells_at_each():
    into = Incoming()
    into.take(1, BYTES)
    assert into.read(BYTES)


def test_whoever_does_not_keep_to_the_window_is_seen():
    into = Incoming()
    for number in range(1, WINDOW + 1):
        into.take(number, 1)
    into.take(WINDOW + 1, 1)
    assert into.overrun
    into = Incoming()
    into.take(1, BYTES)
    assert not into.overrun
    into.take(2, 1)
    assert into.overrun


def test_numbers():
    into = Incoming()
    assert (into.take(2, 1), into.missing(2), into.missing(1)) == (False, True, False)
    assert into.take(1, 1)
    assert (into.take(1, 1), into.missing(1)) == (False, False)


@given(st.lists(st.sampled_from(["send", "arrive", "forget", "read", "tell", "again"]), max_size=300))
def test_each_arrives_once_in_its_place(steps):
    """A broker that may forget everything; marks that arrive late; frames that are sent again at any time."""
    out, into = Outgoing(), Incoming()
    way, seen, read, sent = [], [], 0, 0
    for step in [*steps, "forget", "again", *["arrive"] * WINDOW]:
        match step:
            case "send" if not out.full:
                sent += 1
                way.append((out.add(b"%d" % sent), b"%d" % sent))
            case "arrive" if way:
                number, frame = way.pop(0)
                if into.take(number, len(frame)):
                    seen.append(frame)
                    assert not into.overrun
            case "forget":
                way.clear()
            case "read" if read < len(seen):
                read += 1
                into.read(len(seen[read - 1]))
            case "tell":
                assert out.mark(into.marks())
            case "again":
                way += out.kept()
    assert seen == [b"%d" % number for number in range(1, sent + 1)]
