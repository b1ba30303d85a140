"""A number that is given again is never signalled: in a pid namespace, where it can be given again on purpose."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import program

from procctl.agent.features import probe

TESTS = Path(__file__).parents[1]
KILLED, UNKNOWN = [None, "SIGKILL"], [None, None]
PIDFD = ("pidfd", "pidfd_group", "pidfd_info")
WAYS = {
    "with all": ("asyncio", (), "all"),
    "without pidfd": ("trio", PIDFD, "all"),
    "without pidfd_group": ("trio", ("pidfd_group",), ["a_child"]),
    "by records alone": ("asyncio", ("keeper", *PIDFD), ["a_restored_one"]),
}


@pytest.fixture
def namespace():
    """A command that runs another as process 1 of a pid namespace in which numbers can be chosen."""
    if os.geteuid() != 0:
        pytest.skip("a pid namespace is for root")
    words = [program("unshare"), "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    choose = ["sh", "-c", "echo 300 > /proc/sys/kernel/ns_last_pid && (exit 0) & echo $!"]
    tried = subprocess.run([*words, *choose], capture_output=True, text=True)
    if tried.returncode or not tried.stdout.strip().isdecimal():
        pytest.skip(f"no pid namespace in which numbers can be chosen: {tried.stderr.strip()}")
    return words


@pytest.mark.parametrize("way", WAYS)
def test_whoever_has_a_number_now_is_left_alone(namespace, way):
    backend, less, cases = WAYS[way]
    end = KILLED if "pidfd_info" not in less and probe().pidfd_info else UNKNOWN
    expected = {
        "a_child": [[True, True, True], end],
        "a_child_when_the_agent_fails": True,
        "one_below_it": True,
        "a_stray": [True, True],
        "the_next_child": [True, True, True],
        "a_strangers_group": [True, True],
        "an_adopted_one": [[True, True, True], end],
        "one_that_is_adopted_too_late": [True, True],
        "a_restored_one": [[True, True], end, end],
        "the_keepers": True,
    }
    expected = {name: value for name, value in expected.items() if cases == "all" or name in cases}
    command = [*namespace, sys.executable, "-m", "agent.recycling", backend, ",".join(less), *expected]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
