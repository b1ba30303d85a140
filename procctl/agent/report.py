"""What a controller is told of an agent's processes: everything once, then what changes, one heartbeat at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..abc import Call, Caller
from ..core.messages import AnyReply, Heartbeat
from ..core.records import Item

if TYPE_CHECKING:
    from ..link.session import Session

__all__ = ["Report"]


class Report:
    """Args: items: Gives the present items of these uuids, or of all."""

    def __init__(self, name: str, items: Callable[[Sequence[str] | None], tuple[Item, ...]]) -> None:
        self._caller = Caller(name=name)
        self._items = items
        self._session: Session | None = None
        self._beat = 0
        self._changed: dict[str, None] = {}
        self._gone: list[str] = []
        self._busy = False

    def begin(self, session: Session) -> None:
        """A new session: it is told everything."""
        self._session = session
        self._beat = 0
        self._busy = False
        self._changed.clear()
        self._gone.clear()
        self._send(whole=True)

    def changed(self, uuid: str) -> None:
        """This process is not as it was."""
        if self._session is not None:
            self._changed[uuid] = None
            self._send()

    def deleted(self, uuid: str) -> None:
        """This process is no more."""
        if self._session is not None:
            self._changed.pop(uuid, None)
            self._gone.append(uuid)
            self._send()

    def _send(self, whole: bool = False) -> None:
        session = self._session
        if session is None or self._busy or not (whole or self._changed or self._gone):
            return
        self._beat += 1
        items = self._items(None if whole else tuple(self._changed))
        beat = Heartbeat(beat=self._beat, whole=whole, items=items, gone=tuple(self._gone))
        self._changed.clear()
        self._gone.clear()
        self._busy = True  # what changes until it is answered goes into the next
        session.submit(Call(request=beat, caller=self._caller)).then(lambda reply: self._answered(session, reply))

    def _answered(self, session: Session, reply: AnyReply) -> None:
        if session is self._session:
            self._busy = False
            self._send()
