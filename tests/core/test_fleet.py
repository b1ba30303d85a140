"""A controller's router: which hosts a command is for, and one answer out of many."""

import pytest

from procctl.core.fleet import Forward, Merged, Router
from procctl.core.messages import (
    Add,
    Batch,
    Delete,
    Detail,
    Done,
    Failure,
    Kill,
    Miss,
    Restart,
    Start,
    Status,
    Stop,
)

from .knowing import registry, up
from .making import spec

HINT = 'name a target, or say "all": true (on the command line: all)'


def router(*lost, **hosts):
    """A router over hosts, of which some are lost."""
    known = registry(**hosts)
    for host in lost:
        known.lose(host, 2000.0)
    return Router("controller", known)


def two(*lost):
    return router(*lost, a=[up("web.1")], b=[up("web.1", hostname="b"), up("api", hostname="b")])


def batch(outs, key="k"):
    [merged] = outs
    assert (Merged, key) == (type(merged), merged.key)
    return merged.reply


JOIN = "procctl agent --join URL, on another machine or on this one"
HEARD = "procctl hosts shows when it was heard last"


def silent(target):
    host = target.partition("/")[0]
    return Miss(target=target, code="peer-gone", message=f"{host} does not respond", hint=HEARD)


# forwarding -------------------------------------------------------------------------------------------------------


def test_a_command_goes_to_the_hosts_that_have_what_it_names():
    assert [
        Forward("k", "a", Stop(name="web", hostname="a")),
        Forward("k", "b", Stop(name="web", hostname="b")),
    ] == two().request("k", Stop(name="web"), "settled")


def test_a_command_for_one_host_goes_there_alone():
    out = two().request("k", Stop(name="web", hostname="B"), "settled")
    assert [Forward("k", "b", Stop(name="web", hostname="b"))] == out


def test_the_rest_of_the_request_is_passed_on_as_it_is():
    out = two().request("k", Stop(name="api", grace=3.0), "settled")
    assert [Forward("k", "b", Stop(name="api", hostname="b", grace=3.0))] == out


@pytest.mark.parametrize("kind", [Start, Stop, Kill, Restart, Delete])
def test_a_command_on_everything_needs_all(kind):
    text = f"{kind.command} without a target would mean every process on every host"
    assert Failure(code="needs-all", message=text, hint=HINT) == batch(two().request("k", kind(), "settled"))


def test_with_all_every_host_is_told():
    out = two().request("k", Stop(all=True), "settled")
    assert [(o.hostname, o.request.all) for o in out] == [("a", True), ("b", True)]


def test_looking_at_everything_needs_nothing():
    assert [o.hostname for o in two().request("k", Status(), "settled")] == ["a", "b"]


def test_a_host_that_speaks_of_another_that_is_unknown_does_no_harm():
    made = router(a=[up(hostname="nowhere")])
    assert [o.hostname for o in made.request("k", Stop(name="web"), "settled")] == ["a"]


# misses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "target", "text", "hint"),
    [
        (Stop(name="wbe"), "wbe", "no process 'wbe' on any host", "did you mean 'web'?"),
        (Stop(name="wbe", hostname="a"), "a/wbe", "no process 'wbe' on a", "did you mean 'a/web'?"),
        (Stop(name="ap", hostname="a"), "a/ap", "no process 'ap' on a", "procctl ps shows what there is"),
        (Stop(name="api", hostname="a"), "a/api", "no process 'api' on a", "api is on b"),
        (Stop(name="web", hostname="aa"), "aa/web", "no host 'aa' is there", "did you mean 'a/web'?"),
        (Status(hostname="zz"), "zz/*", "no host 'zz' is there", "there are a, b"),
        (Stop(hostname="z*"), "z*/*", "no host 'z*' is there", "there are a, b"),
        (Stop(hostname="zz", group="x"), "zz/group:x", "no host 'zz' is there", "there are a, b"),
        (
            Stop(uuid="123"),
            "uuid:123",
            "no process '123' on any host",
            "a uuid is meant by 8 or more of its characters",
        ),
        (Stop(uuid="12345678"), "uuid:12345678", "no process '12345678' on any host", "procctl ps shows what there is"),
    ],
)
def test_what_no_host_has_is_a_miss_with_a_hint(request_, target, text, hint):
    [miss] = batch(two().request("k", request_, "settled")).misses
    assert (target, "no-such-target", text, hint) == (miss.target, miss.code, miss.message, miss.hint)


