"""Events are kept from the moment on in which somebody follows."""

import pytest

from procctl.core.happenings import Removed, Snapshot
from procctl.core.messages import Events, Lost
from procctl.core.records import Item
from procctl.service.timeline import Timeline

pytestmark = pytest.mark.anyio

ITEM = Item(name="web", uuid="u", hostname="a")


def happen(timeline, count, made):
    for _ in range(count):
        timeline.put(lambda cursor: made.append(cursor) or Removed(time=1.0, cursor=cursor, process=ITEM))


async def every(timeline, since=""):
    request = Events(since=since, follow=False)
    return [event async for event in timeline.read(request, lambda: (ITEM,), lambda: 1.0)]


async def test_nothing_is_kept_for_nobody():
    timeline, made = Timeline("e"), []
    happen(timeline, 3, made)
    (first,) = await every(timeline)
    assert isinstance(first, Snapshot)
    assert (first.cursor, made) == ("e-3", [])


async def test_what_happens_from_then_on_is():
    timeline, made = Timeline("e"), []
    happen(timeline, 3, made)
    (snapshot,) = await every(timeline)
    happen(timeline, 2, made)
    assert [event.cursor for event in await every(timeline, snapshot.cursor)] == ["e-4", "e-5"]


async def test_a_cursor_that_was_made_up_is_a_gap():
    timeline, made = Timeline("e"), []
    happen(timeline, 3, made)
    (gap,) = await every(timeline, "e-1")
    assert isinstance(gap, Lost)
    assert (gap.count, gap.next) == (2, "e-3")
