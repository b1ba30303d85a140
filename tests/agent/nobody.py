"""Programs of a user who is nobody: from a test of root's, or of that user's own."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from helpers import program

TESTS = Path(__file__).parents[1]
NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", "--inh-caps=-all"]


def environment():
    """Ours, for a program that finds all that this one does."""
    path = [str(TESTS), *(entry for entry in sys.path if entry)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "HOME": "/nonexistent"}


@cache
def _command():
    """What begins a Python program of nobody's, or why there is none."""
    if os.geteuid() != 0:
        return [sys.executable]
    drop = [program("setpriv"), *NOBODY, "--", "sh", "-c", 'exec "$0" "$@"']
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        tried = subprocess.run([*drop, python, "-c", "import procctl, agent"], env=environment(), capture_output=True)
        if tried.returncode == 0:
            return [*drop, python]
    return "no Python that another user may run and that finds procctl"


def nobodys():
    """A command that runs Python as nobody."""
    command = _command()
    if isinstance(command, str):
        pytest.skip(command)
    return command
