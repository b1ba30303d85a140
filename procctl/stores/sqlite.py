"""A store in one SQLite file.

Write-ahead log, and no fsync: what was put survives SIGKILL of this program since the kernel has it, and a power cut
changes the boot, after which nothing that was recorded runs any more. A put is one write of some 30 µs, so it is done
in the caller's thread. With ``?durable=yes`` each commit is on the disk when it returns (``PRAGMA synchronous=FULL``),
which takes as long as the disk takes: for what programs on other machines go by.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import BadConfig

__all__ = ["SqliteStore"]

FORMAT = 1
_APPLICATION = 0x50524343
"""In the file's header: ours, and no other program's (sqlite3's application_id)."""
_PUT = "INSERT INTO documents VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_DELETE = "DELETE FROM documents WHERE key = ?"
_BUSY = 2.0
"""Seconds for a process between fork and exec to let go of an earlier program's lock."""


class SqliteStore:
    """See `procctl.abc.Store`. Its URL is ``sqlite:///PATH``; a missing file is made, for its user alone."""

    def __init__(self) -> None:
        self._base: sqlite3.Connection | None = None
        self._durable = False

    def open(self, url: str) -> None:
        """Begin."""
        path = unquote(urlsplit(url).path)
        self._durable = parse_qs(urlsplit(url).query).get("durable") == ["yes"]
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            base = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise BadConfig(f"cannot open {path}: {getattr(error, 'strerror', None) or error}") from None
        try:
            self._prepare(base, path)
        except sqlite3.Error as error:
            base.close()
            raise _unusable(path, str(error)) from None
        except BaseException:
            base.close()
            raise
        self._base = base

    def _prepare(self, base: sqlite3.Connection, path: str) -> None:
        base.execute("PRAGMA locking_mode=EXCLUSIVE")
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        (ours,) = base.execute("PRAGMA application_id").fetchone()
        (known,) = base.execute("PRAGMA user_version").fetchone()
        tables = base.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and ours != _APPLICATION:
            raise _unusable(path, "it is a database of another program")
        if known > FORMAT:
            raise _unusable(path, f"it was written by a newer procctl (format {known}, this one knows {FORMAT})")
        (sound,) = base.execute("PRAGMA quick_check(1)").fetchone()
        if sound != "ok":
            raise _unusable(path, sound)
        base.execute("CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        base.execute(f"PRAGMA application_id={_APPLICATION}")
        base.execute(f"PRAGMA user_version={FORMAT}")

    def items(self) -> list[tuple[str, str]]:
        """Everything."""
        assert self._base is not None
        return [(str(k), str(v)) for k, v in self._base.execute("SELECT key, value FROM documents ORDER BY rowid")]

    def put(self, key: str, value: str) -> None:
        """One write."""
        self._write(_PUT, key, value)

    def delete(self, key: str) -> None:
        """One write."""
        self._write(_DELETE, key)

    def write(self, changes: Sequence[tuple[str, str | None]]) -> None:
        """One transaction, and one fsync where it is durable."""
        assert self._base is not None
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                for key, value in changes:
                    self._base.execute(*((_DELETE, (key,)) if value is None else (_PUT, (key, value))))
                self._base.execute("COMMIT")
            except sqlite3.Error:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise OSError(str(error)) from None

    def _write(self, statement: str, *values: str) -> None:
        assert self._base is not None
        try:
            self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise OSError(str(error)) from None

    def close(self) -> None:
        """The log is written back into the file."""
        if self._base is not None:
            self._base.close()
            self._base = None


def _unusable(path: str, why: str) -> BadConfig:
    hint = f"move it away to begin anew (mv {path} {path}.bad): what it records of running programs is lost then"
    return BadConfig(f"{path} cannot be used: {why}", hint)
