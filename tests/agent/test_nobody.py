"""A user without rights has all of it: the battery that machines with less have too."""

import subprocess

from .nobody import TESTS, environment, nobodys

ROOT = TESTS.parent


def test_the_battery_as_nobody(tmp_path):
    files = [TESTS / "agent" / name for name in ("test_degraded.py",)]
    words = [
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(ROOT),
        "-p",
        "no:cacheprovider",
        "-k",
        "complete and not trio",
    ]
    command = [*nobodys(), "-m", "pytest", *words, *map(str, files)]
    done = subprocess.run(command, env=environment(), cwd="/tmp", capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
