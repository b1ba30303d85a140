"""procctl.toml: every key, what is wrong with it, where it is looked for, and its schema."""

import tomllib
from pathlib import Path

import jsonschema
import pytest

from procctl import HooksSpec, LogSpec, ProcessSpec, RestartSpec, StopSpec, ready
from procctl.config.lookup import load
from procctl.config.schema import schema
from procctl.config.units import duration, show_duration, size
from procctl.core.specs import ReadyMessage, WatchdogSpec
from procctl.errors import BadConfig

WHOLE = """
version = 1
include = ["conf.d/*.toml"]
[agent]
name = "web-01"
listen = ["unix:///run/x.sock"]
join = "unix:///run/c.sock"
[[policy]]
match = "*Worker"
hosts = ["a.*"]
mode = "one"
approve = "ask"
within = "10m"
[process.db]
command = "run db"
[process.web]
command = ["python", "-m", "web"]
cwd = "srv"
env = { PORT = "8000" }
env_file = [".env"]
group = "mail"
instances = 2
mode = "one"
scope = "host"
admission = true
restart = { policy = "always", backoff = "1s..1m", jitter = 0.1, limit = "none", window = "5m", reset = 7 }
stop = { steps = [["INT", "5s"], ["term", 1]] }
depends_on = { db = "ready" }
ready = { tcp = "localhost:8000", every = "50ms", timeout = "30s" }
logs = { file = "logs/x.log", ring = "2MiB" }
"""


@pytest.fixture
def toml(tmp_path):
    def read(text, name="procctl.toml"):
        (tmp_path / name).write_text(text)
        return load(None, tmp_path)

    return read


def test_the_controller_may_stand_in_a_list(toml):
    assert "unix:///c" == toml('[agent]\njoin = ["unix:///c"]').join == toml('[agent]\njoin = "unix:///c"').join
    assert "" == toml("[agent]\njoin = []").join


