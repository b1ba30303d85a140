"""up and down, agent, config: agents of their own, and files."""

import json
import os
import signal

import pytest
from helpers import alive

from .running import settled

pytestmark = pytest.mark.in_turn


@pytest.fixture
def downs(cli):
    """However a test ends, its agents go."""
    yield
    for socket in (cli.folder / "run" / "procctl").glob("*.sock"):
        cli("--url", f"unix://{socket}", "down")


@pytest.mark.usefixtures("downs")
def test_up_and_down(cli):
    cli.write("Procfile", "web: sleep 1000\n")
    assert "runs 1 processes" in cli("up").stderr
    settled(lambda: cli.item("web")["state"] == "running")
    pid = cli.item("web")["pid"]
    assert "is up already" in cli("up", code=2).stderr
    assert "is down" in cli("down").stderr
    assert (alive(pid), cli.socket.exists()) == (False, False)
    cli("down", code=5)


@pytest.mark.usefixtures("downs")
def test_up_waits_until_all_is_ready(cli):
    cli.write(
        "procctl.toml",
        '[process.web]\ncommand = ["sh", "-c", "sleep 0.3; echo up; exec sleep 1000"]\nready = { log = "up" }\n',
    )
    cli("up", "--wait")
    assert cli.item("web")["ready"] is True


@pytest.mark.usefixtures("downs")
def test_up_says_what_failed(cli):
    cli.write("Procfile", "web: no-such-program-here\n")
    assert "not found in PATH" in cli("up", "--wait", code=1).stderr


@pytest.mark.usefixtures("downs")
def test_a_named_agent_has_its_own_socket(cli):
    cli.write("Procfile", "web: sleep 1000\n")
    cli("up", "--name", "other")
    assert (cli.socket.exists(), cli.socket.with_name("other.sock").exists()) == (False, True)
    assert "other.sock" in cli("ps", code=5).stderr


def test_up_dry_run(cli):
    cli.write("Procfile", "web: sleep 1000\n")
    assert "would start an agent on unix://" in cli("up", "--dry-run").stderr
    cli("ps", code=5)


def test_up_without_a_configuration(cli):
    assert "there is no configuration" in cli("up", code=2).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_in_the_foreground(cli, number):
    with cli.begin("agent", "--name", "there", "--listen", f"unix://{cli.folder}/x.sock") as going:
        going.until("agent there listens on")
        cli("--url", f"unix://{cli.folder}/x.sock", "add", "web", "--", "sleep", "1000")
        going.signal(number)
        going.end()
    assert not (cli.folder / "x.sock").exists()


