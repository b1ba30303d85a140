"""Items are made anew where there is something new in them, and only there."""

from procctl.core import events as ev
from procctl.core.messages import Delete, Start, Stop
from procctl.core.value import evolve
from procctl.wire.codec import item_text, unstructure
from procctl.wire.envelope import load

from .hosting import ask, free, host, tell, uuid
from .making import at


def running():
    h = host(free("web"))
    ask(h, Start(name="web"), now=at(1))
    tell(h, "web", ev.Spawned(41), now=at(2))
    return h, uuid(h, "web")


def item(h, uuid, now):
    (found,) = h.shown.items([h.processes[uuid]], now)
    return found


def test_what_has_not_changed_is_the_same_item():
    h, web = running()
    assert item(h, web, at(9.1)) is item(h, web, at(9.9))


def test_a_second_later_it_has_run_longer():
    h, web = running()
    before, after = item(h, web, at(9)), item(h, web, at(10))
    assert (before.uptime, after.uptime) == (7, 8)
    assert evolve(after, uptime=7) == before


def test_what_has_changed_is_shown():
    h, web = running()
    before = item(h, web, at(9))
    h.trouble(web, "its log file cannot be written")
    assert (before.trouble, item(h, web, at(9)).trouble) == ("", "its log file cannot be written")
    ask(h, Stop(name="web"), "another", now=at(9))
    assert item(h, web, at(9)).detail == "stopping"


def test_what_does_not_run_stays_as_it_is():
    h = host(free("web"))
    web = uuid(h, "web")
    assert item(h, web, at(1)) is item(h, web, at(1000))


def test_what_is_deleted_or_not_asked_for_is_not_remembered():
    h = host(free("web"), free("api"))
    item(h, uuid(h, "web"), at(1))
    api = item(h, uuid(h, "api"), at(1))
    ask(h, Delete(name="web"), "another")
    assert list(h.shown._known) == [api.uuid]
    h.shown.forget()
    assert item(h, api.uuid, at(1)) == api
    assert item(h, api.uuid, at(1)) is not api


def test_the_text_of_an_item_is_made_once_and_not_passed_on():
    h, web = running()
    now = item(h, web, at(9))
    assert item_text(now) is item_text(now)
    later = evolve(now, uptime=100)
    assert load(item_text(later).encode()) == unstructure(later)
