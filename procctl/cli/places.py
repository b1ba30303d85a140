"""Where the local agent lives: its socket and its log, for each user of this machine."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ..errors import BadConfig

__all__ = ["log_file", "others", "runtime_folder", "socket_url"]


def runtime_folder(make: bool = False) -> Path:
    """``$XDG_RUNTIME_DIR/procctl``, ``/run/procctl`` for root, else a folder of the user's own in the temporary one.

    Raises:
        BadConfig: With `make`: it cannot be made, or is not the user's alone.
    """
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        folder = Path(given) / "procctl"
    elif os.geteuid() == 0:
        folder = Path("/run/procctl")
    else:
        folder = Path(tempfile.gettempdir()) / f"procctl-{os.geteuid()}"
    if make:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.lstat()
        except OSError as error:
            raise BadConfig(f"cannot make {folder}: {error.strerror}", "set XDG_RUNTIME_DIR") from None
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise BadConfig(f"{folder} is not a folder of this user", "set XDG_RUNTIME_DIR")
        if status.st_mode & 0o077:
            folder.chmod(0o700)
    return folder


def socket_url(name: str = "") -> str:
    """The URL of this user's agent, or of the one called `name`."""
    return f"unix://{runtime_folder() / (name or 'agent')}.sock"


def log_file(name: str = "") -> Path:
    """Where an agent in the background writes what it has to say."""
    return runtime_folder() / f"{name or 'agent'}.log"


def others() -> list[str]:
    """URLs of all sockets in the runtime folder, for hints."""
    try:
        return sorted(f"unix://{path}" for path in runtime_folder().glob("*.sock"))
    except OSError:
        return []