def test_every_key(toml, tmp_path):
    (tmp_path / ".env").write_text("PORT=1\nMORE=x\n")
    declared = toml(WHOLE)
    assert (declared.name, declared.listen, declared.join) == ("web-01", ("unix:///run/x.sock",), "unix:///run/c.sock")
    assert len(declared.policies) == 1
    assert declared.processes[1] == ProcessSpec(
        name="web",
        command=("python", "-m", "web"),
        cwd=str(tmp_path / "srv"),
        env={"PORT": "8000", "MORE": "x"},
        group="mail",
        instances=2,
        mode="one",
        scope="host",
        admission=True,
        restart=RestartSpec(policy="always", delay=(1, 60), jitter=0.1, limit=None, window=300, reset=7),
        stop=StopSpec(steps=(("SIGINT", 5.0), ("SIGTERM", 1.0))),
        depends_on={"db": "ready"},
        ready=ready.tcp(8000, "localhost", every=0.05, timeout=30),
        logs=LogSpec(file="logs/x.log", ring=2 << 20),
    )


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ("command = \"run 'a b'\"", "command", ("run", "a b")),
        ('command = "a | b"\nshell = true', "command", ("/bin/sh", "-c", "a | b")),
        ('command = "x"\nrestart = "always"', "restart", RestartSpec(policy="always")),
        ('command = "x"\nrestart = { backoff = 3 }', "restart", RestartSpec(delay=(3, 3))),
        ('command = "x"\nstop = { signal = "INT", grace = "1m" }', "stop", StopSpec(steps=(("SIGINT", 60.0),))),
        ('command = "x"\nready = { tcp = 80 }', "ready", ready.tcp(80)),
        ('command = "x"\nready = { log = "up" }', "ready", ready.log("up")),
        ('command = "x"\nready = { command = "a b" }', "ready", ready.command(["a", "b"])),
    ],
)
def test_other_ways_to_say_it(toml, line, field, expected):
    assert getattr(toml(f"[process.web]\n{line}\n").processes[0], field) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[process.web]\ncommnad = "x"', "unknown key 'commnad' at process.web.commnad .did you mean 'command'"),
        ("[proces.web]\n", "unknown key 'proces' at proces .did you mean 'process'"),
        ("[process.web]\n", "the key 'command' is missing at process.web.command"),
        ("[process.web]\ncommand = 7", "at process.web.command"),
        ('[process.web]\ncommand = ""', "the command is empty at process.web.command"),
        ('[process.web]\ncommand = ["x", 7]', r"expected a text, got 7 at process.web.command\[1\]"),
        (
            '[process.web]\ncommand = "x"\ninstances = true',
            "expected a whole number, got True at process.web.instances",
        ),
        ('[process.web]\ncommand = "x"\ninstances = 0', "expected 1 to 10000, got 0 at process.web.instances"),
        ('[process.web]\ncommand = "x"\nrestart = "alway"', "did you mean 'always'"),
        (
            '[process.web]\ncommand = "x"\nready = {}',
            "expected one of .* and message at process.web.ready",
        ),
        ('[process.web]\ncommand = "x"\nready = { tcp = 99999 }', "expected a port"),
        ('[process.web]\ncommand = "x"\nstop = { signal = "NONE" }', "'NONE' is no signal at process.web.stop.signal"),
        ('[process.web]\ncommand = "x"\nstop = { grace = "soon" }', "'soon' is no duration"),
        ('[process.web]\ncommand = "x"\ndepends_on = ["bd"]\n[process.db]\ncommand = "x"', "did you mean 'db'"),
        ('[process.a]\ncommand = "x"\ndepends_on = ["b"]\n[process.b]\ncommand = "x"\ndepends_on = ["a"]', "circle"),
        ("version = 2", "version 2 is not known"),
        ("process = 7", "expected a table, got 7 at process"),
        ("x = ", "Invalid value"),
        ("[[policy]]", r"a policy that says nothing at policy\[0\] \(it needs hosts, mode or approve\)"),
        ("[[policy]]\nmatch='x'\nmode='one'\n[[policy]]\nmatch='y'", r"a policy that says nothing at policy\[1\]"),
        ("[[policy]]\nhosts=[]", r"no host is named, so it would refuse them all at policy\[0\].hosts"),
        ("[[policy]]\nmode='one'\nwithin='5m'", r"nobody is asked, so nobody needs time at policy\[0\].within"),
        ("[agent]\njoin=['unix:///a', 'unix:///b']", "an agent joins one controller, and there are 2 at agent.join"),
    ],
)
def test_what_is_wrong_says_where(toml, text, message):
    with pytest.raises(BadConfig, match=message):
        toml(text)


