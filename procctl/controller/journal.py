"""What a controller has granted, in its state folder: durable before anybody hears of it.

A lease is a document of its own. What is decided while one commit is under way goes into the next one together, so the
more there is to do, the more leases share one fsync.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import anyio
from attrs import frozen

from ..abc import Store
from ..aio.wake import Wake
from ..core.gate import Note, Strike
from ..core.leases import Lease
from ..errors import BadConfig, BadMessage
from ..service.ground import Ground, Held, Work
from ..wire.codec import structure, unstructure

__all__ = ["JOURNAL", "Journal", "Recalled"]

logger = logging.getLogger("procctl.controller")

JOURNAL = "leases.sqlite"
_LEASE = "lease/"
_TOKEN = "token"
_EPOCH = "epoch"
_BORN = "born"
_HINT = (
    f"move {JOURNAL} and what is beside it away to begin anew: agents that join say what they hold; "
    "start nothing that is for one before all have joined"
)


@frozen(kw_only=True)
class Recalled:
    """What an earlier life has put down. Attributes: token: The highest. epoch: Of this life. born: The first life."""

    leases: tuple[Lease, ...]
    token: int
    epoch: int
    born: int


class Journal:
    """The leases of one controller. It is a `link.doorkeeper.Notebook`.

    Args:
        folder: Whose this is; given back with this.
        store: Where they are; closed with this.
        work: Does what blocks.
    """

    def __init__(self, folder: Held, store: Store, work: Work) -> None:
        self._work = work
        self._folder = folder
        self._store = store
        self._trouble = ""
        self._next: tuple[Sequence[Note | Strike], Callable[[str], None]] | None = None
        self._wake = Wake()
        self._lock = Lock()
        self._closed = False

    @classmethod
    def of(cls, folder: Path, ground: Ground | None = None) -> Journal:
        """The one of a folder, which is made where it is missing, for its user alone. Blocks.

        Raises:
            BadConfig: It cannot be made or used, or another controller has it.
        """
        ground = ground or Ground()
        held = ground.folder(folder, "controller")
        try:
            return cls(held, ground.store(f"sqlite://{quote(str(folder / JOURNAL))}?durable=yes"), ground.work)
        except BaseException:
            held.close()
            raise

    def begin(self, wall: float) -> Recalled:
        """What is there, and that a new life begins. Blocks.

        Args:
            wall: Seconds since the epoch. The number of a life is at least that of its beginning, so that one with a
                journal of its own is later than one before it that had none.

        Raises:
            BadConfig: A document cannot be read, or nothing can be put down.
        """
        documents = dict(self._store.items())
        try:
            token, last = int(documents.get(_TOKEN, "0")), int(documents.get(_EPOCH, "0"))
            epoch = max(last + 1, int(wall * 1000))
            born = int(documents.get(_BORN, str(epoch)))
        except ValueError as error:
            raise BadConfig(f"the lease journal cannot be read: {error}", _HINT) from None
        leases = tuple(_lease(key, text) for key, text in documents.items() if key.startswith(_LEASE))
        try:
            self._store.write([(_EPOCH, str(epoch)), (_BORN, str(born))])
        except OSError as error:
            raise BadConfig(f"the lease journal cannot be written: {error}") from None
        return Recalled(leases=leases, token=max([token, *(lease.token for lease in leases)]), epoch=epoch, born=born)

    def write(self, batch: Sequence[Note | Strike], done: Callable[[str], None]) -> None:
        """See `link.doorkeeper.Notebook`."""
        self._next = (batch, done)
        self._wake.set()

    async def run(self) -> None:
        """Writes, in a thread. Never returns; cancelled to end it."""
        while True:
            await self._wake.wait()
            if self._next is None:
                continue
            (batch, done), self._next = self._next, None
            with anyio.CancelScope(shield=True):
                why = await self._work(self._commit, _changes(batch))
            done(why)

    def _commit(self, changes: list[tuple[str, str | None]]) -> str:
        """Empty, or why not; then what was there before still is."""
        with self._lock:
            if self._closed:
                return "the controller has ended"
            try:
                self._store.write(changes)
            except OSError as error:
                if not self._trouble:
                    logger.error("nothing can be put down, so nothing is granted: %s", error)
                self._trouble = str(error)
                return self._trouble
            if self._trouble:
                logger.warning("what is granted can be put down again")
                self._trouble = ""
        return ""

    def close(self) -> None:
        """Everything is there, also what was about to be written. Blocks for as long as a commit is under way."""
        if self._next is not None:
            self._commit(_changes(self._next[0]))
        with self._lock:
            self._closed = True
            self._store.close()
            self._folder.close()


def _changes(batch: Sequence[Note | Strike]) -> list[tuple[str, str | None]]:
    changes: list[tuple[str, str | None]] = []
    highest = 0
    for out in batch:
        if isinstance(out, Note):
            text = json.dumps(unstructure(out.lease), separators=(",", ":"))
            changes.append((f"{_LEASE}{out.lease.token}", text))
            highest = max(highest, out.lease.token if out.given else 0)
        else:
            changes.append((f"{_LEASE}{out.token}", None))
    return [*changes, (_TOKEN, str(highest))] if highest else changes


def _lease(key: str, text: str) -> Lease:
    try:
        lease: Lease = structure(json.loads(text), Lease)
    except (ValueError, BadMessage) as error:
        raise BadConfig(f"the record {key} of the lease journal cannot be read: {error}", _HINT) from None
    return lease
