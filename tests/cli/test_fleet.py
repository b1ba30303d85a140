"""A fleet by hand: tokens, a controller, agents that join it, hosts."""

import os
import re
import signal

import pytest

from .running import settled

pytestmark = pytest.mark.in_turn


@pytest.fixture
def home(cli):
    """Nothing of this machine's user is found."""
    cli.env.pop("XDG_CONFIG_HOME", None)
    cli.env.pop("PROCCTL_TOKEN_FILE", None)
    return cli.folder / ".config" / "procctl"


def mode(path):
    return os.stat(path).st_mode & 0o777


def test_a_token_is_in_a_file_and_its_path_is_printed(cli, home):
    assert cli("token", "new", "--out", "t").stdout == "t\n"
    assert mode(cli.folder / "t") == 0o600
    words = (cli.folder / "t").read_text().split()
    assert (words[0], words[2:]) == ("token", ["for=owner", "can=owner"])
    assert "is there already" in cli("token", "new", "--out", "t", code=2).stderr
    assert (cli.folder / "t").read_text().split() == words


def test_tokens_for_others(cli, home):
    said = cli("token", "new", "--for", "ann", "--can", "viewer,role:ops", "--expires", "30d", "--add-to", "known")
    assert said.stdout == f"{home / 'ann.token'}\n"
    cli("token", "new", "--for", "web-01", "--can", "agent", "--add-to", "known")
    own, known = (home / "ann.token").read_text().split(), (cli.folder / "known").read_text().splitlines()
    assert (own[3], known[0].split()[2:]) == ("can=role:ops,viewer", own[2:])
    assert (own[1] in "".join(known), known[1].split()[2:]) == (False, ["for=web-01", "can=agent"])
    assert [mode(path) for path in (home / "ann.token", cli.folder / "known", home)] == [0o600, 0o600, 0o700]
    assert cli.json("token", "new", "--out", "x")["items"] == ["x"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--can", "vewer"], "did you mean 'viewer'"),
        (["--expires", "soon"], "soon"),
        (["--add-to", "/proc/1/none"], "cannot write"),
    ],
)
def test_what_is_no_token(cli, home, words, text):
    assert text in cli("token", "new", *words, code=2).stderr


def test_dry_run_writes_nothing(cli, home):
    assert "would write" in cli("token", "new", "--dry-run").stderr
    assert not home.exists()


