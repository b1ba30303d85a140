"""Files of credentials: read as their owner's alone, known by their digests, read again when they have changed."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path

from ..core.auth import Auth
from ..core.credentials import Credential, digest, line_of, read_credentials
from ..errors import BadConfig
from ..service.urls import is_local, transport_for
from .door import Grant

__all__ = [
    "TokenFile",
    "add_line",
    "bearer",
    "new_token",
    "own_file",
    "own_token",
    "read_private",
    "with_token",
    "write_new",
]

logger = logging.getLogger("procctl.link")

_LARGEST = 1 << 20
Stamp = tuple[int, int, int, int]


def own_file(name: str = "token") -> Path:
    """Where the user's own token is, or another secret of that name.

    Raises:
        BadConfig: The user has no home.
    """
    given = os.environ.get("XDG_CONFIG_HOME")
    try:
        return (Path(given) if given else Path.home() / ".config") / "procctl" / name
    except RuntimeError as error:
        raise BadConfig(f"there is no place for a {name}: {error}", "set XDG_CONFIG_HOME, or name a file") from None


def own_token() -> Path:
    """The user's own token file, made if it is not there. Two that make it at once get the same.

    Raises:
        BadConfig: It cannot be made.
    """
    file = own_file()
    if not file.exists():
        with contextlib.suppress(FileExistsError):
            write_new(file, line_of(new_token("owner", frozenset({"owner"}), None)))
    return file


def new_token(name: str, roles: frozenset[str], expires: float | None) -> Credential:
    """A token of 256 random bits."""
    token = secrets.token_urlsafe(32)
    return Credential(token=token, digest=digest(token), name=name, roles=roles, expires=expires)


def write_new(file: Path, line: str) -> None:
    """A new file with one line, mode 0600; nobody sees it half written.

    Raises:
        FileExistsError: It is there already.
        BadConfig: It cannot be written.
    """
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "w", encoding="utf-8") as out:
                out.write(line + "\n")
                out.flush()
                os.fsync(fd)
            os.link(beside, file)  # and not rename(2), which would replace one that is there
        finally:
            os.unlink(beside)
    except FileExistsError:
        raise
    except OSError as error:
        raise BadConfig(f"cannot write {file}: {error.strerror}") from None


def add_line(file: Path, line: str) -> None:
    """One more line at the end of a file of credentials, which is made if it is not there.

    Raises:
        BadConfig: It cannot be written, or what is there is no file of credentials.
    """
    try:
        return write_new(file, line)
    except FileExistsError:
        text, _ = read_private(file)
    read_credentials(text + line, str(file))
    try:
        with file.open("a", encoding="utf-8") as out:
            out.write(line + "\n" if text.endswith("\n") or not text else f"\n{line}\n")
    except OSError as error:
        raise BadConfig(f"cannot write {file}: {error.strerror}") from None


def read_private(file: Path) -> tuple[str, Stamp]:
    """A file that only its owner can read, and by what it is known that it has changed.

    Raises:
        BadConfig: It cannot be read, or others can read it too.
    """
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadConfig(f"cannot read {file}: {error.strerror}", "procctl token new makes one") from None
    try:
        status = os.fstat(fd)
        _check_owner(file, status)
        with open(fd, "rb", closefd=False) as opened:
            data = opened.read(_LARGEST + 1)
    finally:
        os.close(fd)
    if len(data) > _LARGEST:
        raise BadConfig(f"{file} is larger than {_LARGEST} bytes")
    try:
        return data.decode("utf-8"), _stamp(status)
    except UnicodeDecodeError as error:
        raise BadConfig(f"{file} is not UTF-8: {error.reason} at byte {error.start}") from None


def _check_owner(file: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BadConfig(f"{file} is no file")
    if status.st_uid not in (0, os.geteuid()):
        raise BadConfig(f"{file} belongs to another user (uid {status.st_uid})", f"chown it to uid {os.geteuid()}")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise BadConfig(f"{file} can be read or written by others (mode {mode:04o})", f"chmod 600 {file}")


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


class TokenFile:
    """What a listener knows. A file that cannot be read, or that became wrong, lets nobody in.

    Args:
        file: Of credentials.
        now: The wall clock, seconds since the epoch; None: the system's.
    """

    def __init__(self, file: Path, now: Callable[[], float] | None = None) -> None:
        self._file = file
        self._now = now or time.time
        self._stamp: Stamp | None = None
        self._tokens: dict[str, Credential] = {}
        self._identities: dict[str, Credential] = {}
        self._complaint = ""

    def read(self) -> None:
        """Read it now.

        Raises:
            BadConfig: It is not the owner's alone, or a line is wrong, or does not say what it gives.
        """
        text, stamp = read_private(self._file)
        found = read_credentials(text, str(self._file))
        for one in found:
            if not one.roles:
                where = f"{self._file}:{one.line}"
                raise BadConfig(f"{where}: it does not say what it gives", "add can=viewer, operator, agent or owner")
        self._tokens = {one.digest: one for one in found if one.digest}
        self._identities = {one.identity: one for one in found if one.identity}
        self._stamp, self._complaint = stamp, ""

    def by_token(self, token: str) -> Grant | None:
        self._refresh()
        return self._grant(self._tokens.get(digest(token)))

    def by_identity(self, identity: str) -> Grant | None:
        self._refresh()
        return self._grant(self._identities.get(identity))

    def _grant(self, one: Credential | None) -> Grant | None:
        if one is None or (one.expires is not None and one.expires <= self._now()):
            return None
        return Grant(name=one.name, roles=one.roles, expires=one.expires)

    def _refresh(self) -> None:
        try:
            if _stamp(os.stat(self._file)) != self._stamp:
                self.read()
        except (BadConfig, OSError) as error:
            self._tokens, self._identities, self._stamp = {}, {}, None
            if str(error) != self._complaint:
                self._complaint = str(error)
                logger.error("nobody is let in by a credential: %s", error)


def bearer(url: str, token: str, auth: Auth | None) -> Callable[[], str]:
    """What to show at a URL: a function that is asked anew for each link, since the file may have changed.

    The user's own token is shown to this machine only, and not where the transport proves enough.

    Raises (the function, the first time):
        BadConfig: The file cannot be used, or there is no token in it.
    """
    if token or auth is None:
        return lambda: token
    if auth.token_file:
        return _Shown(lambda: Path(auth.token_file))
    if is_local(url) and not transport_for(url).traits.owner:
        return _Shown(own_token)
    return lambda: ""


def with_token(token: str) -> dict[str, str]:
    """The option by which a transport is told what to show."""
    return {"token": token} if token else {}


class _Shown:
    """The first token of a file. Once it was had, a file that became wrong changes nothing."""

    def __init__(self, file: Callable[[], Path]) -> None:
        self._file = file
        self._last = ""

    def __call__(self) -> str:
        try:
            self._last = first_token(self._file())
        except BadConfig as error:
            if not self._last:
                raise
            logger.warning("the token that was read before is shown: %s", error)
        return self._last


def first_token(file: Path) -> str:
    """The token that is shown.

    Raises:
        BadConfig: There is none.
    """
    text, _ = read_private(file)
    for one in read_credentials(text, str(file)):
        if one.token:
            return one.token
    raise BadConfig(f"there is no token in {file} that could be shown", "procctl token new makes one")
