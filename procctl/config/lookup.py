"""Where the configuration is: ``-f``, ``$PROCCTL_CONFIG``, then the usual files of a folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from ..errors import BadConfig
from .declared import Declared, check
from .procfile import read_procfile
from .toml import read_toml

__all__ = ["find", "load"]

ORDER = "-f FILE, $PROCCTL_CONFIG, ./procctl.toml, [tool.procctl] in ./pyproject.toml, ./Procfile"


def find(file: str | None, folder: Path) -> Path | None:
    """The file that is meant; None if there is none."""
    given = file or os.environ.get("PROCCTL_CONFIG")
    if given:
        return Path(given)
    return _usual(folder)


def _usual(folder: Path) -> Path | None:
    if (folder / "procctl.toml").is_file():
        return folder / "procctl.toml"
    if _has_table(folder / "pyproject.toml"):
        return folder / "pyproject.toml"
    return folder / "Procfile" if (folder / "Procfile").is_file() else None


def load(file: str | None, folder: Path) -> Declared:
    """Read and check it.

    Raises:
        BadConfig: There is none; or it cannot be read; or something in it cannot be used.
    """
    path = find(file, folder)
    if path is not None and path.is_dir():
        folder, path = path, _usual(path)
    if path is None:
        raise BadConfig(f"there is no configuration in {folder}", f"looked for {ORDER}")
    if path.name == "pyproject.toml":
        return check(read_toml(path, "tool.procctl"))
    if path.suffix == ".toml":
        return check(read_toml(path))
    return check(read_procfile(path))


def _has_table(path: Path) -> bool:
    try:
        return "procctl" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False
