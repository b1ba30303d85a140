"""The two C programs, compiled once for each version of their source."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["HOME", "Built", "build"]

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("PROCCTL_BENCH_HOME") or Path(tempfile.gettempdir(), "procctl-bench"))
"""Where everything is kept that outlives a run: programs, peers, results."""


class Built(NamedTuple):
    """Paths: `child` is what is supervised, `limits` measures the machine."""

    child: str
    limits: str


def build(home: Path = HOME) -> Built:
    """Compile what is not there yet."""
    return Built(_compiled(home, "child", static=True), _compiled(home, "limits"))


def _compiled(home: Path, name: str, static: bool = False) -> str:
    source = HERE / f"{name}.c"
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:10]
    target = home / "bin" / f"{name}-{version}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(f".{os.getpid()}")
        command = [os.environ.get("CC", "cc"), "-O2", "-o", str(fresh), str(source)]
        if not static or subprocess.run([*command, "-static"], stderr=subprocess.DEVNULL).returncode:
            subprocess.run(command, check=True)
        fresh.rename(target)
    return str(target)
