"""A user without rights has all of it: the battery that machines with less have too."""

import subprocess

from .nobody import TESTS, environment, nobodys

ROOT = TESTS.parent


def test_the_battery_as_nobody():
    words = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    chosen = ["-k", "complete and not trio", str(TESTS / "agent" / "test_degraded.py")]
    command = [*nobodys(), "-m", "pytest", *words, *chosen]
    done = subprocess.run(command, env=environment(), cwd="/tmp", capture_output=True, text=True, timeout=100)
    assert (done.returncode, " passed" in done.stdout) == (0, True), done.stdout + done.stderr
