"""The agent's end of the channel to a program: one JSON value a line, both ways, over a socketpair.

The wire is that of Node's child processes (``serialization: "json"``), so that ``process.on("message")`` and
``process.send`` work in a Node program as it is. Values are any JSON; what they mean is for `procctl.core.words`.

A program cannot hurt the agent with it. What it sends is bounded in the length of a line and its depth; when it sends
faster than `RATE` it is read no faster, and has to wait; what it does not read is bounded too. Who does not keep to
the wire loses the channel, and the log says who and why. The process itself lives on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from ..aio.poller import Poller

__all__ = ["MAX_DEPTH", "MAX_LINE", "MAX_UNREAD", "RATE", "BadLine", "Channel", "decode", "open_pair"]

logger = logging.getLogger("procctl.agent.channel")

MAX_LINE = 1 << 16
"""Bytes of one message."""
MAX_DEPTH = 16
"""Arrays and objects within each other; a question's answer has to fit into a frame of the protocol, too."""
MAX_UNREAD = 1 << 18
"""Bytes that are kept for a program that does not read."""
RATE = 200
"""Messages a second, after as many at once."""
_PAUSE = 0.1
"""Seconds for which a program that sends too fast is not read."""
_READ = 1 << 16
_AT_END = 2000
"""Messages that are taken in at the end of a process: what fits into a socket's buffer, roughly."""
_COMPLAINTS = 3
"""Messages that are not understood and that the log tells of, in one run."""


class BadLine(Exception):
    """A line that is none of the wire's."""


def open_pair() -> tuple[int, int]:
    """Both ends of a new channel: the agent's, non-blocking, and the program's. Raises OSError."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    here.setblocking(False)
    return here.detach(), there.detach()


def decode(line: bytes) -> Any:
    """The value of one line.

    Raises:
        BadLine: It is no JSON in UTF-8, or has halves of characters, or is nested too deep.
    """
    try:
        if _depth(line) > MAX_DEPTH:
            raise BadLine(f"nested deeper than {MAX_DEPTH}")
        value = json.loads(line.decode(), parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadLine(f"no JSON: {error}") from None
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _depth(line: bytes) -> int:
    """How deep it is nested at most. Brackets in texts count as well, but only where there are many."""
    if line.count(b"{") + line.count(b"[") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    inside = escaped = False
    for byte in line:
        if inside:
            inside = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            inside = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


class Channel:
    """One run's.

    Args:
        fd: The agent's end, non-blocking; closed at its end. It may have been made by somebody else.
        name: Of the process, for the log.
        poller: Tells when there is something.
        after: Calls later.
        heard: Takes each message; what it returns, if anything, is a complaint about the message.
        torn: Whether somebody else has read from it before: the first line may have lost its beginning.
    """

    __slots__ = ("_after", "_begun", "_complaints", "_fd", "_heard", "_left", "_name", "_paused", "_poller", "_since",
                 "_torn", "_unread", "_writer")  # fmt: skip

    def __init__(
        self,
        fd: int,
        name: str,
        poller: Poller,
        after: Callable[[float, Callable[[], None]], None],
        heard: Callable[[Any], str],
        torn: bool = False,
    ) -> None:
        self._fd = fd
        self._name = name
        self._poller = poller
        self._after = after
        self._heard = heard
        self._begun = bytearray()
        self._unread = bytearray()
        self._left = float(RATE)
        self._since = monotonic()
        self._paused = False
        self._writer = -1
        self._complaints = 0
        self._torn = torn
        poller.add(fd, self._readable)

    @property
    def fd(self) -> int:
        """The agent's end; -1: it is closed."""
        return self._fd

    @property
    def open(self) -> bool:
        """Whether the program can be heard."""
        return self._fd >= 0

    def send(self, text: str) -> None:
        """Say this, a text of JSON. To a channel that is closed it is not said: the process has ended, or will."""
        if self._fd < 0:
            return
        self._unread += text.encode() + b"\n"
        if self._writer < 0:
            self._write()
        if len(self._unread) > MAX_UNREAD:
            self._fail(f"it does not read: {len(self._unread)} bytes wait for it")

    def drain(self) -> None:
        """Take in what was said before the process ended."""
        self._left = _AT_END
        while self._fd >= 0 and self._left >= 1 and self._read():
            pass

    def close(self) -> None:
        """It is not needed any more."""
        self._end_writer()
        if self._fd >= 0:
            if not self._paused:
                self._poller.remove(self._fd)
            os.close(self._fd)
            self._fd = -1

    # reading --------------------------------------------------------------------------------------------------

    def _readable(self, closed: bool) -> None:
        self._read()

    def _read(self) -> bool:
        """One read; whether there may be more."""
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        if not data:
            self.close()
            return False
        self._begun += data
        self._take()
        return self._fd >= 0

    def _take(self) -> None:
        """Pass on whole lines, as many as the rate allows; the rest of them a little later."""
        now = monotonic()
        self._left = max(self._left, min(float(RATE), self._left + RATE * (now - self._since)))
        self._since = now
        begin = 0
        while self._fd >= 0 and self._left >= 1:
            end = self._begun.find(b"\n", begin)
            if end < 0:
                break
            self._left -= 1
            self._line(bytes(self._begun[begin:end]))
            begin = end + 1
        del self._begun[:begin]
        if self._fd >= 0 and self._left < 1 and not self._paused:
            self._paused = True
            self._poller.remove(self._fd)
            self._after(_PAUSE, self._go_on)
        elif self._fd >= 0 and len(self._begun) > MAX_LINE and b"\n" not in self._begun:
            self._fail(f"a message of more than {MAX_LINE} bytes")

    def _go_on(self) -> None:
        if self._fd < 0 or not self._paused:
            return
        self._paused = False
        self._poller.add(self._fd, self._readable)
        self._take()

    def _line(self, line: bytes) -> None:
        if len(line) > MAX_LINE:
            return self._fail(f"a message of more than {MAX_LINE} bytes")
        if not line.strip():
            return
        torn, self._torn = self._torn, False
        try:
            message = decode(line)
        except BadLine as error:
            return None if torn else self._fail(str(error))
        if isinstance(message, dict) and str(message.get("cmd", "")).startswith("NODE_"):
            return  # Node's own
        complaint = self._heard(message)
        if complaint:
            self._complaints += 1
            if self._complaints <= _COMPLAINTS:
                logger.warning("%s: a message that is not understood: %s", self._name, complaint)

    # writing --------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        try:
            while self._unread:
                del self._unread[: os.write(self._fd, self._unread)]
        except BlockingIOError:
            if self._writer < 0:  # epoll knows a descriptor once: a second one is for the other direction
                self._writer = os.dup(self._fd)
                self._poller.add(self._writer, self._writable, writing=True)
            return
        except OSError:
            self._unread.clear()  # nobody is there to read it; that nobody is shows when it is read from
        self._end_writer()

    def _writable(self, closed: bool) -> None:
        self._write()

    def _end_writer(self) -> None:
        if self._writer >= 0:
            self._poller.remove(self._writer)
            os.close(self._writer)
            self._writer = -1

    def _fail(self, why: str) -> None:
        logger.warning("%s: its channel is closed: %s", self._name, why)
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._fd)) as here:
            here.shutdown(socket.SHUT_RDWR)  # a keeper may hold a copy, and the program is to see the end all the same
        self.close()
