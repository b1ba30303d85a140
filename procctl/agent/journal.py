"""What the next agent has to know, in the state folder: a document for each process, there before it is acted on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from ..abc import Store
from ..core.process import Process
from ..core.records import Ident
from ..errors import BadConfig, BadMessage
from ..wire.codec import structure, unstructure

__all__ = ["OUTPUT", "STATE", "Journal", "Kept"]

logger = logging.getLogger("procctl.agent.journal")

STATE = "state.sqlite"
OUTPUT = "output"
_DECLARED = "declared"
_TOKEN = "token"
_LEASES = "leases"
_BEGUN = "begun"
_PREFIX = "process/"


@frozen(kw_only=True)
class Kept:
    """One process as it was recorded.

    Attributes:
        process: As the core knew it.
        ident: Of its run, or None.
        mark: Of the run of the agent that recorded it.
    """

    process: Process
    ident: Ident | None = None
    mark: str = ""


class Journal:
    """Documents of processes.

    Args:
        store: Where they are; closed with this.
        mark: Of this run of the agent.
    """

    def __init__(self, store: Store, mark: str) -> None:
        self._store = store
        self._mark = mark
        self._trouble = ""
        self._token = 0
        self._late: dict[str, str] = {}
        """What is to be put down with the next document."""
        self._epoch = 0
        self._until: dict[str, tuple[float, float]] = {}

    def load(self) -> list[Kept]:
        """All that is recorded. What a program ran as itself has ended with it, and is forgotten.

        Raises:
            BadConfig: A document cannot be read.
        """
        kept = list(self._kept())
        for record in kept:
            if record.process.own:
                self.forget(record.process.uuid)
        return [record for record in kept if not record.process.own]

    def _kept(self) -> Iterator[Kept]:
        for key, text in self._store.items():
            if key.startswith(_PREFIX):
                try:
                    yield structure(json.loads(text), Kept)
                except (ValueError, BadMessage) as error:
                    hint = f"move {STATE} away to begin anew; programs that run are not touched by that"
                    raise BadConfig(f"the record {key} cannot be read: {error}", hint) from None

    def save(self, process: Process, ident: Ident | None) -> str:
        """Put down how it is. Empty, or why that is not possible; then what was recorded before is still there."""
        if process.token > self._token:
            self._token = process.token
            self._late[_TOKEN] = str(process.token)
        document: Any = unstructure(Kept(process=process, ident=ident, mark=self._mark))
        text = json.dumps(document, separators=(",", ":"))

        def write() -> None:
            self._put_late()  # a token stands there before anything that has it
            self._store.put(_PREFIX + process.uuid, text)

        return self._try(write)

    def forget(self, uuid: str) -> str:
        """It was deleted."""
        return self._try(lambda: self._store.delete(_PREFIX + uuid))

    @property
    def token(self) -> int:
        """The highest of a lease that was ever recorded: later ones are above it."""
        self._token = int(dict(self._store.items()).get(_TOKEN, "0"))
        return self._token

    def begin(self, boot: str, now: float) -> float:
        """Since when everything is in here, by CLOCK_BOOTTIME; `boot` and `now` are those of the present.

        A folder of an earlier boot knows all of this one.
        """
        documents = dict(self._store.items())
        if _BEGUN not in documents:
            self._try(lambda: self._store.put(_BEGUN, json.dumps([boot, now])))
            return now
        known, at = json.loads(documents[_BEGUN])
        return float(at) if known == boot else 0.0

    def leases(self) -> tuple[int, dict[str, tuple[float, float]]]:
        """The highest epoch of a gate that was heard, and by the uuids of processes: when what they run must be gone,
        and how long their leases last."""
        epoch, until = json.loads(dict(self._store.items()).get(_LEASES, "[0, {}]"))
        self._epoch, self._until = epoch, {uuid: (at, ttl) for uuid, (at, ttl) in until.items()}
        return self._epoch, dict(self._until)

    def keep(self, epoch: int, uuid: str, until: float | None, ttl: float) -> None:
        """A deadline has moved; None: it is over."""
        if until is None and uuid not in self._until and epoch == self._epoch:
            return
        self._epoch = epoch
        self._until.pop(uuid, None)
        if until is not None:
            self._until[uuid] = (until, ttl)
        self._late[_LEASES] = json.dumps([epoch, self._until])
        self._try(self._put_late)

    @property
    def declared(self) -> frozenset[str]:
        """The names that a file has declared."""
        return frozenset(json.loads(dict(self._store.items()).get(_DECLARED, "[]")))

    def declare(self, names: frozenset[str]) -> None:
        """These are declared by a file now."""
        self._late[_DECLARED] = json.dumps(sorted(names))
        self._try(self._put_late)

    def _put_late(self) -> None:
        while self._late:
            key, text = next(iter(self._late.items()))
            self._store.put(key, text)
            del self._late[key]

    def close(self) -> None:
        """Everything is there."""
        self._store.close()

    def _try(self, write: Callable[[], None]) -> str:
        try:
            write()
        except OSError as error:
            if not self._trouble:
                logger.error("nothing can be recorded: %s; what starts now would be refused", error)
            self._trouble = f"it cannot be recorded in the state folder: {error}"
            return self._trouble
        if self._trouble:
            logger.warning("the state folder can be written to again")
            self._trouble = ""
        return ""
