"""A state folder: made where it is missing, for its user alone, and held by one program of a kind at a time."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Literal

from ..errors import BadConfig

__all__ = ["Role", "StateFolder"]

Role = Literal["agent", "controller"]

_LOCKS: dict[Role, str] = {"agent": "lock", "controller": "controller.lock"}
_PATIENCE = 1.0
"""Seconds for children between fork and exec to let go of a dead program's lock."""
_OTHER = "--state-dir, or state_dir in [agent], names another"


class StateFolder:
    """A folder that one agent, or one controller, has to itself. Blocks.

    Args:
        path: Where; made if it is missing, with all above it.
        role: As what; an agent and a controller may share one.

    Raises:
        BadConfig: It cannot be made, is another user's, or another of the same role has it.
    """

    def __init__(self, path: Path, role: Role) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.stat().st_uid != os.geteuid():
                raise BadConfig(f"the state folder {path} is another user's", "choose one of your own")
            path.chmod(0o700)
            self._lock = os.open(path / _LOCKS[role], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadConfig(f"cannot use the state folder {path}: {error.strerror}", _OTHER) from None
        try:
            self._acquire(role)
        except BaseException:
            os.close(self._lock)
            raise

    def _acquire(self, role: Role) -> None:
        limit = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > limit:
                    holder = os.pread(self._lock, 32, 0).decode(errors="replace").strip() or "?"
                    text = f"the state folder {self.path} is in use by the {role} with pid {holder}"
                    raise BadConfig(text, "stop that one, or use another folder") from None
                time.sleep(0.01)
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Another one may have it. Twice is fine."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)
