"""What the two ends say beneath the frames: one ZeroMQ message each, its first byte says what it is.

    h{"v": 1, "name": …, "max_frame": …}   hello: the first message of who connects
    w{"v": 1, "max_frame": …}              welcome: the answer to it
    d…                                     a frame
    x2000000                               in place of a frame of so many bytes, which the other end would not take
    c32                                    so many more frames may be sent, beyond the first `WINDOW`
    p                                      is there still somebody? Never answered: whether it can be sent is the answer
    b…                                     bye, and why

A message of another kind is ignored.
"""

from __future__ import annotations

import json

from attrs import frozen

__all__ = ["SMALLEST", "VERSION", "WINDOW", "Hello", "Unfit", "number", "parse_hello"]

VERSION = 1
WINDOW = 64
"""Frames that may be under way in one direction before more are asked for."""
SMALLEST = 1024
"""Bytes of a frame that everybody takes: what may be sent before the welcome has come."""
_LONGEST = 4096


class Unfit(Exception):
    """The other end does not keep to it; the text says how."""


@frozen(kw_only=True)
class Hello:
    """The first message of an end.

    Attributes:
        name: What it calls itself.
        max_frame: Bytes of the longest frame that it takes.
    """

    name: str = ""
    max_frame: int

    def said(self, kind: bytes) -> bytes:
        """As a message: ``h`` or ``w``."""
        return kind + json.dumps({"v": VERSION, "name": self.name, "max_frame": self.max_frame}).encode()


def parse_hello(text: bytes) -> Hello:
    """A hello or a welcome, without its first byte. Raises `Unfit`."""
    if len(text) > _LONGEST:
        raise Unfit(f"a hello of {len(text)} bytes")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise Unfit("a hello that is no JSON") from None
    version = said.get("v") if isinstance(said, dict) else None
    if version != VERSION or isinstance(version, bool):
        raise Unfit(f"version {version!r} of the messages beneath the frames; here it is {VERSION}")
    name, max_frame = said.get("name", ""), said.get("max_frame")
    if not isinstance(name, str) or len(name) > 255:
        raise Unfit("a hello with a name that is none")
    if not isinstance(max_frame, int) or isinstance(max_frame, bool) or max_frame < SMALLEST:
        raise Unfit(f"a hello without max_frame, of {SMALLEST} or more")
    return Hello(name=name, max_frame=max_frame)


def number(text: bytes) -> int:
    """A number that is said in a message. Raises `Unfit`."""
    if not text.isdigit() or len(text) > 15:
        raise Unfit("a number was expected")
    return int(text)
