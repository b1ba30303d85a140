"""The reference has everything that there is, and nothing that is not: compared with the code."""

import re
import tomllib

import attrs
import click
import pytest

import procctl
from procctl.abc import Traits
from procctl.cli import exits
from procctl.cli.main import procctl as command_line
from procctl.config.keys import CONFIG
from procctl.core import messages, records, replies
from procctl.core.states import Phase, State
from procctl.gateways.http.problems import STATUS
from procctl.gateways.http.routes import ROUTES, TARGET, Answered
from procctl.gateways.http.streams import LineDocument
from procctl.testing import Promise
from procctl.wire.envelope import MAX_DEPTH
from procctl.wire.ledger import MAX_OPEN, PART

from .reading import ROOT, blocks, page, rows, section, words

SOURCE = {path: path.read_text() for path in (ROOT / "procctl").rglob("*.py")}


# configuration --------------------------------------------------------------------------------------------------


GROUPS = {"agent", "auth", "policy", "process"}
"""Tables that have a section of the page instead of a row."""


def _keys(schema, path=""):
    """The paths of all keys of a schema: ``process.NAME.restart.policy``."""
    for name, inner in schema.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        if place not in GROUPS:
            yield place
        yield from _keys(inner, place)
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        yield from _keys(more, f"{path}.NAME")
    if "items" in schema:
        yield from _keys(schema["items"], f"{path}[]")
    for kind in schema.get("anyOf", ()):
        yield from _keys(kind, path)


def _documented_keys():
    return [words(row[0])[0] for row in rows(page("reference/configuration.md"))]


def test_every_key_of_the_configuration_once():
    documented = _documented_keys()
    assert len(documented) == len(set(documented))
    assert set(documented) == set(_keys(CONFIG.schema))


