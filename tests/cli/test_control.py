"""The commands that speak to an agent."""

import json
import re

import pytest

from .running import settled

pytestmark = [pytest.mark.usefixtures("agent"), pytest.mark.in_turn]


def test_a_life(cli):
    assert "web is running (pid " in cli("add", "web", "--", "sleep", "1000").stderr
    item = cli.item("web")
    assert (item["state"], item["hostname"], item["name"]) == ("running", "here", "web")
    assert "web is stopped; it was killed by SIGTERM" in cli("stop", "web").stderr
    assert "web is running" in cli("start", "web").stderr
    assert "web is running" in cli("restart", "web").stderr
    assert "web was sent SIGCONT" in cli("signal", "CONT", "web").stderr
    assert "web is stopped; it was killed by SIGKILL" in cli("kill", "web").stderr
    assert "web is deleted" in cli("delete", "web").stderr
    assert "no processes; procctl add NAME -- CMD" in cli("ps").stderr


def test_options_of_add(cli):
    words = ["add", "web", "--instances", "2", "--env", "K=v", "--cwd", "/", "--group", "g", "--restart", "always"]
    cli(*words, "--", "sh", "-c", "echo $K $PWD; exec sleep 1000")
    assert [item["name"] for item in cli.json("ps", "group:g")["items"]] == ["web.1", "web.2"]
    settled(lambda: cli("logs", "web.1").stdout == "v /\n")
    cli("add", "idle", "--no-start", "--", "true")
    assert cli.item("idle")["state"] == "notstarted"
    assert "expected NAME=VALUE" in cli("add", "x", "--env", "K", "--", "true", code=2).stderr
    assert "exists already" in cli("add", "web", "--", "true", code=1).stderr


def test_a_program_that_does_not_exist(cli):
    stderr = cli("add", "web", "--", "no-such-program-here", code=1).stderr
    assert ("not found in PATH" in stderr, "procctl why web" in stderr) == (True, True)


@pytest.mark.parametrize(
    ("target", "found"),
    [("web", ["web.1", "web.2"]), ("web.2", ["web.2"]), ("w*", ["web.1", "web.2"]), ("here/web", ["web.1", "web.2"]),
     ("h*/web.1", ["web.1"]), ("group:g", ["job"]), ("all", ["job", "web.1", "web.2"]),
     ("here/*", ["job", "web.1", "web.2"])],
)  # fmt: skip
def test_targets(cli, target, found):
    cli("add", "web", "--instances", "2", "--no-start", "--", "true")
    cli("add", "job", "--group", "g", "--no-start", "--", "true")
    assert sorted(item["name"] for item in cli.json("ps", target)["items"]) == found


def test_a_uuid_as_target(cli):
    cli("add", "web", "--no-start", "--", "true")
    uuid = cli.item("web")["uuid"]
    assert cli.item(f"uuid:{uuid}") == cli.item(f"uuid:{uuid[:8]}")


def test_exit_codes(cli):
    cli("add", "web", "--", "sleep", "1000")
    cli("status", "web")
    stderr = cli("stop", "wep", code=4).stderr
    assert ("no process 'wep' on here" in stderr, "did you mean 'web'?" in stderr) == (True, True)
    cli("stop", "web", "wep", code=4)
    cli("status", "web", code=3)
    cli("signal", "TERM", "web", code=1)
    assert "'NONE' is no signal" in cli("signal", "NONE", "web", code=2).stderr
    cli("stop", code=2)
    cli("wait", "web", "--for", "running", "--timeout", "0.3s", code=124)
    assert "is no URL" in cli("--url", "nowhere", "ps", code=2).stderr
    assert "nobody listens on" in cli("--url", "unix:///tmp/no-such-socket", "ps", code=5).stderr


def test_a_command_that_nobody_has(cli):
    assert "there is no command 'strat'; did you mean 'start'?" in cli("strat", code=2).stderr


