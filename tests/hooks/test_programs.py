"""The programs of examples/hooks, as a person runs them: paused and resumed by the command line, with the same pid."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from cli.running import Cli, settled
from helpers import alive, free_port, program

pytestmark = pytest.mark.in_turn

HOOKS = Path(__file__).parents[2] / "examples" / "hooks"


@pytest.fixture
def cli(place, anyio_backend):
    cli = Cli(place, anyio_backend)
    for file in HOOKS.iterdir():
        if file.is_file():
            shutil.copy(file, place)
    return cli


@pytest.fixture
def agent(cli):
    with cli.begin("agent") as going:
        going.until("listens on")
        yield going
        if going.popen.poll() is None:
            going.signal()
            going.end()


def lines(cli, name):
    return cli("logs", name).stdout.splitlines()


def declare(cli, name, command, **more):
    """One process by itself, run by an agent of its own."""
    keys = "\n".join(f"{key} = {value}" for key, value in more.items())
    cli.write("procctl.toml", f"version = 1\n[process.{name}]\ncommand = {json.dumps(command)}\n{keys}\n")
    going = cli.begin("agent", "-f", "procctl.toml")
    going.until("listens on")
    return going


def paused_and_resumed(cli, name):
    """Stopped and started once: the pid, which stays the same."""
    settled(lambda: cli.item(name)["state"] == "running")
    pid = cli.item(name)["pid"]
    told = cli("stop", name)
    assert f"{name} is stopped, idle (pid {pid})" in told.stderr
    item = cli.item(name)
    assert (item["state"], item["status"], item["detail"], item["pid"]) == ("stopped", 0, "idle", pid)
    assert alive(pid)
    assert f"{name} is running (pid {pid})" in cli("start", name).stderr
    assert cli.item(name)["pid"] == pid
    return pid


@pytest.mark.parametrize("command", [["coffee", "-r", "./crons.js", "email.coffee"], ["node", "email.js"]])
def test_the_email_worker(cli, command):
    command = [program(command[0]), *command[1:]]
    with declare(cli, "emailWorker", command, hooks="true") as agent:
        pid = paused_and_resumed(cli, "emailWorker")
        said = [line.split()[-1] for line in lines(cli, "emailWorker") if "instant" in line and "sent" not in line]
        assert said == ["started", "stopped", "started"]
        agent.signal()
        agent.end()
    assert not alive(pid)


def test_its_twin_in_python(cli, anyio_backend):
    command = [sys.executable, "-u", "email_worker.py", anyio_backend]
    with declare(cli, "twin", command, hooks='{ timeout = "20s" }', ready="{ message = true }") as agent:
        paused_and_resumed(cli, "twin")
        settled(lambda: cli.item("twin")["ready"])
        assert cli.item("twin")["said"] == "sending"
        assert set(cli.item("twin")["metrics"]) == {"instant emails", "daily emails"}
        assert json.loads(cli("ask", "twin", "sent").stdout)["daily emails"] >= 0
        refused = cli("ask", "twin", "dance", code=1)
        assert "there is no dance" in refused.stderr
        shown = cli("show", "twin").stdout
        assert "says  sending" in shown
        assert "metrics  instant emails" in shown
        agent.signal()
        agent.end()


def test_threads(cli):
    with declare(cli, "threads", [sys.executable, "-u", "threads.py"], hooks="true") as agent:
        paused_and_resumed(cli, "threads")
        assert [line for line in lines(cli, "threads") if line != "work done"] == [
            "work started",
            "work paused",
            "work started",
        ]
        assert "threads is stopped; it was killed by SIGTERM" in cli("stop", "--hard", "threads").stderr
        agent.signal()
        agent.end()


def test_as_pm2_has_it(cli):
    more = {
        "env": f'{{ PORT = "{free_port()}" }}',
        "ready": "{ message = true }",
        "stop": '{ steps = [["shutdown", "5s"], ["TERM", "5s"]] }',
    }
    with declare(cli, "web", [program("node"), "pm2.js"], **more) as agent:
        cli("wait", "--for", "ready", "web")
        assert "web is stopped; it exited with 0" in cli("stop", "web").stderr
        assert lines(cli, "web") == ["listening", "closing"]
        agent.signal()
        agent.end()


def test_the_declarations_are_right(cli):
    cli("config", "check", "-f", "procctl.toml")


def test_who_cannot_be_asked(cli, agent):
    cli("add", "plain", "--", "sleep", "1000")
    refused = cli("ask", "plain", "anything", code=1)
    assert "declare it with hooks = true" in refused.stderr
    assert "is no JSON" in cli("ask", "plain", "anything", "{", code=2).stderr
