"""Messages as documents and back: the round trip, strictness, the paths of errors, the status document."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procctl.core import messages as m
from procctl.core.records import ExitRecord, Item, Stray, Usage, Why
from procctl.core.specs import (
    ProcessSpec,
    ReadyCommand,
    ReadyLog,
    ReadyTcp,
    RestartSpec,
    StopSpec,
)
from procctl.errors import BadMessage
from procctl.wire import codec
from procctl.wire.envelope import dump, load

from .anything import documents, of, things

WEB = {"name": "web", "command": ["web"]}


def refused(command, body):
    with pytest.raises(BadMessage) as caught:
        codec.request_in(command, body)
    return str(caught.value)


def spec_refused(**declared):
    return refused("add", {"spec": {**WEB, **declared}})


def over_the_wire(document):
    return load(dump(document))


# round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", list(m.REQUESTS.values()), ids=lambda cls: cls.command)
def test_every_request_comes_back(cls):
    @settings(max_examples=40, deadline=None)
    @given(things(cls))
    def comes_back(request):
        document = over_the_wire(codec.request_out(request))
        command = document.pop("command")
        assert request == codec.request_in(command, document)

    comes_back()


@pytest.mark.parametrize("cls", list(m.REPLIES.values()), ids=lambda cls: cls.kind)
def test_every_reply_comes_back(cls):
    @settings(max_examples=40, deadline=None)
    @given(things(cls))
    def comes_back(reply):
        back = codec.reply_in(over_the_wire(codec.reply_out(reply)))
        assert (by_host(reply) if cls is m.Batch else reply) == back

    comes_back()


def by_host(batch):
    """The document groups processes by host."""
    hosts = list(dict.fromkeys(item.hostname for item in batch.items))
    items = tuple(sorted(batch.items, key=lambda item: hosts.index(item.hostname)))
    return m.Batch(items=items, misses=batch.misses, details=batch.details, answers=batch.answers)


@pytest.mark.parametrize("cls", [m.LogChunk, *m.EVENTS.values()], ids=lambda cls: cls.__name__)
def test_every_item_of_a_stream_comes_back(cls):
    @settings(max_examples=40, deadline=None)
    @given(things(cls))
    def comes_back(item):
        assert item == codec.item_in(over_the_wire(codec.item_out(item)))

    comes_back()


@given(of(ReadyTcp | ReadyLog | ReadyCommand))
def test_every_check_of_readiness_comes_back(ready):
    request = m.Add(spec=ProcessSpec(name="web", command=("web",), ready=ready))
    assert request == codec.request_in("add", over_the_wire(codec.unstructure(request)))


def test_what_is_the_default_is_not_said():
    assert codec.request_out(m.Status()) == {"command": "status"}
    request = m.Add(spec=ProcessSpec(name="web", command=("web",), restart=RestartSpec(limit=None)))
    assert codec.request_out(request) == {"command": "add", "spec": {**WEB, "restart": {"limit": None}}}


# requests as they were documented long ago ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "request_"),
    [
        ({"command": "status", "hostname": "", "uuid": ""}, m.Status()),
        (
            {"command": "status", "hostname": "foo.example.com", "uuid": ""},
            m.Status(hostname="foo.example.com"),
        ),
        (
            {"command": "status", "hostname": "foo.example.com", "uuid": "<someuniqueuuid>"},
            m.Status(hostname="foo.example.com", uuid="<someuniqueuuid>"),
        ),
        ({"command": "start", "hostname": "", "uuid": "u"}, m.Start(uuid="u")),
        ({"command": "stop", "hostname": "", "uuid": "u"}, m.Stop(uuid="u")),
        ({"command": "kill", "hostname": "", "uuid": "u"}, m.Kill(uuid="u")),
        ({"command": "delete", "hostname": "", "uuid": "u"}, m.Delete(uuid="u")),
    ],
)
def test_requests_of_old_are_valid_as_they_stand(document, request_):
    command = document.pop("command")
    assert request_ == codec.request_in(command, document)


def test_the_status_document_has_the_keys_and_integers_of_old():
    item = Item(
        name="emailWorker",
        uuid="u",
        hostname="foo.example.com",
        pid=41,
        status=1,
        state="running",
        timestamp=1363691926.5,
        memory=4096,
        uptime=7,
    )
    [(host, [process])] = codec.batch_out(m.Batch(items=(item,)))["status"].items()
    assert host == "foo.example.com"
    old = {
        "name": "emailWorker",
        "uuid": "u",
        "pid": 41,
        "status": 1,
        "timestamp": "2013-03-19T11:18:46.500000Z",
        "memory": 4096,
        "uptime": 7,
    }
    assert old == {key: process[key] for key in old}


def test_the_response_of_old_can_be_read():
    old = {
        "name": "web",
        "uuid": "u",
        "pid": 0,
        "status": 4,
        "timestamp": "2013-03-19T11:18:46.565114224Z",
        "memory": 0,
        "uptime": 0,
        "hostname": "foo.example.com",
    }
    [item] = codec.batch_in({"status": {"foo.example.com": [old]}}).items
    assert (item.name, item.status, item.timestamp) == ("web", 4, 1363691926.565114)


# the status document ----------------------------------------------------------------------------------------------


def test_an_item_is_shown_whole():
    document = codec.batch_out(m.Batch(items=(Item(name="web", uuid="u", hostname="a"),)))
    assert document["status"]["a"][0] == {
        "name": "web",
        "uuid": "u",
        "hostname": "a",
        "pid": 0,
        "status": 3,
        "state": "notstarted",
        "detail": "registered",
        "timestamp": "1970-01-01T00:00:00.000000Z",
        "memory": 0,
        "cpu": 0.0,
        "uptime": 0,
        "why": {"code": "", "text": "", "by": "", "since": "1970-01-01T00:00:00.000000Z", "next": None},
        "ready": None,
        "restarts": 0,
        "group": "",
        "exit": None,
        "said": "",
        "metrics": {},
        "trouble": "",
    }


def test_an_exit_is_shown_whole():
    record = ExitRecord(
        code=None, signal="SIGKILL", at=1.5, uptime=2.0, usage=Usage(0.5, 0.25, 4096), escaped=(Stray(7, "x"),)
    )
    assert codec.unstructure(record) == {
        "code": None,
        "signal": "SIGKILL",
        "at": "1970-01-01T00:00:01.500000Z",
        "uptime": 2.0,
        "usage": {"user": 0.5, "system": 0.25, "max_rss": 4096},
        "by": "",
        "escaped": [{"pid": 7, "name": "x"}],
        "last_lines": [],
        "oom": False,
        "cause": "",
    }


def test_processes_stand_by_host_and_misses_beside_them():
    items = [Item(name=name, uuid=name, hostname=host) for name, host in (("x", "a"), ("y", "b"), ("z", "a"))]
    missed = m.Miss(target="w", code="denied", message="no")
    document = codec.reply_out(m.Batch(items=tuple(items), misses=(missed,)))
    assert {h: [i["name"] for i in its] for h, its in document["status"].items()} == {"a": ["x", "z"], "b": ["y"]}
    assert document["misses"] == [{"target": "w", "code": "denied", "message": "no"}]


def test_where_nothing_is_missed_nothing_is_said_of_it():
    assert codec.reply_out(m.Batch()) == {"status": {}}


def test_what_is_declared_can_be_told():
    detail = m.Detail(uuid="u", spec=ProcessSpec(name="web", command=("web",), stop=StopSpec(steps=())))
    batch = m.Batch(details=(detail,))
    assert batch == codec.reply_in(over_the_wire(codec.reply_out(batch)))


# strictness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "body", "text"),
    [
        ("status", {"hostname": None}, "expected str, got null at $.hostname"),
        ("status", {"uuid": 7}, "expected str, got int at $.uuid"),
        ("status", {"stats": 1}, "expected bool, got int at $.stats"),
        ("stop", {"grace": "10"}, "expected number, got str at $.grace"),
        ("stop", {"grace": True}, "expected number, got bool at $.grace"),
        ("signal", {"signal": 15}, "expected str, got int at $.signal"),
        ("signal", {}, "the field 'signal' is missing at $.signal"),
        ("logs", {"tail": 1.0}, "expected int, got number at $.tail"),
        ("heartbeat", {"items": {}}, "expected array, got object at $.items"),
        ("heartbeat", {"gone": ["u", 1]}, "expected str, got int at $.gone[1]"),
        ("add", {}, "the field 'spec' is missing at $.spec"),
        ("add", {"spec": "web"}, "expected object, got str at $.spec"),
        ("add", {"spec": {"name": "web"}}, "the field 'command' is missing at $.spec.command"),
        ("add", {"spec": {"name": "web", "command": ["a", 1]}}, "expected str, got int at $.spec.command[1]"),
        ("add", {"spec": {"name": "web", "command": "a b"}}, "expected array, got str at $.spec.command"),
        ("add", {"spec": {"name": "web", "command": [None]}}, "expected str, got null at $.spec.command[0]"),
    ],
)
def test_a_wrong_value_is_refused_by_path(command, body, text):
    assert text == refused(command, body)


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ({"instances": "2"}, "expected int, got str at $.spec.instances"),
        ({"instances": True}, "expected int, got bool at $.spec.instances"),
        ({"env": {"A": 5}}, "expected str, got int at $.spec.env['A']"),
        ({"env": [["A", "b"]]}, "expected object, got array at $.spec.env"),
        ({"restart": []}, "expected object, got array at $.spec.restart"),
        ({"restart": {"delay": [1]}}, "expected 2 elements, got 1 at $.spec.restart.delay"),
        ({"restart": {"delay": 1}}, "expected array, got int at $.spec.restart.delay"),
        ({"restart": {"delay": [1, "2"]}}, "expected number, got str at $.spec.restart.delay[1]"),
        ({"stop": {"steps": [["SIGTERM", "5"]]}}, "expected number, got str at $.spec.stop.steps[0][1]"),
        ({"stop": {"steps": ["SIGTERM"]}}, "expected array, got str at $.spec.stop.steps[0]"),
        ({"ready": {"port": "80"}}, "expected int, got str at $.spec.ready.port"),
    ],
)
def test_a_wrong_part_of_a_spec_is_refused_by_path(declared, text):
    assert text == spec_refused(**declared)


@pytest.mark.parametrize(
    ("declared", "place"),
    [
        ({"mode": "two"}, "$.spec.mode"),
        ({"restart": {"policy": True}}, "$.spec.restart.policy"),
        ({"ready": {}}, "$.spec.ready"),
        ({"ready": 80}, "$.spec.ready"),
    ],
)
def test_a_value_of_no_known_kind_is_refused_in_words(declared, place):
    text = spec_refused(**declared)
    assert text.endswith(f" at {place}")
    assert text.startswith("expected ")


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_number_that_is_not_finite_is_refused(number):
    assert refused("stop", {"grace": number}) == "expected a finite number at $.grace"


def test_a_number_without_end_is_refused():
    assert refused("stop", {"grace": 10**400}).endswith(" at $.grace")


def test_whole_numbers_are_numbers():
    assert m.Stop(name="web", grace=5.0) == codec.request_in("stop", {"name": "web", "grace": 5})


def test_unknown_fields_are_not_looked_at():
    assert m.Status() == codec.request_in("status", {"colour": "red", "deep": [{}]})


def test_an_unknown_command_is_refused_with_a_hint():
    assert refused("statsu", {}) == "unknown command 'statsu'; did you mean 'status'? at $.command"
    assert refused("frobnicate", {}) == "unknown command 'frobnicate' at $.command"


def test_a_long_unknown_command_is_not_said_back_whole():
    assert len(refused("x" * 10_000, {})) < 100


def test_a_key_that_looks_like_a_path_does_not_spoil_the_path():
    assert spec_refused(env={"a @ b": 5}) == "expected str, got int at $.spec.env['a @ b']"


# instants ---------------------------------------------------------------------------------------------------------


def at(text):
    return codec.structure({"since": text}, Why).since


@pytest.mark.parametrize(
    "text",
    [
        "2013-03-19T11:18:46.5Z",
        "2013-03-19T11:18:46.500000Z",
        "2013-03-19T12:18:46.5+01:00",
        "2013-03-19T11:18:46.500000000Z",
        "2013-03-19 11:18:46.5Z",
    ],
)
def test_an_instant_is_rfc_3339(text):
    assert at(text) == 1363691926.5


@pytest.mark.parametrize("value", [0, 1363691926.5, None, "", "now", "1363691926", "2013-13-01T00:00:00Z"])
def test_what_is_no_instant_is_refused(value):
    with pytest.raises(BadMessage, match=r"expected a time \(RFC 3339\).* at \$.since"):
        at(value)


@pytest.mark.parametrize("text", ["2013-03-19T11:18:46", "2013-03-19"])
def test_what_is_not_quite_an_instant_is_refused_too(text):
    with pytest.raises(BadMessage, match="RFC 3339"):
        at(text)


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00"]
)
def test_an_instant_that_cannot_be_said_again_is_refused(text):
    with pytest.raises(BadMessage, match="RFC 3339"):
        at(text)


@given(st.datetimes(timezones=st.timezones()).map(lambda when: when.isoformat()))
def test_every_instant_that_is_taken_can_be_said_again(text):
    try:
        why = codec.structure({"since": text}, Why)
    except BadMessage:
        return
    assert codec.unstructure(why)["since"].endswith("Z")


# replies and items ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "expected a reply at $"),
        ({"yes": {}}, "expected a reply at $"),
        ({"status": []}, "expected object, got array at $.status"),
        ({"status": {"a": [{}]}}, "the field 'name' is missing at $.status['a'][0].name"),
        ({"status": {}, "misses": {}}, "expected array, got object at $.misses"),
        ({"status": {}, "details": [1]}, "expected object, got int at $.details[0]"),
        ({"grant": {"token": "1"}}, "expected int, got str at $.grant.token"),
        ({"done": None}, "expected object, got null at $.done"),
    ],
)
def test_a_wrong_reply_is_refused_by_path(document, text):
    with pytest.raises(BadMessage) as caught:
        codec.reply_in(document)
    assert text == str(caught.value)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"type": "exploded"}, "expected an event at $.item.type"),
        ({"type": 1}, "expected an event at $.item.type"),
        ({"type": ["removed"]}, "expected an event at $.item.type"),
        ({"type": "snapshot"}, "the field 'time' is missing at $.item.time"),
        ({"text": 5}, "the field 'uuid' is missing at $.item.uuid"),
    ],
)
def test_a_wrong_item_is_refused_by_path(document, text):
    with pytest.raises(BadMessage) as caught:
        codec.item_in(document)
    assert text == str(caught.value)


def test_a_part_of_an_answer_without_processes_is_refused():
    with pytest.raises(BadMessage):
        codec.batch_in({})


KEYS = {
    "spec",
    "name",
    "command",
    "env",
    "restart",
    "stop",
    "steps",
    "status",
    "misses",
    "items",
    "type",
    "time",
    "ready",
}


def taken(read, *args):
    """What was read, or None if it was refused by a path."""
    try:
        return read(*args)
    except BadMessage as error:
        refusal = error
    assert refusal.path.startswith("$")
    return None


@given(command=st.sampled_from(sorted(m.REQUESTS)), body=documents(KEYS | {"hostname", "uuid", "signal", "leases"}))
def test_no_body_is_too_strange_for_a_request(command, body):
    request = taken(codec.request_in, command, body)
    assert request is None or type(request) is m.REQUESTS[command]


@given(documents(KEYS | set(m.REPLIES)))
def test_no_document_is_too_strange_for_a_reply(document):
    reply = taken(codec.reply_in, document)
    assert reply is None or codec.reply_in(over_the_wire(codec.reply_out(reply))) == reply


@given(documents(KEYS | {"process", "cursor", "old", "new", "uuid", "hostname", "stream", "text"}))
def test_no_document_is_too_strange_for_an_item(document):
    item = taken(codec.item_in, document)
    assert item is None or type(item) in {m.LogChunk, *m.EVENTS.values()}


def test_an_event_is_written_once_for_all_who_follow():
    event = m.Registered(time=1.0, cursor="e-1", process=Item(name="web", uuid="u", hostname="a"))
    text = codec.happening_text(event)
    assert codec.happening_text(event) is text
    assert load(text.encode()) == codec.item_out(event)
    assert codec.happening_text(m.Registered(time=1.0, cursor="e-2", process=event.process)) != text
