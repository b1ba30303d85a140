"""Every program in examples/embed, on both backends, as a user runs it."""

import os
import re
import subprocess
import sys

import pytest
from helpers import DEADLINE, free_port

from .reading import ROOT

FOLDER = ROOT / "examples" / "embed"

PRINTS = {
    "agent": """
        web is running, ready: True
        web is stopped: killed by SIGTERM
        the block is left, and nothing runs any more
    """,
    "approval": """
        cache runs
        approval-pending: .*import-orders.*
        local wants to start import-orders
        import-orders runs
        denied: import-orders runs already
    """,
    "blocking": """
        talker is running, ready: True
        stdout hello
        talker killed by SIGTERM
    """,
    "controller": """
        south: worker runs on north.*
        north: stopped
        south: running
    """,
    "events": """
        snapshot: 1 process
        job is running
        job is stopped: exited with 0
        job is removed
        a cursor of another run: an unknown number of events is lost
        snapshot: 0 processes
    """,
    "fleet": """
        north is joined: token:north, 1 of 1 run
        forbidden: not stop here
        forbidden
    """,
    "logs": """
        stdout line 0
        stdout line 1
        stdout line 2
        after the cursor: line 3, line 4
        the last: line 4
    """,
    "remote": """
        here/ticker is running
        tick 0
        tick 1
        tick 2
        ticker None SIGTERM
        afterwards: PeerGone
    """,
    "starlette_app": """
        1 process
        web is stopped
        403 forbidden
    """,
}


def test_every_example_is_known_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(PRINTS)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", PRINTS)
def test_example(name, backend):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / f"{name}.py"), backend],
        capture_output=True,
        text=True,
        timeout=4 * DEADLINE,
        env={**os.environ, "PORT": str(free_port())},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    wanted = [line.strip() for line in PRINTS[name].strip().splitlines()]
    assert len(lines) == len(wanted), done.stdout
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(pattern, line), done.stdout
