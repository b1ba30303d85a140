"""When a process counts as ready: ``ready=procctl.ready.tcp(8000)``."""

from __future__ import annotations

from collections.abc import Sequence

from .core.specs import ReadyCommand, ReadyLog, ReadyMessage, ReadyTcp

__all__ = ["command", "log", "message", "tcp"]


def tcp(port: int, host: str = "127.0.0.1", *, every: float = 0.1, timeout: float = 30.0) -> ReadyTcp:
    """Ready when something accepts a connection on this port.

    Args:
        port: 1 to 65535.
        host: A name or an address.
        every: Seconds between tries.
        timeout: Seconds after which the process is stopped as a failure.
    """
    return ReadyTcp(port=port, host=host, every=every, timeout=timeout)


def log(pattern: str, *, timeout: float = 30.0) -> ReadyLog:
    """Ready when a line of its output matches this regular expression (searched, not anchored)."""
    return ReadyLog(pattern=pattern, timeout=timeout)


def command(command: Sequence[str], *, every: float = 0.5, timeout: float = 30.0) -> ReadyCommand:
    """Ready when this program, run in the process's folder and environment, exits with 0."""
    return ReadyCommand(command=tuple(command), every=every, timeout=timeout)


def message(text: str = "ready", *, timeout: float = 30.0) -> ReadyMessage:
    """Ready when the program sends this text on its channel: ``process.send("ready")``, ``await parent.ready()``."""
    return ReadyMessage(message=text, timeout=timeout)
