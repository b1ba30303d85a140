"""A person approves or denies from the command line, in time or not, through a controller."""

import signal

import pytest

from .running import settled

POLICIES = """
[[policy]]
match = "import"
approve = "ask"
within = "1h"

[[policy]]
match = "hasty"
approve = "ask"
within = "300ms"
"""


@pytest.fixture
def fleet(cli):
    """A controller with these policies, an agent that has joined it, and the URL of the controller."""
    cli.write("controller.toml", POLICIES)
    url = f"unix://{cli.folder}/c"
    with cli.begin("controller", "-f", "controller.toml", "--listen", url) as controller:
        controller.until("listens on")
        with cli.begin("agent", "--name", "north", "--join", url) as agent:
            agent.until("agent north listens on")
            cli.env["PROCCTL_URL"] = url
            yield cli
            agent.signal(signal.SIGTERM)
            agent.end()
        controller.signal(signal.SIGTERM)
        controller.end()


def state(cli, name):
    (item,) = cli.json("ps", name)["items"]
    return f"{item['state']}/{item['detail']}", item["why"]["text"]


def test_yes_no_and_too_late(fleet):
    said = fleet("add", "import", "--host", "north", "--", "sleep", "1000", code=7)
    assert "waits for a person to approve import on north" in said.stderr
    assert state(fleet, "import")[0] == "pending/held"
    (waiting,) = fleet.json("approvals")["items"]
    assert (waiting["name"], waiting["hostname"], waiting["until"] > waiting["since"]) == ("import", "north", True)
    assert "LEFT" in fleet("approvals").stdout

    assert f"approved {waiting['approval']}" in fleet("approve", waiting["approval"]).stderr
    settled(lambda: state(fleet, "import")[0] == "running/up")
    assert "no approval" in fleet("approve", waiting["approval"], code=4).stderr

    fleet("restart", "import", code=7)
    assert "import is stopped; it" not in fleet("stop", "import").stderr  # its end was that of an earlier run
    fleet("start", "import", code=7)
    (waiting,) = fleet.json("approvals")["items"]
    fleet("deny", waiting["approval"], "--reason", "not on Fridays")
    settled(lambda: state(fleet, "import")[0] == "notstarted/denied")
    assert "not on Fridays" in fleet("why", "import").stdout

    fleet("add", "hasty", "--", "true", code=7)
    settled(lambda: state(fleet, "hasty") == ("notstarted/denied", "nobody answered in time"))
    assert fleet.json("approvals")["items"] == []