def test_a_fleet_by_hand(cli, home):
    cli("token", "new", "--for", "north", "--can", "agent", "--add-to", "known")
    cli("token", "new", "--for", "ann", "--can", "viewer", "--add-to", "known")
    cli.write(
        "controller.toml",
        '[auth]\ntoken_file = "known"\n[[policy]]\nmatch = "no"\napprove = "deny"\n',
    )
    cli.write(
        "north.toml",
        f'[agent]\nname = "north"\njoin = "unix://{cli.folder}/net?as=nobody"\n'
        f'[auth]\ntoken_file = "{home}/north.token"\n[[policy]]\nmatch = "web"\napprove = "deny"\n',
    )
    local, net = f"unix://{cli.folder}/c", f"unix://{cli.folder}/net?as=nobody"
    with cli.begin("agent", "-f", "north.toml") as north:
        north.until("its policies do not count, since the controller decides")
        north.until("tried again until somebody does")
        north.until("agent north listens on")
        north.signal(signal.SIGTERM)
        north.end()
    with cli.begin("controller", "-f", "controller.toml", "--listen", local, "--listen", net) as controller:
        controller.until("controller controller listens on")
        taken = cli("controller", "--listen", local, code=2).stderr
        assert f"another agent or controller listens on {cli.folder}/c\n  procctl --url {local} status" in taken
        with cli.begin("agent", "-f", "north.toml") as north:
            north.until("agent north listens on")
            cli("--url", local, "add", "web", "--host", "north", "--", "sleep", "1000")
            assert "nobody holds x" in cli("--url", local, "free", "x", code=4).stderr
            assert "would free web of north (pid " in cli("--url", local, "--dry-run", "free", "web").stderr
            refused = cli("--url", local, "free", "north/web", code=1).stderr
            assert re.search(r"web runs on north \(pid \d+\) since .*, and north responds\n  procctl stop", refused)
            assert "freed web of north (pid " in cli("--url", local, "free", "web", "--host", "north", "--force").stderr
            assert "denies it" in cli("--url", local, "add", "no", "--", "true", code=6).stderr
            (host,) = cli.json("--url", local, "hosts")["items"]
            assert (host["name"], host["identity"], host["roles"]) == ("north", "token:north", ["agent"])
            assert (host["state"], host["processes"], host["running"]) == ("joined", 2, 1)
            assert "north" in cli("--url", local, "hosts", "n*").stdout
            for verb in (
                "stop",
                "start",
                "kill",
                "restart",
                "delete",
                "reopen",
                "detach",
                "ps",
                "status",
                "show",
                "why",
            ):
                told = cli("--url", local, verb, "noth/*", code=4).stderr
                assert "no host 'noth' is there\n  did you mean 'north/*'?" in told, verb
            for words in (("signal", "TERM"), ("wait",), ("logs",)):
                told = cli("--url", local, *words, "noth/web", code=4).stderr
                assert "no host 'noth' is there\n  did you mean 'north/web'?" in told, words
            assert "no host 'x' is there\n  there is north" in cli("--url", local, "hosts", "x", code=4).stderr
            assert "did you mean 'north/web'?" in cli("--url", local, "stop", "north/wep", code=4).stderr
            assert (
                "procctl delete north/web"
                in cli("--url", local, "add", "web", "--host", "north", "--", "true", code=1).stderr
            )
            assert "8 or more" in cli("--url", local, "stop", "uuid:123", code=4).stderr
            assert "controller controller, procctl" in cli("--url", local, "status", "--agent").stdout
            ann = ("--url", net, "--token-file", f"{home}/ann.token")
            assert "web" in cli(*ann, "ps").stdout
            assert "ann" in (home / "ann.token").read_text()
            assert "may not stop here" in cli(*ann, "stop", "web", code=6).stderr
            assert "wants a credential" in cli("--url", net, "ps", code=6).stderr
            assert "web" in cli("--url", net, "ps", env={"PROCCTL_TOKEN_FILE": f"{home}/ann.token"}).stdout
            (here,) = cli.json("--url", f"unix://{cli.folder}/run/procctl/north.sock", "hosts")["items"]
            assert (here["name"], here["state"]) == ("north", "here")
            (home / "north.token").chmod(0o644)
            assert "chmod 600" in cli("doctor", "--token-file", f"{home}/north.token", code=1).stdout
            north.signal(signal.SIGTERM)
            north.end()
        settled(lambda: not cli.json("--url", local, "hosts")["items"])
        controller.signal(signal.SIGTERM)
        controller.end()
    assert not (cli.folder / "c").exists()


def test_a_controller_where_nothing_is_said(cli, home):
    more = ("--silent-after", "20s", "--on-silent", "end", "--forget-after", "1d", "--restarts", "20")
    with cli.begin("controller", *more) as controller:
        controller.until("controller.sock")
        assert "no host has joined" in cli("--url", f"unix://{cli.socket.with_name('controller.sock')}", "hosts").stderr
        controller.signal(signal.SIGINT)
        controller.end()


def test_a_token_never_reaches_a_process(cli, home):
    cli("token", "new", "--out", "t")
    with cli.begin("agent", "--token-file", "t", env={"PROCCTL_TOKEN_FILE": "t"}) as agent:
        agent.until("listens on")
        cli("add", "web", "--", "env")
        settled(lambda: "PROCCTL_NAME" in cli("logs", "web").stdout)
        assert "TOKEN" not in cli("logs", "web").stdout
        agent.signal()
        agent.end()
