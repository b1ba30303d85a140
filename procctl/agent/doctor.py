"""What this kernel, user and installation can and cannot do, and what follows."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from attrs import frozen

from .features import Features

__all__ = ["Finding", "examine"]

_FEATURES = {
    "pidfd": (
        "ends are seen at once and a recycled pid is never signalled",
        "ends are polled for by exact pid, up to 0.1 s late",
    ),
    "pidfd_group": (
        "signals to a group cannot reach another one with its number",
        "signals to a group go to its number, which is checked just before",
    ),
    "pidfd_info": (
        "how a process ended is known even if another part of the program reaped it",
        "what another part of the program reaps is reported as ended in an unknown way",
    ),
    "posix_spawn": (
        "the loop runs while a program is started",
        "subprocess starts programs: the loop stands still for each, and longer with many open descriptors",
    ),
    "epoll": ("one wait for all descriptors", "a task for each descriptor: slower"),
    "keeper": (
        "what an agent runs is ended, or held for the next one, when it is killed",
        "what an agent runs outlives it when it is killed; with a state folder the next one finds it",
    ),
    "inotify": (
        "files that children write to are read when they grow",
        "files that children write to are looked at again and again: up to 1 s late",
    ),
    "oom": (
        "a process that was killed for want of memory is reported so",
        "a process that was killed for want of memory is reported as killed by SIGKILL, and no more",
    ),
    "punch": (
        "files that children write to are rotated while they run",
        "files that children write to are rotated between runs",
    ),
    "procfs": ("descendants and statistics are read from /proc", "descendants and statistics come from psutil: slower"),
}


@frozen(kw_only=True)
class Finding:
    """One line. `good` None: neither good nor bad."""

    name: str
    good: bool | None
    text: str


def examine(features: Features) -> list[Finding]:
    """Everything worth knowing, the good too."""
    return list(_findings(features))


def _findings(features: Features) -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding(name="python", good=sys.version_info >= (3, 11), text=f"{version} on {sys.platform}")
    yield Finding(name="kernel", good=None, text=f"{platform.system()} {platform.release()}")
    for name, has in features.as_dict().items():
        good, bad = _FEATURES[name]
        yield Finding(name=name, good=has, text=good if has else bad)
    yield _cgroup()
    yield _descriptors()
    yield _processes()
    pipes = _pipes()
    if pipes is not None:
        yield pipes
    root = os.geteuid() == 0
    text = "root: processes can be anybody's" if root else f"uid {os.geteuid()}: only processes of this user"
    yield Finding(name="user", good=None, text=text)
    for extra, module in (("cli", "click"), ("trio", "trio")):
        has = find_spec(module) is not None
        text = "installed" if has else f"not installed: pip install 'procctl[{extra}]'"
        yield Finding(name=f"extra {extra}", good=has or None, text=text)


def _cgroup() -> Finding:
    kill = any(
        os.access(f"{root}/cgroup.controllers", os.R_OK) and os.access(root, os.W_OK)
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    )
    text = (
        "cgroup2 is writable" if kill else "no writable cgroup2: trees are followed by group, session and environment"
    )
    return Finding(name="cgroup2", good=None, text=text)


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = max(0, (soft - 64) // 3)
    text = f"{soft} (up to {hard}): room for about {room} processes at three each"
    return Finding(name="descriptors", good=soft >= 1024, text=text)


def _processes() -> Finding:
    """What getrlimit(2) allows; root and whoever may act as root has no such limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if os.geteuid() == 0 or soft == resource.RLIM_INFINITY:
        return Finding(name="processes", good=True, text="no limit for this user")
    return Finding(name="processes", good=soft >= 256, text=f"{soft} of this user, threads included (ulimit -u)")


def _pipes() -> Finding | None:
    """Beyond this many pages of pipes a user's later pipes are small (pipe(7))."""
    try:
        with open("/proc/sys/fs/pipe-user-pages-soft") as file:
            pages = int(file.read())
    except (OSError, ValueError):
        return None
    if os.geteuid() == 0 or not pages:
        return Finding(name="pipes", good=True, text="no limit for this user")
    return Finding(name="pipes", good=True, text=f"{pages // 32} processes of this user get full-sized pipes")
