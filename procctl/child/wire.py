"""The program's end of the channel: one JSON value a line over a socket, as between Node and its children."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections import deque
from typing import Any

__all__ = ["Wire", "take"]

_MAX_LINE = 1 << 20
_READ = 1 << 16


def take() -> int | None:
    """The descriptor of the channel, taken out of the environment so that no child of ours takes it for its own.

    Returns:
        None where there is none, or where it has been taken already.
    """
    ours = os.environ.pop("PROCCTL_CHANNEL_FD", None)
    nodes = os.environ.pop("NODE_CHANNEL_FD", None)
    if os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", "json") != "json" and ours is None:
        return None  # Node's own format
    text = ours or nodes or ""
    if not (text.isascii() and text.isdecimal()):
        return None
    fd = int(text)
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return None
    except (OSError, OverflowError):
        return None
    os.set_inheritable(fd, False)
    os.set_blocking(fd, False)
    return fd


class Wire:
    """Messages both ways; nothing here waits. May be used by several threads.

    Args:
        fd: Of the channel, non-blocking; None: nobody is there, and nothing happens.
    """

    def __init__(self, fd: int | None) -> None:
        self.fd = -1 if fd is None else fd
        self._lock = threading.Lock()
        self._begun = bytearray()
        self._unsent = bytearray()
        self._news: dict[str, Any] = {}  # what is said once there is room, the newest of each kind
        self._heard: deque[Any] = deque()

    def say(self, message: Any) -> bool:
        """Queue a message and send what can be sent; whether all is sent."""
        if self.fd < 0:
            return True
        with self._lock:
            while self._news:  # what was told before comes before
                self._unsent += _line(self._news.pop(next(iter(self._news))))
            self._unsent += _line(message)
            return self._send()

    def tell(self, kind: str, message: Any) -> None:
        """Say this now if there is room, else when there is; only the newest of its kind is kept till then."""
        if self.fd < 0:
            return
        _line(message)  # raises here and not later
        with self._lock:
            self._news[kind] = message
            self._send()

    def flush(self) -> bool:
        """Send what can be sent; whether all is."""
        with self._lock:
            return self.fd < 0 or self._send()

    def heard(self) -> Any:
        """The next message; `None` if there is none at present. A message that is null is passed over."""
        self._receive()
        return self._heard.popleft() if self._heard else None

    def close(self) -> None:
        """Nothing is said or heard any more."""
        with self._lock:
            fd, self.fd = self.fd, -1
            if fd >= 0:
                os.close(fd)

    def _send(self) -> bool:
        try:
            while self._unsent or self._news:
                if not self._unsent:
                    self._unsent += _line(self._news.pop(next(iter(self._news))))
                del self._unsent[: os.write(self.fd, self._unsent)]
        except BlockingIOError:
            return False
        except OSError:
            self._unsent.clear()  # the agent is gone; reading tells
            self._news.clear()
        return True

    def _receive(self) -> None:
        with self._lock:
            while self.fd >= 0 and not self._heard:
                try:
                    data = os.read(self.fd, _READ)
                except BlockingIOError:
                    return
                except OSError:
                    data = b""
                self._begun += data
                *lines, self._begun = self._begun.split(b"\n")
                self._heard.extend(message for line in lines if (message := _decoded(bytes(line))) is not None)
                if not data or len(self._begun) > _MAX_LINE:
                    os.close(self.fd)
                    self.fd = -1


def _line(message: Any) -> bytes:
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def _decoded(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
