"""The environment of a Python program that is measured."""

from __future__ import annotations

import os
from pathlib import Path

from built import HOME

__all__ = ["environment"]


def environment(cache: Path = HOME / "pycache") -> dict[str, str]:
    """This program's own, with compiled modules in a folder of ours: not every environment has or keeps them."""
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    return {**env, "PYTHONPYCACHEPREFIX": str(cache)}