def test_json(cli):
    cli("add", "web", "--", "sleep", "1000")
    document = cli.json("stop", "web")
    (item,) = document["items"]
    assert (document["v"], document["ok"], document["errors"], item["state"]) == (1, True, [], "stopped")
    keys = {
        "name",
        "uuid",
        "hostname",
        "pid",
        "state",
        "detail",
        "status",
        "why",
        "ready",
        "restarts",
        "uptime",
        "memory",
    }
    assert keys | {"cpu", "timestamp", "exit"} <= item.keys()
    assert {"code", "signal", "at", "uptime", "usage", "by", "escaped", "last_lines", "oom", "cause"} == item[
        "exit"
    ].keys()
    document = cli.json("stop", "wep", code=4)
    (error,) = document["errors"]
    assert (document["ok"], document["items"], error.keys()) == (False, [], {"target", "code", "message", "hint"})
    assert (error["target"], error["code"]) == ("wep", "no-such-target")


def test_json_of_what_cannot_be_reached(cli):
    document = json.loads(cli("--url", "unix:///tmp/no-such-socket", "ps", "--json", code=5).stdout)
    assert (document["ok"], document["items"]) == (False, [])


def test_options_before_and_after(cli):
    assert cli("--json", "ps").stdout == cli("ps", "--json").stdout
    assert cli("-q", "ps").stderr == ""


def test_ps(cli):
    cli("add", "web", "--", "sleep", "1000")
    head, row = cli("ps").stdout.splitlines()
    assert head.split() == ["NAME", "HOST", "PID", "UPTIME", "MEM", "MB", "STATE", "WHY"]
    assert (row.split()[:2], "running" in row) == (["web", "here"], True)
    assert cli("ls").stdout.splitlines()[0] == head
    assert "\033[" in cli("ps", env={"FORCE_COLOR": "1"}).stdout
    assert "\033[" not in cli("ps", "--no-color", env={"FORCE_COLOR": "1"}).stdout


def test_show_and_why(cli):
    cli("add", "web", "--env", "SECRET=hidden", "--", "sh", "-c", "echo last words; exit 3")
    cli("wait", "web")
    shown = cli("show", "web").stdout
    assert [word in shown for word in ("last words", "exited with 3", "SECRET", "hidden")] == [True, True, True, False]
    told = cli("why", "web").stdout
    assert ("exited with 3" in told, "| last words" in told) == (True, True)
    assert "hidden" not in cli("show", "web", "--json").stdout
    assert "last words" in cli("status", "web", code=3).stdout


def test_status_of_the_agent(cli):
    assert "agent here, procctl " in cli("status", "--agent").stdout
    assert cli.json("status", "--agent")["items"][0]["name"] == "here"


def test_logs(cli):
    cli("add", "web", "--", "sh", "-c", "seq 1 20; echo oops >&2")
    cli("wait", "web")
    assert cli("logs", "web", "--stream", "stdout").stdout.split() == [str(n) for n in range(1, 21)]
    assert cli("logs", "web", "--stream", "stderr").stdout == "oops\n"
    assert cli("logs", "web", "-n", "1").stdout == "oops\n"
    assert cli("logs", "web", "--grep", "^1.$").stdout.split() == [str(n) for n in range(10, 20)]
    assert cli("logs", "web", "--since", "1h", "-n", "1").stdout == "oops\n"
    line = json.loads(cli("logs", "web", "-n", "1", "--json").stdout)
    assert (line["name"], line["stream"], line["text"]) == ("web", "stderr", "oops")
    assert cli("logs", "web", "--since", line["cursor"]).stdout == ""
    assert "no process 'wep'" in cli("logs", "wep", code=4).stderr
    assert "--grep" in cli("logs", "web", "--grep", "(", code=2).stderr
    assert "--since" in cli("logs", "web", "--since", "yesterday-ish", code=2).stderr