def test_a_second_signal_kills(cli):
    with cli.begin("agent") as going:
        going.until("listens on")
        cli("add", "deaf", "--", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
        settled(lambda: "up" in cli("logs", "deaf").stdout)
        going.signal(signal.SIGTERM)
        settled(lambda: cli.item("deaf")["detail"] == "stopping")
        going.signal(signal.SIGTERM)
        going.end()


def test_an_agent_with_a_file(cli):
    cli.write("p/procctl.toml", '[agent]\nname = "filed"\n[process.web]\ncommand = "sleep 1000"\n')
    with cli.begin("agent", "-f", "p/procctl.toml") as going:
        going.until("agent filed listens on")
        url = f"unix://{cli.folder}/run/procctl/filed.sock"
        settled(lambda: json.loads(cli("--url", url, "ps", "--json").stdout)["items"][0]["state"] == "running")
        cli("--url", url, "down")
        going.end()


def test_approvals(cli):
    cli.write(
        "procctl.toml", '[[policy]]\nmatch = "web"\napprove = "ask"\n[[policy]]\nmatch = "no"\napprove = "deny"\n'
    )
    with cli.begin("agent", "-f", "procctl.toml") as going:
        going.until("listens on")
        stderr = cli("add", "web", "--", "sleep", "1000", code=7).stderr
        assert "procctl approvals" in stderr
        (approval,) = cli.json("approvals")["items"]
        cli("approve", approval["approval"])
        cli("wait", "web", "--for", "running")
        cli("restart", "web", code=7)
        (approval,) = cli.json("approvals")["items"]
        cli("deny", approval["approval"], "--reason", "not today")
        assert "not today" in cli("why", "web").stdout
        assert "denies it" in cli("add", "no", "--", "true", code=6).stderr
        going.signal()
        going.end()


def test_config_check(cli):
    cli.write("Procfile", "web: sleep 1\nbad: no-such-program-here\n")
    assert "'no-such-program-here' is not found at process.bad" in cli("config", "check", code=1).stderr
    cli.write("Procfile", "web: sleep 1\n")
    assert "1 processes, nothing wrong" in cli("config", "check").stderr
    assert json.loads(cli("config", "check", "--json").stdout) == {"v": 1, "ok": True, "items": ["web"], "errors": []}
    cli.write("keep.toml", '[agent]\non_exit = "keep"\n[auth]\ntoken_file = "none"\n')
    told = cli("config", "check", "-f", "keep.toml", code=1).stderr
    assert "keep needs a state folder (state_dir, or --state-dir) at agent.on_exit" in told
    assert f"there is no {cli.folder}/none at auth.token_file" in told


def test_config_show_hides_values(cli):
    cli.write("procctl.toml", '[process.web]\ncommand = "sleep 1"\nenv = { KEY = "secret" }\n')
    shown = cli("config", "show").stdout
    assert (json.loads(shown)["processes"][0]["environment"], "secret" in shown) == (["KEY"], False)


def test_config_schema(cli):
    assert json.loads(cli("config", "schema").stdout)["title"] == "procctl.toml"


def test_version_and_help(cli):
    assert cli("--version").stdout.startswith("procctl ")
    assert "Commands" in cli("--help").stdout
    assert "TARGET" in cli("stop", "--help").stdout


@pytest.mark.usefixtures("downs")
@pytest.mark.parametrize("by", ["verb", "signal"])
def test_log_files_are_reopened(cli, by):
    cli.write(
        "procctl.toml",
        """[process.web]
command = ["sh", "-c", "while :; do echo x; sleep 0.05; done"]
logs = { file = "web.log" }
""",
    )
    cli("up")
    log = cli.folder / "web.log"
    settled(log.exists)
    log.rename(cli.folder / "old.log")
    if by == "verb":
        assert "web has reopened its files" in cli("reopen", "web").stderr
    else:
        os.kill(cli.json("status", "--agent")["items"][0]["pid"], signal.SIGUSR2)
    settled(lambda: log.exists() and log.stat().st_size)
    size = (cli.folder / "old.log").stat().st_size
    settled(lambda: log.stat().st_size > 4)
    assert (cli.folder / "old.log").stat().st_size == size


@pytest.mark.usefixtures("downs")
def test_logs_are_read_back_and_searched(cli):
    cli.write(
        "procctl.toml",
        """[process.web]
command = ["sh", "-c", "seq 1 60000; exec sleep 1000"]
logs = { file = "web.log", ring = 4096 }
""",
    )
    cli("up")
    settled(lambda: cli("logs", "-n", "1", "web").stdout == "60000\n")
    assert cli("logs", "--since", "1h", "--grep", "^7.?$", "web").stdout.split() == [
        "7",
        *(str(n) for n in range(70, 80)),
    ]
    assert cli("logs", "--since", "1h", "--grep", r"^(\d)\1\1$", "web").stdout.split() == [
        3 * str(n) for n in range(1, 10)
    ]
    assert cli("logs", "--since", "1h", "web").stdout.split() == [str(n) for n in range(1, 60_001)]
    cli("logs", "--grep", "(", "web", code=2)


@pytest.mark.usefixtures("downs")
def test_trouble_is_shown(cli):
    cli.write("web.log/x", "in the way")
    cli.write("procctl.toml", '[process.web]\ncommand = ["sleep", "1000"]\nlogs = { file = "web.log" }\n')
    cli("up")
    settled(lambda: "Is a directory" in cli.item("web")["trouble"])
    for words in (("why", "web"), ("ps",), ("status", "web")):
        assert "Is a directory" in " ".join(cli(*words).stdout.split()), words
