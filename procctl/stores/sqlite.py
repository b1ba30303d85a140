"""A store in one SQLite file, and two beside it.

Write-ahead log, and no fsync: what was put survives SIGKILL of this program since the kernel has it, and a power cut
changes the boot, after which nothing that was recorded runs any more. A put is one write of some 30 µs, so it is done
in the caller's thread. With ``?durable=yes`` each commit is on the disk when it returns (``PRAGMA synchronous=FULL``),
which takes as long as the disk takes: for what programs on other machines go by.

What was lost of it or altered in it is noticed when it is opened, see `Seal`; that it was moved away, when something is
written. With ``?boot=ID`` what was written in another boot of the machine is taken as it is: without fsync the order
in which it reached the disk is not known.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from shlex import quote
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import BadConfig
from .seal import Mark, Seal, hash_of

__all__ = ["SqliteStore"]

FORMAT = 2
_APPLICATION = 0x50524343
"""In the file's header: ours, and no other program's (sqlite3's application_id)."""
_PUT = "INSERT INTO documents VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_PUT_MARKED = "INSERT INTO documents VALUES (?, ?), ('', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_DELETE = "DELETE FROM documents WHERE key = ?"
_ALL = "SELECT key, value FROM documents WHERE key <> '' ORDER BY rowid"
_MARK = "SELECT value FROM documents WHERE key = ''"
_BUSY = 2.0
"""Seconds for a process between fork and exec to let go of an earlier program's lock."""
_EVERY = 0.25
"""Seconds after which it is looked at again whether its files are there; before each write where it is durable."""


class SqliteStore:
    """See `procctl.abc.Store`. Its URL is ``sqlite:///PATH``; a missing file is made, for its user alone.

    The empty key is the store's own: its mark is there.
    """

    def __init__(self) -> None:
        self._base: sqlite3.Connection | None = None
        self._path = ""
        self._durable = False
        self._boot: str | None = None
        self._seal = Seal("")
        self._sealed = True
        self._mark = Mark()
        self._hashes: dict[str, int] = {}
        self._files: dict[str, tuple[int, int]] = {}
        self._next = 0.0

    def open(self, url: str) -> None:
        """Begin."""
        path = self._path = unquote(urlsplit(url).path)
        options = parse_qs(urlsplit(url).query, keep_blank_values=True)
        self._durable = options.get("durable") == ["yes"]
        self._boot = options.get("boot", [None])[0]
        self._seal = Seal(f"{path}-seal", self._boot or "")
        try:
            if not os.path.exists(path):
                self._check_new("missing")
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            base = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            text = f"cannot open {path}: {getattr(error, 'strerror', None) or error}"
            raise BadConfig(text, "see to that file, or use another folder") from None
        try:
            self._prepare(base)
        except BaseException as error:
            self._leave(base)
            self._seal.close()
            if isinstance(error, sqlite3.Error):
                raise self._refusal(error) from None
            if isinstance(error, OSError):
                raise BadConfig(f"cannot write {error.filename or path}: {error.strerror}") from None
            raise
        self._base = base

    def _prepare(self, base: sqlite3.Connection) -> None:
        base.execute("PRAGMA locking_mode=EXCLUSIVE")
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        (ours,) = base.execute("PRAGMA application_id").fetchone()
        (known,) = base.execute("PRAGMA user_version").fetchone()
        tables = base.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and ours != _APPLICATION:
            raise self._unusable("it is a database of another program")
        if known > FORMAT:
            raise self._unusable(f"it was written by a newer procctl (format {known}, this one knows {FORMAT})")
        (sound,) = base.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":
            raise self._unusable(sound)
        if tables:
            self._hashes = {str(key): hash_of(str(key), str(value)) for key, value in base.execute(_ALL)}
        mark = Mark(0, sum(self._hashes.values())).after(0, 0)
        if known == FORMAT:
            mark = self._checked(base, mark)
        elif not tables:
            self._check_new("empty")
        before = mark if known == FORMAT else Mark()
        self._seal.open(before, self._durable)  # there before the store is, and never ahead of it
        base.execute("BEGIN IMMEDIATE")
        base.execute("CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        base.execute(_PUT, ("", mark.text))
        base.execute(f"PRAGMA application_id={_APPLICATION}")
        base.execute(f"PRAGMA user_version={FORMAT}")
        base.execute("COMMIT")
        if not tables:  # what it is stands in the file itself from the beginning, and not in its log alone
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._seal.write(mark)
        self._mark = mark
        self._files = {name: _inode(name) for name in (self._path, f"{self._path}-wal", self._seal.path)}

    def _leave(self, base: sqlite3.Connection) -> None:
        """Close it, and leave the log there, whatever it still has: SQLite would remove it."""
        log, kept = f"{self._path}-wal", f"{self._path}-wal.kept"
        try:
            os.link(log, kept)
        except OSError:  # there is none, or this file system has no links
            base.close()
            return
        base.close()
        os.replace(kept, log)
        with suppress(FileNotFoundError):
            os.unlink(kept)  # where both were the same file still, nothing was replaced

    def _check_new(self, how: str) -> None:
        """What has nothing in it never had."""
        mark, boot = self._read_seal() or (Mark(), "")
        if mark.number and self._same_boot(boot):
            raise self._unusable(f"it is {how}, and {mark.number} writes were made to it")

    def _checked(self, base: sqlite3.Connection, found: Mark) -> Mark:
        """How far it goes, if that is as far as it went, and it says what was put."""
        sealed = self._read_seal()
        row = base.execute(_MARK).fetchone()
        mark = None
        if row is not None:
            with suppress(AttributeError, ValueError):
                mark = Mark.of(row[0])
        if sealed is not None and not self._same_boot(sealed[1]):
            return Mark(max(sealed[0].number, 0 if mark is None else mark.number), found.digest)
        if sealed is None:
            raise self._unusable(f"{self._seal.path}, which says how far it goes, is missing")
        if mark is not None and mark.number < sealed[0].number:
            lost = f"the last {sealed[0].number - mark.number} writes to it are lost"
            raise self._unusable(f"{lost}; {self._path}-wal is torn or missing")
        if mark is None or mark.digest != found.digest or (mark.number == sealed[0].number and mark != sealed[0]):
            raise self._unusable("its contents are not what was written to it")
        return mark

    def _same_boot(self, boot: str) -> bool:
        """Whether what was written then is here in the order in which it was written."""
        return self._boot is None or (self._boot != "" and self._boot == boot)

    def _read_seal(self) -> tuple[Mark, str] | None:
        try:
            return self._seal.read()
        except ValueError:
            raise self._unusable(f"{self._seal.path}, which says how far it goes, cannot be read") from None

    def _refusal(self, error: sqlite3.Error) -> BadConfig:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return BadConfig(f"{self._path} is in use by another program", "stop that one, or use another folder")
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
                return self._unusable(str(error))
        return BadConfig(f"cannot use {self._path}: {error}", "see to the disk and to the rights of its folder")

    def _unusable(self, why: str) -> BadConfig:
        folder = os.path.join(os.path.dirname(self._path), f"aside-{time.strftime('%Y%m%dT%H%M%S')}")
        aside = f"mkdir {quote(folder)} && mv {quote(self._path)}* {quote(folder)}/"
        hint = (
            "begin anew without it; what runs is not known then, so start nothing that may run only once until agents "
            f"have joined, or it has ended: {aside}"
        )
        return BadConfig(f"{self._path} cannot be used: {why}", hint)

    def items(self) -> list[tuple[str, str]]:
        """Everything."""
        assert self._base is not None
        return [(str(key), str(value)) for key, value in self._base.execute(_ALL)]

    def put(self, key: str, value: str) -> None:
        """One write."""
        assert self._base is not None
        new = hash_of(key, value)
        mark = self._mark.after(self._hashes.get(key, 0), new)
        self._look()
        try:
            self._base.execute(_PUT_MARKED, (key, value, mark.text))
        except sqlite3.Error as error:
            raise OSError(str(error)) from None
        self._hashes[key] = new
        self._reached(mark)

    def delete(self, key: str) -> None:
        """One write."""
        self.write([(key, None)])

    def write(self, changes: Sequence[tuple[str, str | None]]) -> None:
        """One transaction, and one fsync where it is durable."""
        assert self._base is not None
        self._look()
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                for key, value in changes:
                    self._base.execute(*((_DELETE, (key,)) if value is None else (_PUT, (key, value))))
                hashes = {key: 0 if value is None else hash_of(key, value) for key, value in changes}
                mark = self._mark.after(sum(self._hashes.get(key, 0) for key in hashes), sum(hashes.values()))
                self._base.execute(_PUT, ("", mark.text))
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise OSError(str(error)) from None
        for key, new in hashes.items():
            if new:
                self._hashes[key] = new
            else:
                self._hashes.pop(key, None)
        self._reached(mark)

    def _look(self) -> None:
        """Raises OSError if its files are not there any more, or its mark could not be sealed."""
        if self._durable or time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._look_for_files()
        if not self._sealed:
            self._seal.write(self._mark)
            self._sealed = True

    def _look_for_files(self) -> None:
        for name, known in self._files.items():
            if _inode(name) != known:
                raise OSError(
                    f"{name} was moved away or replaced under the program with pid {os.getpid()}: start that anew"
                )

    def _reached(self, mark: Mark) -> None:
        """What was written is written; that this could not be sealed stops the next write, see `_look`."""
        self._mark = mark
        try:
            self._seal.write(mark)
        except OSError:
            self._sealed = False

    def close(self) -> None:
        """The log is written back into the file."""
        if self._base is not None:
            self._base.close()
            self._base = None
            self._seal.close()


def _inode(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
