"""Out of processes, threads and descriptors: what runs is untouched, who asks is told, and it recovers."""

import json
import resource
import subprocess

from .nobody import environment, nobodys

REFUSED = "cannot run 'sleep': no more processes can be made"
PROCESSES = f"{REFUSED}: raise this user's `ulimit -u` (now 1), or pids.max of the cgroup"
NUMBERS = r"raise its `ulimit -n` (now "
FOUND = {
    "processes": [PROCESSES, ["pending", "backoff"], "running", "running", True],
    "processes_before_the_first": [PROCESSES, "running"],
    "processes_for_threads": ["SIGTERM", True],
    "descriptors_of_the_agent": [NUMBERS, ["pending", "backoff"], "running", "running", True],
    "descriptors_at_an_end": ["SIGTERM", [True], False, ["running", True], True],
    "descriptors_for_a_check": [True, 0],
    "descriptors_when_one_is_detached": True,
    "descriptors_when_clients_come": ["running", True],
}


def run(backend, *cases):
    """What they have found, as nobody."""
    command = [*nobodys(), "-m", "agent.scarce", backend, *cases]
    done = subprocess.run(command, env=environment(), cwd="/tmp", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_runs_is_untouched_and_who_asks_is_told():
    found = run("asyncio", *FOUND)
    said = found["descriptors_of_the_agent"][0]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert said.startswith(f"cannot run 'sleep': the agent has no descriptors left: {NUMBERS}")
    assert said.endswith(f", up to {hard})")
    found["descriptors_of_the_agent"][0] = NUMBERS
    assert found == FOUND


def test_on_trio_too():
    cases = ("processes_before_the_first", "processes_for_threads", "descriptors_at_an_end")
    assert run("trio", *cases) == {case: FOUND[case] for case in cases}
