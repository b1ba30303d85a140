"""Errors of the fleet, lines out of chunks, streams put together."""

from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest

from procctl import Denied, Failed, Fleet, NoSuchTarget, PeerGone, Refused
from procctl.abc import Pending
from procctl.core.happenings import LogChunk, Lost, Registered, Snapshot
from procctl.core.messages import Batch, Done, Events, Failure, Miss
from procctl.core.records import Item
from procctl.errors import TimedOut
from procctl.service.lines import LONGEST, Lines
from procctl.service.merge import merged
from procctl.service.timeline import Timeline

pytestmark = pytest.mark.anyio


class Canned:
    """A service with one answer."""

    def __init__(self, reply):
        self.reply = reply

    def submit(self, call):
        return Pending.of(self.reply)


def missing(*codes):
    return Batch(misses=tuple(Miss(target=f"t{i}", code=code, message="no") for i, code in enumerate(codes)))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (missing("no-such-target"), NoSuchTarget),
        (missing("denied"), Denied),
        (missing("approval-pending"), Denied),
        (missing("timeout"), TimedOut),
        (missing("peer-gone"), PeerGone),
        (missing("spawn-failed"), Refused),
        (missing("denied", "denied"), Failed),
        (Failure(code="needs-all", message="no"), Refused),
        (Done(), Refused),
    ],
)
async def test_what_did_not_do_as_told_raises(reply, error):
    with pytest.raises(error) as caught:
        await Fleet(Canned(reply)).stop("x")
    assert type(caught.value) is error


async def test_several_are_all_named():
    with pytest.raises(Failed) as caught:
        await Fleet(Canned(missing(*"abcde"))).stop("x")
    assert caught.value.misses == tuple((f"t{i}", code, "no") for i, code in enumerate("abcde"))
    assert str(caught.value) == "5 targets did not do as told: t0: no; t1: no; t2: no; and 2 more"


def chunk(text, stream="stdout", uuid="u", cursor="c"):
    return LogChunk(uuid=uuid, name="web", hostname="h", stream=stream, time=1.0, text=text, cursor=cursor)


def taken(*items):
    lines = Lines()
    return [(line.stream, line.text) for item in items for line in lines.take(item)]


def test_lines():
    assert taken(chunk("a\nb"), chunk("x\n", "stderr"), chunk("c\r\n\n")) == [
        ("stdout", "a"),
        ("stderr", "x"),
        ("stdout", "bc"),
        ("stdout", ""),
    ]


def test_lines_of_two_processes_are_kept_apart():
    assert taken(chunk("a", uuid="1"), chunk("b\n", uuid="2"), chunk("c\n", uuid="1")) == [
        ("stdout", "b"),
        ("stdout", "ac"),
    ]


def test_a_line_without_end_is_given_out():
    ((_, text),) = taken(chunk("x" * (LONGEST + 1)))
    assert len(text) == LONGEST + 1


def test_a_gap_is_not_glued_over():
    gap = Lost(count=5, first="e.u.1", next="e.u.6")
    found = taken(chunk("begun"), gap, chunk("ended\n"))
    assert ("stdout", "begunended") not in found
    assert ("gap", "5 bytes of output were lost here") in found


def item(name):
    return Item(name=name, uuid=name, hostname="h")


def registered(name, cursor):
    return Registered(time=1.0, cursor=cursor, process=item(name))


async def test_a_timeline():
    timeline = Timeline("epoch")

    async def read(since=""):
        request = Events(since=since, follow=False)
        return [event async for event in timeline.read(request, lambda: [item("a")], lambda: 1.0)]

    (first,) = await read()
    assert (type(first), first.processes) == (Snapshot, (item("a"),))
    for name in "bc":
        timeline.put(partial(registered, name))
    found = await read(first.cursor)
    assert [event.process.name for event in found] == ["b", "c"]
    assert await read(found[-1].cursor) == []
    assert [type(event) for event in await read("another.0")] == [Lost, Snapshot]


@asynccontextmanager
async def source(*items, error=None):
    async def give():
        for one in items:
            await anyio.sleep(0)
            yield one
        if error:
            raise error

    made = give()
    try:
        yield made
    finally:
        await made.aclose()


async def test_merged():
    async with merged([source(1, 2, 3), source(4, 5), source()]) as items:
        assert sorted([one async for one in items]) == [1, 2, 3, 4, 5]
    async with merged([]) as items:
        assert [one async for one in items] == []


async def test_merged_may_be_left():
    async with merged([source(*range(1000)), source(*range(1000))]) as items:
        assert await anext(items) in (0, 1)


async def test_what_a_source_raises_leaves_as_itself():
    error = PeerGone("gone")
    with pytest.raises(PeerGone) as caught:
        async with merged([source(1, 2), source(error=error)]) as items:
            async for _ in items:
                pass
    assert caught.value is error


async def test_what_the_reader_raises_leaves_as_itself():
    with pytest.raises(ValueError, match="mine"):
        async with merged([source(1, 2), source(3)]):
            raise ValueError("mine")


def piece(time):
    return LogChunk(uuid="u", name="n", hostname="h", stream="stdout", time=time, text="x\n", cursor="")


async def test_what_is_past_comes_in_the_order_of_time():
    sources = [source(*(piece(float(n)) for n in numbers)) for numbers in ((1, 4, 5, 9), (2, 3, 10), (), (6, 7, 8))]
    async with merged(sources) as items:
        assert [item.time async for item in items] == [float(n) for n in range(1, 11)]