def test_where_many_hosts_are_known_some_are_told():
    made = router(**{f"h{i}": [] for i in range(8)})
    [miss] = batch(made.request("k", Stop(hostname="zz"), "settled")).misses
    assert "there are h0, h1, h2, h3, h4 and 3 more" == miss.hint
    [miss] = batch(router(a=[]).request("k", Stop(hostname="zz"), "settled")).misses
    assert "there is a" == miss.hint
    [miss] = batch(router().request("k", Stop(hostname="zz"), "settled")).misses
    assert "procctl hosts shows those that are known" == miss.hint


@pytest.mark.parametrize(
    ("request_", "target"), [(Stop(group="x"), "group:x"), (Stop(uuid="12345678"), "uuid:12345678")]
)
def test_groups_and_uuids_that_nobody_has_are_misses(request_, target):
    assert [target] == [miss.target for miss in batch(two().request("k", request_, "settled")).misses]


def test_nothing_in_particular_and_nothing_there_is_an_empty_answer():
    assert Batch() == batch(router(a=[]).request("k", Status(), "settled"))
    assert Batch() == batch(router(a=[]).request("k", Stop(hostname="a"), "settled"))


# merging ----------------------------------------------------------------------------------------------------------


def test_the_answer_leaves_when_the_last_host_has_answered():
    made = two()
    made.request("k", Stop(name="web"), "settled")
    assert made.replied("k", "b", Batch(items=(up("web.1", hostname="b"),))) == []
    merged = batch(made.replied("k", "a", Batch(items=(up("web.1"),))))
    assert [item.hostname for item in merged.items] == ["a", "b"]


def test_the_misses_of_a_host_carry_its_name():
    made = two()
    made.request("k", Stop(name="api"), "settled")
    missed = Miss(target="api", code="escaped", message="still alive", hint="procctl why api")
    merged = batch(made.replied("k", "b", Batch(misses=(missed,))))
    assert [(m.target, m.code, m.hint) for m in merged.misses] == [("b/api", "escaped", "procctl why api")]


def test_details_are_collected():
    made = two()
    made.request("k", Status(name="web", detail=True), "settled")
    details = [Detail(uuid=f"{host}-web.1", spec=spec()) for host in "ab"]
    made.replied("k", "a", Batch(details=(details[0],)))
    assert tuple(details) == batch(made.replied("k", "b", Batch(details=(details[1],)))).details


def test_a_host_that_refuses_is_a_miss_of_the_whole():
    made = two()
    made.request("k", Stop(name="web"), "settled")
    made.replied("k", "a", Failure(code="busy", message="too much", hint="wait"))
    merged = batch(made.replied("k", "b", Batch(items=(up("web.1", hostname="b"),))))
    assert (Miss(target="a/web", code="busy", message="too much", hint="wait"),) == merged.misses
    assert [item.hostname for item in merged.items] == ["b"]


def test_the_refusal_of_the_only_host_is_the_answer():
    made = two()
    made.request("k", Stop(name="api"), "settled")
    refusal = Failure(code="bad-signal", message="no")
    assert refusal == batch(made.replied("k", "b", refusal))


def test_the_refusal_of_one_host_is_not_the_answer_of_two():
    made = two()
    made.request("k", Stop(name="web"), "settled")
    made.replied("k", "a", Failure(code="busy", message="too much"))
    merged = batch(made.replied("k", "b", Batch()))
    assert [miss.target for miss in merged.misses] == ["a/web"]


def test_an_answer_of_the_wrong_kind_is_a_miss():
    made = two()
    made.request("k", Stop(name="api"), "settled")
    [miss] = batch(made.replied("k", "b", Done())).misses
    assert (miss.target, miss.code, miss.message) == ("b/api", "bad-reply", "answered done")


@pytest.mark.parametrize(("key", "host"), [("k", "c"), ("other", "a")])
def test_an_answer_that_nobody_waits_for_is_dropped(key, host):
    made = two()
    made.request("k", Stop(name="web"), "settled")
    assert made.replied(key, host, Batch()) == []


def test_a_host_answers_once():
    made = two()
    made.request("k", Stop(name="web"), "settled")
    made.replied("k", "a", Batch(items=(up("web.1"),)))
    assert made.replied("k", "a", Batch(items=(up("web.1"),))) == []
    assert len(batch(made.replied("k", "b", Batch())).items) == 1


def test_what_is_forgotten_is_not_answered():
    made = two()
    made.request("k", Stop(name="api"), "settled")
    made.forget("k")
    assert (made.replied("k", "b", Batch()), made.expire("k")) == ([], [])
    made.forget("k")


def test_a_deadline_answers_with_what_there_is():
    made = two()
    made.request("k", Stop(name="web"), "settled")
    made.replied("k", "b", Batch(items=(up("web.1", hostname="b"),)))
    merged = batch(made.expire("k"))
    assert (Miss(target="a/web", code="timeout", message="a has not answered", hint=HEARD),) == merged.misses
    assert [item.hostname for item in merged.items] == ["b"]
    assert made.replied("k", "a", Batch()) == []


