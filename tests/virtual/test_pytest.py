"""The plug-in, as somebody's own tests have it: in a pytest of their own."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def own(tmp_path):
    """Runs a file of tests: what pytest says, after it has ended with this code."""

    def run(text, code=0):
        (tmp_path / "test_own.py").write_text(text)
        plugins = ("-p", "anyio", "-p", "procctl.testing.plugin", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", "-o", "addopts=-q", "-W", "error", *plugins, "test_own.py"]
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_plain_asynchronous_test_is_run_in_virtual_time(own):
    said = own(
        """
import time
import pytest, procctl

@pytest.mark.parametrize("agents", [1, 2])
async def test_minutes(procctl_fleet, agents, tmp_path):
    before = time.monotonic()
    fleet = await procctl_fleet(agents)
    await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
    await fleet.run(600)
    assert [child.name for child in fleet.children()] == ["web"]
    assert len(await fleet.controller.hosts()) == agents
    assert time.monotonic() - before < 30
"""
    )
    assert "2 passed" in said


def test_one_that_fails_fails_and_its_fleets_are_left(own):
    said = own(
        """
kept = []

async def test_fails(procctl_fleet):
    fleet = await procctl_fleet(agents=1)
    kept.append(fleet)
    await fleet.controller.start("web", ["web"])
    assert fleet.children() == []

def test_afterwards():
    assert kept[0].children() == []
""",
        code=1,
    )
    assert "1 failed, 1 passed" in said
    assert "<web on host1" in said


def test_a_rule_that_is_broken_fails_the_test(own):
    said = own(
        """
from procctl.core.leases import Book

async def test_twice(procctl_fleet, monkeypatch):
    monkeypatch.setattr(Book, "load", lambda self, leases, now: None)
    fleet = await procctl_fleet(agents=2)
    await fleet.controller.start("web", ["web"], hostname="host1", mode="one")
    fleet.partition("host1")
    fleet.crash_controller()
    await fleet.restart_controller()
    await fleet.run(10)
    await fleet.controller.start("web", ["web"], hostname="host2", mode="one")
""",
        code=1,
    )
    assert "I1: web runs on host2 beside the one on host1" in said


def test_with_the_plugin_of_anyio_it_is_run_in_the_time_of_the_backend(own):
    said = own(
        """
import pytest
from procctl.testing import virtual_backend

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return virtual_backend(request.param)

@pytest.fixture
async def given():
    yield 7

@pytest.mark.anyio
async def test_both(procctl_fleet, given):
    fleet = await procctl_fleet(hosts=["a"])
    await fleet.controller.start("web", ["web"])
    await fleet.run(600)
    assert given == 7
    assert fleet.child("web").host == "a"
"""
    )
    assert "2 passed" in said


def test_a_test_that_cannot_wait_is_told(own):
    said = own("def test_plain(procctl_fleet): pass\n", code=1)
    assert "procctl_fleet is for asynchronous tests" in said


def test_where_it_is_not_used_nothing_is_loaded(own):
    own(
        """
import sys

def test_what_there_is():
    ours = {name for name in sys.modules if name.startswith("procctl")}
    assert ours <= {"procctl", "procctl.testing", "procctl.testing.plugin"}
"""
    )
