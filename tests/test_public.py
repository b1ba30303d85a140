"""What is public, and what it costs to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import procctl

PUBLIC = [
    "Agent",
    "Auth",
    "Controller",
    "Decision",
    "Denied",
    "ExitRecord",
    "Failed",
    "Fleet",
    "HooksSpec",
    "Item",
    "Line",
    "LogSpec",
    "Lost",
    "NoSuchTarget",
    "PeerGone",
    "Permit",
    "PermitLost",
    "PermitRequest",
    "ProcctlError",
    "Process",
    "ProcessSpec",
    "Reach",
    "Refused",
    "Registered",
    "Registry",
    "Removed",
    "RestartBudget",
    "RestartSpec",
    "Snapshot",
    "State",
    "StateChanged",
    "StopSpec",
    "__version__",
    "allow",
    "ask",
    "child",
    "connect",
    "deny",
    "displace",
    "errors",
    "hosts",
    "ready",
    "sync",
]


def test_the_public_names():
    assert sorted(procctl.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_is_there(name):
    assert getattr(procctl, name) is not None
    assert name in dir(procctl)


def test_no_other_is():
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        procctl.Nothing  # noqa: B018


def modules_after(statement):
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_it_loads_nothing_of_weight():
    loaded = modules_after("import procctl")
    assert loaded & {"anyio", "attr", "attrs", "cattrs", "asyncio", "trio", "psutil", "click"} == set()


def test_what_a_child_imports_is_the_standard_library():
    assert modules_after("import procctl.child") - set(sys.stdlib_module_names) == {"procctl"}


def test_it_is_typed():
    assert (Path(procctl.__file__).parent / "py.typed").exists()
