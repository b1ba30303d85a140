"""What a controller knows of its hosts."""

import pytest

from procctl.core.messages import Registered, Removed, StateChanged, Target
from procctl.core.records import Why
from procctl.core.registry import About

from .knowing import beat, item, registry, up

NOW = 2000.0


def shown(made):
    return [(i.hostname, i.name, i.detail) for i in made.processes()]


def told(made, host, heartbeat, wall=NOW):
    """What a heartbeat changes."""
    events, _ = made.heard(host, heartbeat, wall)
    return events


# heartbeats -------------------------------------------------------------------------------------------------------


def test_what_a_host_says_first_is_registered():
    made = registry(a=[])
    assert [Registered(time=NOW, process=up())] == told(made, "a", beat(2, up()), NOW)
    assert shown(made) == [("a", "web", "up")]


def test_what_has_changed_is_told_with_its_state_before():
    made = registry(a=[item()])
    assert [StateChanged(time=NOW, process=up(), old=3, new=1)] == told(made, "a", beat(2, up()), NOW)


@pytest.mark.parametrize("change", [{"detail": "stopping"}, {"ready": False}, {"pid": 42}, {"status": 2}])
def test_phase_readiness_and_pid_are_changes(change):
    made = registry(a=[up()])
    assert [StateChanged] == [type(event) for event in told(made, "a", beat(2, up(**change)), NOW)]


@pytest.mark.parametrize("change", [{"memory": 4096}, {"cpu": 3.0}, {"uptime": 9}])
def test_measurements_are_kept_and_are_no_change(change):
    made = registry(a=[up()])
    assert told(made, "a", beat(2, up(**change)), NOW) == []
    assert [up(**change)] == list(made.processes())


def test_what_is_gone_is_removed_as_it_was_last():
    made = registry(a=[up(), up("api")])
    assert [Removed(time=NOW, process=up())] == told(made, "a", beat(2, gone=("a-web", "a-ghost")), NOW)
    assert shown(made) == [("a", "api", "up")]


def test_a_whole_heartbeat_has_all_there_is():
    made = registry(a=[up(), up("api")])
    assert [Removed(time=NOW, process=up())] == told(made, "a", beat(2, up("api"), whole=True), NOW)


def test_a_part_leaves_the_rest_alone():
    made = registry(a=[up(), up("api")])
    told(made, "a", beat(2, up("db")), NOW)
    assert sorted(i.name for i in made.processes()) == ["api", "db", "web"]


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_an_older_heartbeat_says_nothing_new(number):
    made = registry(a=[item()])
    for following in (2, 3):
        told(made, "a", beat(following), NOW)
    assert told(made, "a", beat(number, up()), NOW + 1) == []
    assert (shown(made)[0], made.hosts["a"].heard) == (("a", "web", "registered"), NOW + 1)


def test_another_run_of_the_agent_counts_from_one_again():
    made = registry(a=[item()])
    told(made, "a", beat(2), NOW)
    made.joined("a", About(epoch="e2"), NOW)
    assert [StateChanged(time=NOW, process=up(), old=3, new=1)] == told(made, "a", beat(1, up(), whole=True), NOW)


def test_what_a_host_said_before_stays_until_it_has_said_all():
    made = registry(a=[up(), up("api")])
    made.joined("a", About(epoch="e2"), NOW)
    assert len(made.processes()) == 2
    told(made, "a", beat(1, up(), whole=True), NOW)
    assert shown(made) == [("a", "web", "up")]


def test_a_host_speaks_of_itself_only():
    made = registry(a=[], b=[up(hostname="b")])
    told(made, "a", beat(2, up("spy", hostname="b")), NOW)
    assert [i.hostname for i in made.processes(name="spy")] == ["a"]


# hosts that are lost ----------------------------------------------------------------------------------------------


def test_what_is_on_a_lost_host_does_not_respond():
    made = registry(a=[up()])
    [event] = made.lose("a", NOW)
    assert (StateChanged, 1, 4) == (type(event), event.old, event.new)
    [lost] = made.processes()
    assert (lost.status, lost.state, lost.detail) == (4, "notresponding", "agent-lost")
    why = Why(code="agent-lost", text="a was lost; before that it was up: started by ann", by="ann", since=NOW)
    assert (why, lost) == (lost.why, event.process)


def test_a_host_is_lost_once():
    made = registry(a=[up()])
    made.lose("a", NOW)
    assert (made.lose("a", NOW + 1), made.hosts["a"].lost) == ([], NOW)


def test_a_host_that_is_back_shows_what_it_said_last():
    made = registry(a=[up()])
    made.lose("a", NOW)
    made.joined("a", About(epoch="e1"), NOW + 1)
    assert [up()] == list(made.processes())


def test_who_follows_the_events_sees_what_is_back():
    made = registry(a=[up()])
    made.lose("a", NOW)
    events = [
        *made.joined("a", About(epoch="e1"), NOW + 1),
        *told(made, "a", beat(2), NOW + 1),
    ]
    assert [(event.process.uuid, event.old, event.new) for event in events] == [("a-web", 4, 1)]


def test_other_hosts_respond():
    made = registry(a=[up()], b=[up(hostname="b")])
    made.lose("a", NOW)
    assert shown(made) == [("a", "web", "agent-lost"), ("b", "web", "up")]


def test_a_host_that_leaves_is_forgotten_with_all_it_had():
    made = registry(a=[up()], b=[])
    assert [Removed(time=NOW, process=up())] == made.leave("a", NOW)
    assert (list(made.hosts), made.processes()) == (["b"], ())
    assert made.leave("a", NOW) == []


