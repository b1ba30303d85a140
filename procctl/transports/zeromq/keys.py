"""CURVE keys in files. A key is 32 bytes, written as 64 hexadecimal digits: fit for URLs, file names and identities."""

from __future__ import annotations

import os
from pathlib import Path

import zmq
from attrs import field, frozen
from zmq.utils import z85

from ...errors import BadConfig, Unsupported

__all__ = ["KeyPair", "as_zmq", "listed", "new_pair", "parse_public", "read_pair", "write_pair"]

_DIGITS = frozenset("0123456789abcdef")


@frozen
class KeyPair:
    """Attributes: public: May be known to all. secret: Proves that one is who has the public one."""

    public: str
    secret: str = field(repr=False)


def new_pair() -> KeyPair:
    """A fresh one.

    Raises:
        Unsupported: This libzmq has no CURVE.
    """
    if not zmq.has("curve"):
        raise Unsupported("this libzmq is built without CURVE", "pip install --force-reinstall pyzmq")
    public, secret = zmq.curve_keypair()
    return KeyPair(z85.decode(public).hex(), z85.decode(secret).hex())


def write_pair(path: Path, pair: KeyPair) -> Path:
    """Write the secret to a new file that only its owner can read, the public key beside it: FILE and FILE.pub.

    Raises:
        BadConfig: One of them exists, or cannot be made.
    """
    public = path.with_name(path.name + ".pub")
    _write(public, f"{pair.public}\n", 0o644)
    try:
        _write(path, f"{pair.secret}\n", 0o600)
    except BadConfig:
        public.unlink()
        raise
    return public


def read_pair(text: str, where: str) -> KeyPair:
    """The pair of a secret key's file.

    Args:
        text: Its path.
        where: Where that is said, for errors.

    Raises:
        BadConfig: It cannot be read, others can read it, or it holds something else.
    """
    path = Path(text).expanduser()
    try:
        with path.open() as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1000).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadConfig(f"cannot read the key {path} of {where}: {why}", "procctl key new makes one") from None
    if mode & 0o077:
        raise BadConfig(f"the secret key {path} can be read by others", f"chmod 600 {path}")
    if not _is_key(content):
        raise BadConfig(f"{path} holds no secret key", "64 hexadecimal digits; procctl key new writes one")
    public = zmq.curve_public(z85.encode(bytes.fromhex(content)))
    return KeyPair(z85.decode(public).hex(), content)


def parse_public(text: str, where: str) -> str:
    """A public key as it is written. Raises `BadConfig`."""
    if not _is_key(text):
        raise BadConfig(f"{where}: {text!r} is no public key", "64 hexadecimal digits, as in the .pub beside a key")
    return text


def listed(text: str, where: str) -> frozenset[str]:
    """The public keys in a file, one a line; what follows a key on its line, and lines that begin with #, are notes.

    Raises:
        BadConfig: It cannot be read, or a line has no key.
    """
    path = Path(text).expanduser()
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadConfig(f"cannot read the keys {path} of {where}: {why}") from None
    words = [(number, line.split()) for number, line in enumerate(lines, 1)]
    keys = [(number, line[0]) for number, line in words if line and not line[0].startswith("#")]
    return frozenset(parse_public(key, f"{path}, line {number}") for number, key in keys)


def as_zmq(key: str) -> bytes:
    """A key as libzmq wants it (Z85, ZeroMQ RFC 32)."""
    encoded: bytes = z85.encode(bytes.fromhex(key))
    return encoded


def _is_key(text: str) -> bool:
    return len(text) == 64 and _DIGITS.issuperset(text)


def _write(path: Path, text: str, mode: int) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise BadConfig(f"cannot write {path}: {error.strerror}", "name another file with --out") from None
    with open(fd, "w") as file:
        file.write(text)