def _used(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "NAME" if path == "process" else key
            place = f"{path}.{name}" if path else name
            yield place
            yield from _used(inner, place)
    elif isinstance(value, list):
        for inner in value:
            yield from _used(inner, f"{path}[]")


def test_the_long_example_uses_every_key():
    (example,) = (block.text for block in blocks("toml") if block.page.name == "declare.md")
    assert set(_documented_keys()) - set(_used(tomllib.loads(example))) == set()


# command line ---------------------------------------------------------------------------------------------------


def _tree(group, prefix=""):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _tree(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(_tree(command_line))
COMMON = {o for p in command_line.params for o in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}


def _options(text):
    return {option.split()[0] for row in rows(text) for option in words(row[0])}


def test_every_command_has_a_section():
    text = page("reference/cli.md")
    documented = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert set(documented) == set(COMMANDS)
    assert "`ls` is the same" in section(text, "ps")


def test_options_of_every_command():
    assert _options(section(page("reference/cli.md"), "Options of every command")) == COMMON


@pytest.mark.parametrize("name", COMMANDS)
def test_options(name):
    params = [p for p in COMMANDS[name].params if isinstance(p, click.Option)]
    own = {o for p in params for o in (*p.opts, *p.secondary_opts)} - COMMON
    text = section(page("reference/cli.md"), name)
    assert _options(text) - COMMON == own
    assert ("No options of its own." in " ".join(text.split())) == (not own)
    assert f"procctl {name} [OPTIONS]" in text


def test_exit_codes():
    documented = {int(row[0]) for row in rows(page("reference/exit-codes.md"))}
    assert documented == {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}


# protocol and records -------------------------------------------------------------------------------------------

PROTOCOL = page("reference/protocol.md")
RECORDS = page("reference/records.md")


def _first(text):
    return [word for row in rows(text) for word in words(row[0])]


def test_envelope():
    assert sorted(_first(section(PROTOCOL, "Envelope"))) == sorted(messages.RESERVED)


def test_verbs_and_their_fields():
    table = {words(row[0])[0]: row for row in rows(section(PROTOCOL, "Verbs"))}
    assert set(table) == set(messages.REQUESTS)
    target = {a.name for a in messages.Target.__attrs_attrs__}
    for verb, kind in messages.REQUESTS.items():
        fields = {a.name for a in kind.__attrs_attrs__}
        if "*target*" in table[verb][1]:
            assert target <= fields
            fields -= target
        assert set(words(table[verb][1])) == fields, verb
        kinds = {reply.kind for reply in getattr(kind, "replies", ())}
        assert set(words(table[verb][2])) == kinds, verb


def test_until():
    assert tuple(_first(section(PROTOCOL, "Until"))) == messages.UNTIL


def test_numbers():
    for number in (MAX_DEPTH, MAX_OPEN, PART):
        assert f"{number:,} " in PROTOCOL


def test_every_code_that_the_source_has_is_documented():
    documented = {*_first(section(PROTOCOL, "Errors")), *_whys()}
    text = "\n".join(text for path, text in SOURCE.items() if "cli" not in path.parts)
    used = set(re.findall(r'\bcode="([a-z-]+)"', text)) | set(
        re.findall(r'(?:Refused|NoSuchTarget|_why|Settle\(\w+(?:\.key)?,)\(? ?"([a-z-]+)"', text)
    )
    assert used - documented == set()


def test_every_code_that_is_documented_is_in_the_source():
    for code in {*_first(section(PROTOCOL, "Errors")), *_whys()}:
        assert any(f'"{code}"' in text for text in SOURCE.values()), code


def _whys():
    return [row[0].strip("`") for row in rows(section(RECORDS, "Why")) if row[0].strip("`") not in _fields(records.Why)]


def _fields(kind):
    return {a.name for a in kind.__attrs_attrs__}


@pytest.mark.parametrize(
    ("heading", "kind"), [("Item", records.Item), ("Exit record", records.ExitRecord)], ids=["item", "exit"]
)
def test_fields(heading, kind):
    assert set(_first(section(RECORDS, heading))) == _fields(kind)


def test_states():
    table = {words(row[0])[0]: row for row in rows(section(RECORDS, "State"))}
    assert {name: int(row[1]) for name, row in table.items()} == {state.word: state.value for state in State}
    details = {phase.detail: phase.state.word for phase in Phase}
    shown = {detail: name for name, row in table.items() for detail in words(row[2])}
    assert shown == {**details, **dict.fromkeys(("watchdog-lost", "heartbeat-lost", "agent-lost"), "notresponding")}


# python and the rest --------------------------------------------------------------------------------------------


def test_every_public_name_is_documented():
    text = page("reference/api.md")
    for name in procctl.__all__:
        assert re.search(rf"procctl\.{name}\b|`{name}`", text), name
    for name in procctl.errors.__all__:
        assert name == "refusal" or f".. autoexception:: {name}\n" in text, name


def test_replies_that_people_see_are_documented():
    assert replies.AgentInfo.__name__ in page("reference/api.md")


def test_every_environment_variable_is_documented():
    text = page("reference/environment.md")
    for source in SOURCE.values():
        for name in re.findall(r"\b(PROCCTL_[A-Z]+|B0_HOST_ID|XDG_RUNTIME_DIR|NO_COLOR|FORCE_COLOR)\b", source):
            assert f"`{name}`" in text, name


REST = page("reference/rest.md")


def test_every_operation_and_its_parameters():
    table = {(words(row[0])[0], words(row[1])[0]): row for row in rows(section(REST, "Operations"))}
    assert {(route.method, route.path) for route in ROUTES} == table.keys()
    for route in ROUTES:
        row = table[route.method, route.path]
        targets = set(TARGET) if "*target*" in row[2] else set()
        assert targets | set(words(row[2])) == {*route.query, *route.more}, route.name
        assert set(words(row[3])) == set(route.body), route.name
        assert row[4] == route.says


def test_every_status_of_a_code():
    table = {int(row[0]): set(words(row[1])) for row in rows(section(REST, "Errors"))}
    assert {code: status for status, codes in table.items() for code in codes} == STATUS
    assert set(STATUS) - {"failed-everywhere"} <= set(_first(section(PROTOCOL, "Errors")))


def test_what_a_line_and_an_answer_have():
    answers = section(REST, "Answers")
    assert _first(answers) == [field.name for field in attrs.fields(Answered)]
    assert {field.name for field in attrs.fields(LineDocument)} <= set(words(answers))


def test_every_ring_is_documented():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    documented = [words(row[0]) for row in rows(page("explanation/house.md"))]
    assert documented == [re.split(r"\s*\|\s*", layer) for layer in layers]


def test_every_promise_and_trait_of_a_transport():
    text = page("howto/transports.md")
    promises = [(words(row[0])[0], row[1]) for row in rows(section(text, "The test"))]
    assert promises == [(promise.name, promise.value) for promise in Promise]
    assert _first(section(text, "The class")) == [field.name for field in attrs.fields(Traits)]
