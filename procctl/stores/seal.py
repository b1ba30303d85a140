"""How far a store goes, in a small file beside it.

A database that has lost what was written to it last looks sound: SQLite ends its log at the first frame that it cannot
read (https://www.sqlite.org/walformat.html), and a file that was emptied is a new one. So each write is numbered, the
number and a digest of all contents are written with it, and once more in here, after it. What is in here is therefore
never ahead of the store, unless the store has lost something.
"""

from __future__ import annotations

import os
from hashlib import blake2b

from attrs import frozen

__all__ = ["Mark", "Seal", "hash_of"]

_MASK = (1 << 128) - 1
_LIMIT = 256


@frozen
class Mark:
    """How far a store goes.

    Attributes:
        number: Of its last write.
        digest: The sum, modulo 2^128, of the hashes of all that is in it.
    """

    number: int = 0
    digest: int = 0

    def after(self, less: int, more: int) -> Mark:
        """One write later: hashes that are not in it any more, and new ones, each as a sum."""
        return Mark(self.number + 1, (self.digest - less + more) & _MASK)

    @property
    def text(self) -> str:
        """Of a fixed length."""
        return f"{self.number:020d} {self.digest:032x}"

    @staticmethod
    def of(text: str) -> Mark:
        """Raises ValueError if it is none."""
        number, digest = text.split()
        mark = Mark(int(number), int(digest, 16))
        if mark.text != text:
            raise ValueError(text)
        return mark


def hash_of(key: str, value: str) -> int:
    """Of one document: BLAKE2b (RFC 7693) of 16 bytes."""
    text = f"{len(key)}:{key}{value}"
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())


class Seal:
    """The file. A write of it is a short one in place, for which no disk is waited for: after a power cut it may be
    behind the store, which is sound.

    Args:
        path: Where.
        boot: Which boot of the machine this is, or empty; it is written beside the mark.
    """

    def __init__(self, path: str, boot: str = "") -> None:
        self.path = path
        self._boot = boot
        self._fd = -1

    def read(self) -> tuple[Mark, str] | None:
        """How far the store went, and in which boot; None: there is no such file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not one.
        """
        try:
            with open(self.path, encoding="ascii") as file:
                text, _, boot = file.read(_LIMIT).partition("\n")
        except FileNotFoundError:
            return None
        return Mark.of(text), boot.strip()

    def open(self, mark: Mark, durable: bool) -> None:
        """Begin, with what the store says; if it is to be durable, that is on the disk when this returns. Raises
        OSError."""
        self.close()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._fd, os.pwrite(self._fd, f"{mark.text}\n{self._boot}\n".encode("ascii"), 0))
        if not durable:
            return
        os.fsync(self._fd)
        folder = os.open(os.path.dirname(self.path) or ".", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def write(self, mark: Mark) -> None:
        """The store has got so far. Raises OSError."""
        os.pwrite(self._fd, mark.text.encode("ascii"), 0)

    def close(self) -> None:
        """Twice is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
