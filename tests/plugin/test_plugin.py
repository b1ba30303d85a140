"""A transport of somebody else's: built, installed beside the built procctl, and used without a change here."""

import os
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from uuid import uuid4

import pytest
from helpers import DEADLINE

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "transport-abstract"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of the programs of a fresh installation. What the two depend on is taken from here."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("plugin")
    for project in (ROOT, EXAMPLE):
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
        subprocess.run(command, cwd=project, check=True, capture_output=True)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, *map(str, (folder / "dist").glob("*.whl"))], check=True, capture_output=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def run(*command, code=0, **options):
    """Run a program to its end, which must have this exit code: what it printed."""
    env = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=120, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_what_is_installed_is_what_was_built(installed, tmp_path):
    text = "import procctl, procctl_abstract as a; print(procctl.__file__, a.__file__)"
    said = run(installed / "python", "-c", text, cwd=tmp_path)
    assert all(path.startswith(str(installed.parent)) for path in said.split())


def test_its_fixture_is_found_by_pytest(installed, tmp_path):
    lines = [
        "async def test_it(procctl_fleet):",
        "fleet = await procctl_fleet(agents=1)",
        "assert not fleet.children()",
    ]
    (tmp_path / "test_own.py").write_text("\n    ".join(lines))
    said = run(
        installed / "python", "-m", "pytest", "-o", "addopts=-q", "-p", "no:cacheprovider", "test_own.py", cwd=tmp_path
    )
    assert "1 passed" in said


def test_it_keeps_its_promises(installed):
    which = [] if os.environ.get("PROCCTL_KIT") == "all" else ["-k", "trio"]  # both take their time
    run(
        installed / "python", "-m", "pytest", "-o", "addopts=-q", "-p", "no:cacheprovider", *which, "tests", cwd=EXAMPLE
    )


def test_an_agent_over_it_from_the_command_line(installed, tmp_path):
    url = f"abstract:procctl-{uuid4()}"
    procctl = (installed / "procctl", "--url", url)
    agent = subprocess.Popen([installed / "procctl", "agent", "--listen", url, "-q"], cwd=tmp_path)
    try:
        limit = time.monotonic() + 3 * DEADLINE
        while subprocess.run([*procctl, "ps"], capture_output=True, check=False).returncode == 5:
            assert time.monotonic() < limit
        assert "web is running" in run(*procctl, "add", "web", "--", "sleep", "1000")
        assert "web" in run(*procctl, "ps")
        assert "is down" in run(*procctl, "down")
        assert agent.wait(DEADLINE) == 0
    finally:
        if agent.poll() is None:
            agent.terminate()
            agent.wait()


def test_a_scheme_that_is_not_installed_says_what_there_is():
    said = run(sys.executable, "-m", "procctl.cli", "--url", "abstrakt:x", "ps", code=2)
    assert "no transport for the scheme 'abstrakt' is installed" in said