def test_logs_follow(cli):
    cli("add", "web", "--", "sh", "-c", "echo one; sleep 0.5; echo two; exec sleep 1000")
    with cli.begin("logs", "-f", "web") as going:
        going.until("one\n", "two\n")
        going.signal()
        going.end(130)


def test_logs_of_several_are_prefixed(cli):
    cli("add", "a", "--", "echo", "x")
    cli("add", "bb", "--", "echo", "y")
    cli("wait", "a", "bb")
    assert sorted(line.split() for line in cli("logs").stdout.splitlines()) == [["a", "|", "x"], ["bb", "|", "y"]]


def test_what_was_never_started_says_since_when_it_is_known(cli):
    cli("add", "idle", "--no-start", "--mode", "one", "--", "sleep", "1000")
    (item,) = cli.json("ps", "idle")["items"]
    assert item["why"]["since"] > "2026"
    shown = cli("show", "idle").stdout
    assert "mode  one, fleet, lease\n" in shown
    assert "1970" not in shown + cli("why", "idle").stdout


def test_what_takes_longer_says_why(cli):
    cli("add", "stubborn", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    told = cli("stop", "stubborn", "--grace", "3s").stderr
    assert re.search(r"^here/stubborn stopped by .*SIGKILL in", told, re.MULTILINE)
    assert "stubborn is stopped; it was killed by SIGKILL" in told
    cli("start", "stubborn")
    assert "here/" not in cli("-q", "stop", "stubborn", "--grace", "3s").stderr


def test_events(cli):
    assert "expected a cursor" in cli("events", "--since", "garbage", code=2).stderr
    (snapshot,) = [json.loads(line) for line in cli("events").stdout.splitlines()]
    assert snapshot["type"] == "snapshot"
    cli("add", "web", "--", "true")
    cli("wait", "web", "--for", "stopped")
    found = [json.loads(line) for line in cli("events", "--since", snapshot["cursor"]).stdout.splitlines()]
    assert [event["type"] for event in found][:2] == ["registered", "changed"]
    assert found[-1]["process"]["detail"] == "exited"


def test_wait(cli):
    cli("add", "web", "--", "sh", "-c", "sleep 0.3; exit 3")
    assert "web is stopped/exited" in cli("wait", "web", "--for", "stopped").stderr
    assert cli.item("web")["exit"]["code"] == 3


def test_dry_run(cli):
    cli("add", "web", "--", "sleep", "1000")
    pid = cli.item("web")["pid"]
    for command in ("stop", "kill", "restart", "delete"):
        assert f"would {command} here/web (running/up)" in cli(command, "web", "--dry-run").stderr
    assert "would add x: true" in cli("add", "x", "--dry-run", "--", "true").stderr
    assert [item["pid"] for item in cli.json("ps")["items"]] == [pid]


def test_delete_of_what_runs(cli):
    cli("add", "web", "--", "sleep", "1000")
    stderr = cli("delete", "web", code=1).stderr
    assert ("only what does not run can be deleted" in stderr, "procctl stop web" in stderr) == (True, True)


def test_doctor(cli):
    done = cli("doctor")
    assert ("pidfd" in done.stdout, "here (pid " in done.stdout) == (True, True)
    assert {"python", "kernel", "folder", "agent"} <= {item["name"] for item in cli.json("doctor")["items"]}


def test_nothing_waits_for_a_person(cli):
    assert "nothing waits for a person" in cli("approvals").stderr
    cli("approve", "no-such-id", code=4)


def test_timeout(cli):
    cli("add", "deaf", "--", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    settled(lambda: "up" in cli("logs", "deaf").stdout)
    assert "still stopping" in cli("stop", "deaf", "--timeout", "0.3s", code=124).stderr
    cli("kill", "deaf")


def test_stop_no_wait(cli):
    cli("add", "web", "--", "sleep", "1000")
    cli("stop", "web", "--no-wait")
    cli("wait", "web", "--for", "stopped")
