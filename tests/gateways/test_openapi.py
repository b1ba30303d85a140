"""The document is valid, its schemas are right, and the real application keeps to it."""

import os
import subprocess
import sys
from typing import Annotated, Any, get_args, get_origin

import attrs
import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from procctl.core import messages
from procctl.core.records import ExitRecord, Item, Json
from procctl.core.specs import LogSpec, ReadyCommand, ReadyLog, ReadyTcp, RestartSpec, StopSpec
from procctl.gateways.http.openapi import document
from procctl.gateways.http.routes import ROUTES
from procctl.gateways.http.schemas import Schemas, kinds_of
from procctl.wire.codec import unstructure

from .asking import add

pytestmark = pytest.mark.anyio


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(document()).validate()


def test_every_command_of_people_has_a_route():
    between = {"hello", "heartbeat", "goodbye"}
    routed = {route.command for route in ROUTES} | {"approve", "deny"}
    verbs = {verb for verb in messages.REQUESTS if not verb.startswith("lease.")} - between
    assert {verb for verb in verbs if verb in messages.REQUESTS} - routed <= {"hosts"} - messages.REQUESTS.keys()


def test_every_route_once():
    assert len({(route.method, route.path) for route in ROUTES}) == len({route.name for route in ROUTES}) == len(ROUTES)


def _plain(schema, defs):
    """What both generators say, in one way."""
    if "$ref" in schema:
        return {"ref": schema["$ref"].rpartition("/")[2]}
    if "anyOf" in schema:
        return {"any": sorted((_plain(kind, defs) for kind in schema["anyOf"]), key=repr)}
    if "enum" in schema:
        return {"enum": sorted(schema["enum"])}
    kind = schema.get("type")
    if kind == "array" and "prefixItems" in schema:
        return {"tuple": [_plain(part, defs) for part in schema["prefixItems"]]}
    if kind == "array":
        return {"array": _plain(schema["items"], defs)}
    if kind == "object" and "properties" in schema:
        fields = {name: _plain(field, defs) for name, field in schema["properties"].items()}
        return {"fields": fields, "required": sorted(schema.get("required", ()))}
    if kind == "object":
        inner = schema.get("additionalProperties")
        return {"map": _plain(inner, defs) if isinstance(inner, dict) else {}}
    return {"type": "number" if schema.get("format") == "date-time" else kind}


CLASSES = [*messages.REQUESTS.values(), *messages.REPLIES.values(), *messages.EVENTS.values()]
CLASSES += [Item, ExitRecord, RestartSpec, StopSpec, LogSpec, ReadyTcp, ReadyLog, ReadyCommand]
UNTAGGED = (
    messages.Add,
    messages.Adopt,
    messages.Batch,
)  # the other one tells kinds of objects apart by tags only


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls not in UNTAGGED], ids=lambda cls: cls.__name__)
def test_schemas_are_those_of_another_generator(cls):
    ours = Schemas("#/$defs/")
    ours.of(cls)
    _, theirs = msgspec.json.schema_components([_as_struct(cls)])
    names = set(theirs) & set(ours.components)
    assert cls.__name__ in names
    for name in names:
        assert _plain(ours.components[name], ours.components) == _plain(theirs[name], theirs), name


_STRUCTS = {}


def _as_struct(cls):
    """The class for msgspec, which reads attrs fields, without the type parameters of its base."""
    if cls in _STRUCTS:
        return _STRUCTS[cls]
    kinds = kinds_of(cls)
    fields = []
    for field in attrs.fields(cls):
        kind = _swapped(kinds[field.name])
        given = () if field.default is attrs.NOTHING else (msgspec.UNSET,)
        fields.append((field.name, kind, *given))
    _STRUCTS[cls] = msgspec.defstruct(cls.__name__, fields, kw_only=True)
    return _STRUCTS[cls]


def _swapped(kind):
    if kind == Json:
        return Any
    if attrs.has(kind):
        return _as_struct(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _swapped(args[0])
    if origin is tuple:
        return tuple[tuple(arg if arg is ... else _swapped(arg) for arg in args)]
    if origin is dict:
        return dict[args[0], _swapped(args[1])]
    if type(kind).__name__ == "UnionType" or str(origin) == "typing.Union":
        swapped = [_swapped(arg) for arg in args]
        whole = swapped[0]
        for more in swapped[1:]:
            whole = whole | more
        return whole
    return kind


async def test_an_item_fits_its_schema(rest):
    item = await add(rest, "job", ["sh", "-c", "exit 3"])
    item = (await rest.get(f"/processes/{item['uuid']}?until=exit")).json()
    schema = {"$ref": "#/components/schemas/Item", "components": document()["components"]}
    Draft202012Validator(schema).validate(item)
    assert item["exit"]["code"] == 3
    batch = (await rest.get("/processes?detail=true")).json()
    schema["$ref"] = "#/components/schemas/Answered"
    Draft202012Validator(schema).validate(batch)
    assert batch["details"][0]["spec"]["name"] == "job"


async def test_the_document_is_served(rest):
    answer = await rest.get("/openapi.json")
    assert answer.json() == document()
    assert unstructure(answer.json()) == document()


def test_the_application_keeps_to_it(tmp_path):
    """Generated requests, good and bad, to a real listener: no error of ours, and answers as they are documented."""
    program = tmp_path / "fuzz.py"
    program.write_text(FUZZ)
    done = subprocess.run(
        [sys.executable, "-P", str(program), *(THOROUGHLY if "PROCCTL_FUZZ" in os.environ else QUICKLY)],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "Test cases:" in done.stdout


QUICKLY = ("--phases", "fuzzing", "-n", "1")
THOROUGHLY = ("--phases", "examples,coverage,fuzzing", "-n", "20")

FUZZ = """
import sys, anyio, procctl
from procctl.link.door import Door
from procctl.link.reception import Reception
from gateways.asking import Known

plain = Reception.__init__
Reception.__init__ = lambda self, service, attach, *_, **__: plain(
    self, service, attach, lambda *_: Door(credentials=Known())
)
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,unsupported_method,ignored_auth"
)

async def main():
    async with procctl.Agent("here", listen="http://127.0.0.1:0") as agent:
        words = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{agent.urls[0]}/openapi.json"),
            *("-H", "Authorization: Bearer owns", "--checks", CHECKS, "--request-timeout", "10"),
            *("--exclude-path", "/agent/stop", "--exclude-path-regex", "^/events$|logs$"),
            *("--generation-database", "none", "--seed", "1", "--no-color", "--max-failures", "5", *sys.argv[1:]),
        ]
        done = await anyio.run_process(words, check=False, stdout=None, stderr=None)
        sys.exit(done.returncode)

anyio.run(main)
"""