# hosts that are lost ----------------------------------------------------------------------------------------------


def test_a_silent_host_is_a_miss_and_not_asked():
    made = two("a")
    assert [o.hostname for o in made.request("k", Stop(name="web"), "settled")] == ["b"]
    merged = batch(made.replied("k", "b", Batch(items=(up("web.1", hostname="b"),))))
    assert ((silent("a/web"),), ["b"]) == (merged.misses, [item.hostname for item in merged.items])


def test_where_all_are_silent_the_answer_is_there_at_once():
    assert Batch(misses=(silent("a/*"),)) == batch(two("a").request("k", Stop(hostname="a"), "settled"))


def test_what_a_silent_host_had_is_shown():
    merged = batch(two("a").request("k", Status(hostname="a"), "settled"))
    assert [(item.hostname, item.detail) for item in merged.items] == [("a", "agent-lost")]
    assert (silent("a/*"),) == merged.misses


def test_what_a_host_had_is_shown_when_it_is_lost_before_it_answers():
    made = two()
    assert [o.hostname for o in made.request("k", Status(name="web"), "settled")] == ["a", "b"]
    made.replied("k", "b", Batch(items=(up("web.1", hostname="b"),)))
    merged = batch(made.replied("k", "a", Failure(code="peer-gone", message="gone")))
    assert ["a", "b"] == [item.hostname for item in merged.items]
    assert (silent("a/web"),) == merged.misses


# adding -----------------------------------------------------------------------------------------------------------


def test_an_add_goes_to_the_only_host():
    out = router(a=[]).request("k", Add(spec=spec(), uuid="u"), "settled")
    assert [Forward("k", "a", Add(spec=spec(), hostname="a", uuid="u"))] == out


def test_an_add_goes_to_the_host_that_it_names():
    out = two().request("k", Add(spec=spec(), hostname="b"), "settled")
    assert [Forward("k", "b", Add(spec=spec(), hostname="b"))] == out


def test_an_add_for_several_hosts_needs_each():
    failure = batch(two().request("k", Add(spec=spec()), "settled"))
    expected = Failure(code="ambiguous", message="2 hosts match: a, b", hint="name one with --host, or say --each")
    assert expected == failure


def test_with_each_every_host_makes_a_uuid_of_its_own():
    out = two().request("k", Add(spec=spec(), uuid="u", each=True), "settled")
    assert [(o.request.hostname, o.request.uuid) for o in out] == [("a", ""), ("b", "")]


def test_the_hosts_of_an_add_are_merged():
    made = two()
    made.request("k", Add(spec=spec(), each=True), "settled")
    made.replied("k", "a", Batch(items=(up("web"),)))
    merged = batch(made.replied("k", "b", Batch(items=(up("web", hostname="b"),))))
    assert [item.hostname for item in merged.items] == ["a", "b"]


def test_an_add_for_nobody_says_who_is_there():
    failure = batch(router(**{"web-01": []}).request("k", Add(spec=spec(), hostname="web-1"), "settled"))
    expected = Failure(code="no-such-target", message="no host 'web-1' is there", hint="did you mean 'web-01'?")
    assert expected == failure


def test_an_add_where_no_host_has_joined():
    failure = batch(router().request("k", Add(spec=spec()), "settled"))
    assert failure == Failure(code="no-such-target", message="no host has joined", hint=JOIN)


def test_an_add_for_a_host_unlike_any_says_which_there_are():
    failure = batch(router(a=[], b=[]).request("k", Add(spec=spec(), hostname="zzz"), "settled"))
    assert failure == Failure(code="no-such-target", message="no host 'zzz' is there", hint="there are a, b")


def test_a_lost_host_is_given_nothing_new():
    out = two("a").request("k", Add(spec=spec()), "settled")
    assert [o.hostname for o in out] == ["b"]


def test_an_add_that_is_refused_is_refused():
    made = router(a=[])
    made.request("k", Add(spec=spec()), "settled")
    refusal = Failure(code="exists", message="a process 'web' exists already on a")
    assert refusal == batch(made.replied("k", "a", refusal))


def test_an_identity_that_another_host_has_already_is_refused():
    taken = "a-web.1"
    out = two().request("k", Add(spec=spec(), hostname="b", uuid=taken), "settled")
    assert [Failure] == [type(getattr(o, "reply", None)) for o in out]


def test_an_add_that_comes_again_goes_to_its_host_which_knows_the_answer():
    out = two().request("k", Add(spec=spec("web"), hostname="a", uuid="a-web.1"), "settled")
    assert [(type(o), o.key) for o in out] == [(Forward, "k")]