# hosts that are silent --------------------------------------------------------------------------------------------


def test_what_is_on_a_silent_host_does_not_respond():
    made = registry(a=[up()])
    [event] = made.silence("a", NOW)
    [silent] = made.processes()
    assert (silent.state, silent.detail, silent.why.since) == ("notresponding", "heartbeat-lost", NOW)
    assert silent.why.text == "nothing comes from a, though its link is there; before that it was up: started by ann"
    assert (event.old, event.new, silent, made.known()[0].state) == (1, 4, event.process, "silent")


def test_a_silent_host_that_is_heard_responds_again():
    made = registry(a=[up(), item("api")])
    made.silence("a", NOW)
    events = told(made, "a", beat(2, item("api", detail="denied")), NOW + 1)
    assert [(e.process.name, e.old, e.new) for e in events] == [("web", 4, 1), ("api", 4, 3), ("api", 3, 3)]
    assert made.known()[0].state == "joined"


def test_silence_that_ends_with_the_link_is_another_kind():
    made = registry(a=[up()])
    made.silence("a", NOW)
    [event] = made.lose("a", NOW + 1)
    assert (event.old, event.new, event.process.detail) == (4, 4, "agent-lost")
    assert [e.process.detail for e in made.joined("a", About(epoch="e1"), NOW + 2)] == ["up"]


# looking ----------------------------------------------------------------------------------------------------------

TWO = {"a": [up("web.1"), up("web.2"), up("api", group="front")], "b": [up("web.1", hostname="b")]}


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (Target(), ["a web.1", "a web.2", "a api", "b web.1"]),
        (Target(name="web"), ["a web.1", "a web.2", "b web.1"]),
        (Target(name="web.1"), ["a web.1", "b web.1"]),
        (Target(name="web", hostname="b"), ["b web.1"]),
        (Target(group="front"), ["a api"]),
        (Target(name="*i"), ["a api"]),
        (Target(uuid="b-web.1"), ["b web.1"]),
        (Target(name="zzz"), []),
    ],
)
def test_a_target_names_items(target, found):
    assert found == [f"{i.hostname} {i.name}" for i in registry(**TWO).select(target)]


def test_a_policy_looks_up_names_and_hosts():
    assert [i.hostname for i in registry(**TWO).processes(name="web.1")] == ["a", "b"]
    assert [i.name for i in registry(**TWO).processes(hostname="b")] == ["web.1"]


def test_hosts_match_by_pattern():
    made = registry(**{"a.example.com": [], "b.example.com": [], "c": []})
    assert [host.name for host in made.match("*.example.com")] == ["a.example.com", "b.example.com"]
    assert len(made.match("")) == 3


def test_slots_are_known_by_both_of_their_names():
    made = registry(a=[up("web.1"), up("web.2"), up("api"), up("python3.x")])
    assert sorted(made._by_name) == ["api", "python3.x", "web", "web.1", "web.2"]
    told(made, "a", beat(2, gone=("a-web.1", "a-api")))
    assert sorted(made._by_name) == ["python3.x", "web", "web.2"]


def test_what_was_never_there_and_what_is_no_more_is_not_found():
    made = registry(**TWO)
    assert (made.owner("b-web.1"), made.owner("nobody"), made.count) == ("b", "", 4)
    told(made, "b", beat(2, gone=("b-web.1",)))
    assert made.owner("b-web.1") == ""
    for target in (Target(uuid="b-web.1"), Target(name="web.1", hostname="b"), Target(hostname="b")):
        assert made.select(target) == []
    assert [i.hostname for i in made.select(Target(name="web.1"))] == ["a"]


def test_a_uuid_that_two_hosts_have_means_both():
    made = registry(a=[up(uuid="same-uuid")], b=[up(uuid="same-uuid", hostname="b")])
    assert [i.hostname for i in made.select(Target(uuid="same-uuid"))] == ["a", "b"]
    made.leave("a", NOW)
    assert [i.hostname for i in made.select(Target(uuid="same-uuid"))] == ["b"]


def test_what_is_known_of_hosts():
    made = registry(a=[up(), item("idle")], b=[up(hostname="b")])
    made.joined("b", About(epoch="e2", version="1", transport="unix", identity="token:b", roles=("agent",)), 1001.0)
    told(made, "b", beat(1, up(hostname="b"), whole=True), 1002.0)
    made.lose("a", 1003.0)
    a, b = made.known()
    assert (a.name, a.state, a.heard, a.processes, a.running) == ("a", "lost", 1000.0, 2, 0)
    assert (b.name, b.state, b.heard, b.processes, b.running) == ("b", "joined", 1002.0, 1, 1)
    assert (b.epoch, b.version, b.transport, b.identity, b.roles) == ("e2", "1", "unix", "token:b", ("agent",))
    assert made.known("b") == (b,)


def test_a_name_that_was_proven_stays_whose_it_was():
    made = registry(a=[], b=[])
    made.joined("b", About(epoch="e2", identity="token:b"), 1001.0)
    assert made.refusal("a", "token:x") is None  # nobody has proven it
    for _ in range(2):
        assert made.refusal("b", "token:b") is None
        for other in ("token:x", ""):
            refusal = made.refusal("b", other)
            assert refusal is not None
            assert (refusal.code, "belongs to token:b" in refusal.message) == ("forbidden", True)
        made.leave("b", 1002.0)
