"""What the machine is short of, and what can be done about it, in words."""

from __future__ import annotations

import errno
import os
import resource

__all__ = ["PASSING", "explain"]

PASSING = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Errors after which a later try may do."""


def explain(code: int | None) -> str:
    """What an error number means for whoever starts programs."""
    match code:
        case errno.EAGAIN:
            soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
            limit = "" if soft == resource.RLIM_INFINITY else f" (now {soft})"
            return f"no more processes can be made: raise this user's `ulimit -u`{limit}, or pids.max of the cgroup"
        case errno.EMFILE:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            return f"the agent has no descriptors left: raise its `ulimit -n` (now {soft}, up to {hard})"
        case errno.ENFILE:
            return "the system has no descriptors left: raise fs.file-max"
        case errno.ENOMEM:
            return "there is no memory for another process"
        case None:
            return "unknown"
    return os.strerror(code)
