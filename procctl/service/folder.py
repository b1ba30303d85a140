"""A state folder: made where it is missing, for its user alone."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import BadConfig

__all__ = ["private_folder"]


def private_folder(path: Path) -> None:
    """Make it, where it is missing, and let nobody else in.

    Raises:
        BadConfig: It cannot be made, or is another user's.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_uid != os.geteuid():
            raise BadConfig(f"the state folder {path} is another user's", "choose one of your own")
        path.chmod(0o700)
    except OSError as error:
        text = f"cannot use the state folder {path}: {error.strerror}"
        raise BadConfig(text, "--state-dir, or state_dir in [agent], names another") from None
