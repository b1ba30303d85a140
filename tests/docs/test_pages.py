"""What stands on the pages works: programs run, configurations are read, commands exist, links lead somewhere."""

import ast
import contextlib
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import anyio
import anyio.to_thread
import click
import pytest
from helpers import deadline, free_port

import procctl
from procctl.cli.main import procctl as command_line
from procctl.config.declared import check
from procctl.config.procfile import parse
from procctl.config.toml import read_document
from procctl.core.messages import REPLIES
from procctl.wire import codec, envelope

from .reading import DOCS, PAGES, ROOT, anchors, blocks, links

ENDLESS = 1.5
"""Seconds after which a program that would go on is cancelled."""


def _id(block):
    return block.name


# programs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("python"), ids=_id)
def test_python_is_python(block):
    compile(block.text, block.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.anyio
@pytest.mark.parametrize("block", blocks("python", "test"), ids=_id)
async def test_python_runs(block, monkeypatch, tmp_path):
    """It may use `await`, and these names: procctl, anyio, and agent, which is one that runs. 8000 is a free port."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"])
    text = block.text.replace("8000", str(free_port()))
    code = compile(text, block.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = {"procctl": procctl, "anyio": anyio, "__name__": "__main__"}
    out = io.StringIO()
    with contextlib.redirect_stdout(out), deadline():
        if not code.co_flags & inspect.CO_COROUTINE:
            await anyio.to_thread.run_sync(exec, code, names)
        elif _needs_agent(text):
            async with procctl.Agent() as agent:
                await _run(code, {**names, "agent": agent}, block.tags)
        else:
            await _run(code, names, block.tags)
    _check_printed(text, out.getvalue())


@pytest.mark.parametrize("block", blocks("python", "pytest"), ids=_id)
def test_tests_pass(block, tmp_path):
    """Files of tests, which need nothing but pytest and the plug-in of procctl."""
    (tmp_path / "test_page.py").write_text(block.text)
    plugin = ("-p", "procctl.testing.plugin", "-p", "no:cacheprovider")
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-o", "addopts=-q", *plugin, "test_page.py"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^{block.text.count('async def test_')} passed", done.stdout, re.MULTILINE)


def _needs_agent(text):
    names = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name) and node.id == "agent"]
    return bool(names) and not any(isinstance(node.ctx, ast.Store) for node in names)


async def _run(code, names, tags):
    with anyio.move_on_after(ENDLESS if "endless" in tags else None):
        await eval(code, names)


def _check_printed(text, printed):
    """What a comment behind a print says is printed, in this order."""
    left = iter(printed.splitlines())
    for wanted in re.findall(r"^ *print\(.*\)  # (.*)$", text, re.MULTILINE):
        assert wanted in left, f"{wanted!r} is not in {printed!r}"


# configurations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("toml"), ids=_id)
def test_toml_is_a_configuration(block, tmp_path):
    (tmp_path / ".env").write_text("LEVEL=debug\n")
    check(read_document(tomllib.loads(block.text), tmp_path / "procctl.toml"))


@pytest.mark.parametrize("block", blocks("text", "procfile"), ids=_id)
def test_procfile_is_a_procfile(block):
    assert {"release", "web", "worker"} <= {entry.name for entry in parse(block.text)}


# commands -------------------------------------------------------------------------------------------------------


def _commands():
    for block in blocks("console"):
        for line in block.text.splitlines():
            match = re.match(r"\$ (?:sudo -u \w+ )?procctl (.*?)(?: [|>].*)?$", line)
            if match:
                yield pytest.param(match[1], id=f"{block.name} {match[1]}")


@pytest.mark.parametrize("arguments", list(_commands()))
def test_command_is_one(arguments):
    command, args, context = command_line, shlex.split(arguments, comments=True), None
    name = "procctl"
    while True:
        context = command.make_context(name, args, parent=context)
        if not isinstance(command, click.Group):
            return
        name, command, args = command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None


# frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("json", "frames"), ids=_id)
def test_frames_are_frames(block):
    for line in block.text.splitlines():
        got = envelope.open_envelope(envelope.load(line.encode()))
        if got.command:
            codec.request_in(got.command, got.body)
        elif got.item is not None:
            codec.item_in(got.item)
        elif got.error is not None:
            codec.reply_in({"error": got.error})
        elif got.re is not None and not (got.is_lost or got.end):
            codec.reply_in(got.body)
            assert set(got.body) <= {*REPLIES, "misses", "details", "answers"}
        else:
            assert got.to or got.is_lost or got.end or "status" in got.body


# places ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in links(page.read_text()):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text()), target


def test_every_page_is_in_a_table_of_contents():
    listed = set()
    for page in PAGES:
        for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            lines = [line for line in block.split("\n") if line and not line.startswith(":")]
            listed |= {(page.parent / f"{line}.md").resolve() for line in lines}
    assert listed == set(PAGES) - {DOCS / "index.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_that_are_named_exist(page):
    for name in re.findall(r"`((?:procctl|examples|docs|tests)/[\w./]+)`", page.read_text()):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"```\{literalinclude\} (\S+)", page.read_text()):
        assert (page.parent / name).is_file(), name
