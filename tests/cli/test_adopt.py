"""adopt and detach, and the options of logs, as a person has them."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from helpers import DEADLINE, alive

from .running import settled

asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])
trio_only = pytest.mark.parametrize("anyio_backend", ["trio"])


@asyncio_only
@pytest.mark.usefixtures("agent")
def test_one_is_let_go_and_taken_back(cli):
    cli("add", "web", "--", "sleep", "1000")
    pid = cli.item("web")["pid"]
    assert re.search(rf"web is detached by .*; pid {pid} goes on without procctl", cli("detach", "web").stderr)
    item = cli.item("web")
    assert (item["state"], item["detail"], item["pid"], alive(pid)) == ("stopped", "detached", 0, True)
    assert "only what runs can be detached" in cli("detach", "web", code=1).stderr
    told = cli("adopt", str(pid), "--name", "web").stderr
    assert f"web is running (pid {pid}); what it writes stays where it goes" in told
    assert "web is stopped" in cli("stop", "web").stderr
    assert not alive(pid)


@trio_only
@pytest.mark.usefixtures("agent")
def test_a_stranger_is_adopted_with_a_command_for_its_next_start(cli):
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        words = ["adopt", str(stranger.pid), "--name", "web", "--host", "h*"]
        assert f"would adopt pid {stranger.pid} as web" in cli(*words, "--dry-run").stderr
        (item,) = json.loads(cli(*words, "--json", "--", "sleep", "1001").stdout)["items"]
        assert (item["pid"], item["state"], item["name"]) == (stranger.pid, "running", "web")
        assert "is a process of this agent already" in cli(*words, code=1).stderr
        cli("stop", "web", "--no-wait")
        assert stranger.wait(DEADLINE) == -signal.SIGTERM
        item = settled(lambda: (item := cli.item("web"))["state"] == "stopped" and item)
        assert item["exit"]["code"] is None  # what is not known is not 0
        cli("start", "web")
        assert Path(f"/proc/{cli.item('web')['pid']}/cmdline").read_bytes() == b"sleep\x001001\x00"
        assert "there is no process 4194305" in cli("adopt", "4194305", "--name", "none", code=4).stderr
    finally:
        stranger.kill()
        stranger.wait()


@trio_only
def test_a_detached_ones_file_has_every_line(cli, place):
    """Its pipe is handed over while it writes, and goes on being read when the agent was killed."""
    count = "i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo $i; sleep 0.003; done"
    cli.write("p.toml", f'version = 1\n[process.web]\ncommand = ["sh", "-c", "{count}"]\nlogs = {{ file = "w.log" }}\n')
    with cli.begin("agent", "-f", "p.toml") as agent:
        agent.until("listens on")
        assert "goes on without procctl" in cli("detach", "web").stderr
        agent.signal(signal.SIGKILL)
        settled(lambda: (place / "w.log").read_text().endswith("\n600\n"))
    assert (place / "w.log").read_text().split() == [str(n) for n in range(1, 601)]


@asyncio_only
@pytest.mark.usefixtures("agent")
def test_options_of_logs(cli):
    cli("add", "a", "--", "sh", "-c", "echo a1; sleep 0.1; echo a2; echo ä >&2; exec sleep 1000")
    cli("add", "b", "--", "sh", "-c", "sleep 0.3; echo b1; printf unfinished; exec sleep 1000")
    merged = settled(lambda: "unfinished" in (text := cli("logs").stdout) and text)
    texts = [line.split() for line in merged.splitlines()]
    assert texts.index(["a", "|", "a2"]) < texts.index(["b", "|", "b1"])  # by time
    dated = cli("logs", "a", "--timestamps", "-n", "3").stdout.splitlines()
    assert re.fullmatch(r"\S*\d\d:\d\d:\d\d\S* a1", dated[0])
    assert cli("logs", "a", "b", "--stream", "stderr").stdout.split() == ["a", "|", "ä"]
    found = [json.loads(line) for line in cli("logs", "all", "--grep", "[12]$", "--json").stdout.splitlines()]
    assert [line["text"] for line in found] == ["a1", "a2", "b1"]
    assert cli("logs", "--since", "2999-01-01T00:00").stdout == ""
    with cli.begin("logs", "-f", "a", "-n", "1") as going:
        going.until("ä")
        going.signal()
        assert going.end(130).split() == ["ä"]
