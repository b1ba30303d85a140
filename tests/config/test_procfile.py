"""Procfiles: our own rules, and honcho's word for what both understand."""

import pytest

from procctl.config.lookup import load
from procctl.config.procfile import parse
from procctl.errors import BadConfig

honcho = pytest.importorskip("honcho.environ")


@pytest.fixture
def procfile(tmp_path, monkeypatch):
    monkeypatch.delenv("PORT", raising=False)

    def read(text, env=None):
        (tmp_path / "Procfile").write_text(text)
        if env is not None:
            (tmp_path / ".env").write_text(env)
        return {spec.name: spec for spec in load(None, tmp_path).processes}

    return read


@pytest.mark.parametrize(
    "text",
    [
        "web: python app.py\nworker: python worker.py --queue high\n",
        "# comment\n\nweb: run me\n",
        "web:run\nmy-worker_2: run that\n",
        "web: echo 'a b' \"c d\"\n",
        "web: echo a:b:c\n",
    ],
)
def test_what_honcho_understands(text):
    expected = dict(honcho.parse_procfile(text).processes)
    assert {entry.name: entry.command for entry in parse(text)} == expected


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("web: run 'a b' c", ("run", "a b", "c")),
        ("web: run $PORT", ("/bin/sh", "-c", "run $PORT")),
        ("web: a | b", ("/bin/sh", "-c", "a | b")),
        ("web: exec run it", ("/bin/sh", "-c", "exec run it")),
        ("web: a \\\n  b", ("a", "b")),
        ("web: KEY=value run", ("run",)),
        ("web: env KEY=value run", ("run",)),
    ],
)
def test_commands(procfile, text, command):
    assert procfile(text)["web"].command == command


def test_variables(procfile):
    env = procfile("web: A=1 B='two words' run\n", env="B=file\nC=three\n")["web"].env
    assert env == {"PORT": "5000", "A": "1", "B": "two words", "C": "three"}


def test_ports(procfile, monkeypatch):
    text = "release: x\na: x\nb: x\n"
    assert {name: spec.env["PORT"] for name, spec in procfile(text).items() if name != "release"} == {
        "a": "5000",
        "b": "5100",
    }
    monkeypatch.setenv("PORT", "8000")
    assert procfile(text)["b"].env["PORT"] == "8100"
    assert procfile(text, env="PORT=9000\n")["b"].env["PORT"] == "9100"


def test_the_release_line(procfile):
    specs = procfile("web: x\nrelease: y\n")
    assert (specs["web"].depends_on, specs["release"].depends_on) == ({"release": "succeeded"}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web sleep", 'Line 1: expected "name: command"'),
        ("\n\n: x", "Line 3: '' is no process name"),
        ("all: x", "Line 1: 'all' is no process name"),
        ("a: x\na: y", 'Line 2: duplicate process type "a": already appears on line 1'),
        ("a:", 'Line 1: the command of "a" is missing'),
        ("a: run 'x", "Line 1: "),
        ("", "declares no process"),
    ],
)
def test_what_cannot_be_used(procfile, text, message):
    with pytest.raises(BadConfig, match=message):
        procfile(text)


def test_a_port_that_is_none(procfile):
    with pytest.raises(BadConfig, match="PORT=x is no port"):
        procfile("web: x", env="PORT=x\n")


def test_what_is_not_utf8(tmp_path):
    (tmp_path / "Procfile").write_bytes(b"web: \xff\n")
    with pytest.raises(BadConfig, match="not UTF-8"):
        load(None, tmp_path)
