"""What this kernel offers. Probed by trying, never by comparing versions."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys

from attrs import asdict, frozen

from . import oom, posix_spawn

__all__ = ["PIDFD_GET_INFO", "PIDFD_GROUP", "Features", "pidfd_info", "probe"]

PIDFD_GET_INFO = 0xC040FF0B
"""ioctl of linux/pidfd.h (6.13, exit status from 6.15): what the kernel knows of a process, reaped or not."""
PIDFD_GROUP = 4
"""PIDFD_SIGNAL_PROCESS_GROUP of linux/pidfd.h (6.9): the group that the process leads, or led."""
_INFO = struct.Struct("=QQ11Ii")
_INFO_EXIT = 8


@frozen(kw_only=True)
class Features:
    """By name; each has a fallback that is correct, if slower or with less to tell.

    Attributes:
        pidfd: A descriptor for a process (pidfd_open(2)): ends are seen at once and signals cannot hit a recycled pid.
            Else: exact pids are polled.
        pidfd_group: A signal to the group of a process by that descriptor. Else: by its number, checked just before.
        pidfd_info: The exit status of what somebody else has reaped. Else: unknown.
        posix_spawn: The C library's (`posix_spawn` here): the loop runs while a program is started. Else: subprocess.
        epoll: One wait for many descriptors (epoll(7)). Else: a task for each.
        procfs: /proc as Linux has it: descendants and statistics cheaply. Else: psutil.
        keeper: A process that outlives the agent can hold what is the agent's (unix(7), SCM_RIGHTS). Else: what runs
            outlives an agent that is killed, and is found by the records alone.
        inotify: Files that children write to themselves are read when they grow (inotify(7)). Else: looked at again and
            again.
        oom: Who was killed for want of memory can be seen (/dev/kmsg, or the counters of a memory cgroup). Else: it is
            told as any other that was killed.
        punch: Holes in files (fallocate(2)): such a file is rotated while a child has it open. Else: between runs. What
            a file system cannot do is found out when it is tried.
    """

    pidfd: bool = False
    pidfd_group: bool = False
    pidfd_info: bool = False
    posix_spawn: bool = False
    epoll: bool = False
    procfs: bool = False
    keeper: bool = False
    inotify: bool = False
    oom: bool = False
    punch: bool = False

    def as_dict(self) -> dict[str, bool]:
        """By name."""
        return asdict(self)


def pidfd_info(fd: int) -> int | None:
    """The wait status of a process that has ended and was reaped, by its pidfd; None: not to be had (yet)."""
    import fcntl

    buffer = bytearray(_INFO.pack(_INFO_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(fd, PIDFD_GET_INFO, buffer)
    except OSError:
        return None
    mask, *_, status = _INFO.unpack(buffer)
    return int(status) if mask & _INFO_EXIT else None


def probe() -> Features:
    """Try each."""
    pidfd = group = info = False
    try:
        fd = os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        pass
    else:
        try:
            signal.pidfd_send_signal(fd, 0)
            pidfd = True
            group = _signals_groups(fd)
            info = _knows_info(fd)
        except (AttributeError, OSError):
            pass
        finally:
            os.close(fd)
    procfs = _has_procfs()
    return Features(
        pidfd=pidfd,
        pidfd_group=group,
        pidfd_info=info,
        posix_spawn=posix_spawn.available(),
        epoll=hasattr(select, "epoll"),
        procfs=procfs,
        keeper=procfs and hasattr(socket, "SOCK_SEQPACKET") and os.access(sys.executable or "", os.X_OK),
        inotify=os.path.isdir("/proc/sys/fs/inotify"),
        oom=oom.tells(),
        punch=hasattr(os, "posix_fallocate") and sys.platform == "linux",
    )


def _signals_groups(fd: int) -> bool:
    try:
        signal.pidfd_send_signal(fd, 0, None, PIDFD_GROUP)
    except ProcessLookupError:
        return True  # this program leads no group
    except OSError:
        return False
    return True


def _knows_info(fd: int) -> bool:
    import fcntl

    buffer = bytearray(_INFO.pack(0, *[0] * 13))
    try:
        fcntl.ioctl(fd, PIDFD_GET_INFO, buffer)
    except OSError:
        return False
    return True


def _has_procfs() -> bool:
    try:
        with open("/proc/self/stat", "rb") as file:
            return file.read().startswith(b"%d (" % os.getpid())
    except OSError:
        return False