def test_included_files(toml, tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text('[process.a]\ncommand = "x"\n')
    declared = toml('include = ["conf.d/*.toml"]\n[process.b]\ncommand = "x"\n')
    assert {spec.name: spec.cwd for spec in declared.processes} == {"b": str(tmp_path), "a": str(tmp_path / "conf.d")}
    with pytest.raises(BadConfig, match="is declared in"):
        toml('include = ["conf.d/*.toml"]\n[process.a]\ncommand = "x"\n')
    (tmp_path / "conf.d" / "a.toml").write_text('[agent]\nname = "x"\n')
    with pytest.raises(BadConfig, match="declares processes and nothing else"):
        toml('include = ["conf.d/*.toml"]\n')


def test_the_order_in_which_it_is_looked_for(tmp_path, monkeypatch):
    with pytest.raises(BadConfig, match="there is no configuration"):
        load(None, tmp_path)
    (tmp_path / "Procfile").write_text("procfile: x\n")
    found = [load(None, tmp_path).processes[0].name]
    (tmp_path / "pyproject.toml").write_text('[tool.procctl.process.pyproject]\ncommand = "x"\n')
    found.append(load(None, tmp_path).processes[0].name)
    (tmp_path / "procctl.toml").write_text('[process.toml]\ncommand = "x"\n')
    found.append(load(None, tmp_path).processes[0].name)
    (tmp_path / "env.toml").write_text('[process.env]\ncommand = "x"\n')
    monkeypatch.setenv("PROCCTL_CONFIG", str(tmp_path / "env.toml"))
    found.append(load(None, tmp_path).processes[0].name)
    found.append(load(str(tmp_path / "Procfile"), tmp_path).processes[0].name)
    assert found == ["procfile", "pyproject", "toml", "env", "procfile"]
    with pytest.raises(BadConfig, match="there is no"):
        load(str(tmp_path / "nothing.toml"), tmp_path)


def test_the_schema_takes_what_is_right():
    jsonschema.Draft202012Validator.check_schema(schema())
    shop = Path(__file__).parents[2] / "examples" / "shop" / "procctl.toml"
    for text in (WHOLE, shop.read_text()):
        jsonschema.validate(tomllib.loads(text), schema())


@pytest.mark.parametrize(
    "text",
    ["[process.web]\n", '[process.web]\ncommnad = "x"', "[process.web]\ncommand = 7", "colour = 1",
     '[process.web]\ncommand = "x"\nmode = "two"', '[process.web]\ncommand = "x"\ninstances = "2"'],
)  # fmt: skip
def test_the_schema_refuses_what_is_wrong(text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema())


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("500ms", 0.5), ("1m30s", 90), ("2h", 7200), ("1d", 86400), ("7", 7), (1.5, 1.5)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1x", "s", "1s x", -1, 1e10, float("nan")])
def test_no_durations(text):
    with pytest.raises(ValueError):
        duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "500ms"), (90, "1m30s"), (3600, "1h"), (0, "0ms"), (86401, "1d1s")]
)
def test_durations_shown(seconds, text):
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "bytes_"), [("4096", 4096), ("10k", 10_000), ("10kB", 10_000), ("1KiB", 1024), ("1.5GiB", 3 << 29), (7, 7)]
)
def test_sizes(text, bytes_):
    assert size(text) == bytes_


@pytest.mark.parametrize("text", ["", "x", "-1", "1xB", -1])
def test_no_sizes(text):
    with pytest.raises(ValueError):
        size(text)


def test_credentials_are_files_beside_the_file(toml, tmp_path):
    text = (
        '[auth]\ntoken_file = "known"\ntls = { cert = "/c.pem", key = "k/key.pem" }\namqp = { password_file = "pw" }\n'
    )
    found = toml(text).auth
    assert found.password_file == str(tmp_path / "pw")
    assert (found.token_file, found.cert, found.key, found.ca) == (
        str(tmp_path / "known"),
        "/c.pem",
        str(tmp_path / "k" / "key.pem"),
        "",
    )
    assert toml("").auth.token_file == ""


def test_certificates_have_no_other_keys(toml):
    with pytest.raises(BadConfig, match=r"unknown key 'pem' at auth\.tls\.pem"):
        toml('[auth]\ntls = { pem = "x" }\n')


@pytest.mark.parametrize(
    ("text", "hooks"),
    [
        ("", None),
        ("hooks = false", None),
        ("hooks = true", HooksSpec()),
        ('hooks = { timeout = "30s" }', HooksSpec(timeout=30.0)),
        ('hooks = { on_timeout = "fail" }', HooksSpec(on_timeout="fail")),
    ],
)
def test_hooks(toml, text, hooks):
    (spec,) = toml(f'[process.web]\ncommand = "x"\n{text}').processes
    assert spec.hooks == hooks


@pytest.mark.parametrize(
    ("text", "watchdog"),
    [
        ("", None),
        ("watchdog = {}", WatchdogSpec()),
        ('watchdog = { every = "5s", on_silence = "kill" }', WatchdogSpec(every=5.0, on_silence="kill")),
    ],
)
def test_a_watchdog(toml, text, watchdog):
    (spec,) = toml(f'[process.web]\ncommand = "x"\n{text}').processes
    assert (spec.watchdog, spec.channel) == (watchdog, watchdog is not None)


def test_a_channel_without_hooks(toml):
    (spec,) = toml('[process.web]\ncommand = "x"\nready = { message = true }\nstop = { signal = "shutdown" }').processes
    assert (spec.ready, spec.stop.steps) == (ReadyMessage(message="ready"), (("shutdown", 10.0),))
    assert spec.channel
