"""A controller is told of an agent's processes: changes when they come, and now and then that nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..abc import Call, Caller
from ..core.messages import AnyReply, Heard
from ..core.pace import pause
from ..core.records import Item
from ..core.telling import Teller

if TYPE_CHECKING:
    from ..link.session import Session

__all__ = ["Report"]


class Report:
    """One heartbeat at a time: what changes until it is answered goes into the next, unless somebody waits for it.

    Args:
        name: Of this host.
        items: Gives the present items of these uuids, or of all.
        after: Calls later.
        roll: The dice.

    Attributes:
        spread: Told within how many seconds to come back if the link is lost.
    """

    def __init__(
        self,
        name: str,
        items: Callable[[Sequence[str] | None], tuple[Item, ...]],
        after: Callable[[float, Callable[[], None]], None],
        roll: Callable[[], float],
    ) -> None:
        self.spread = 0.0
        self._caller = Caller(name=name)
        self._teller = Teller(items)
        self._after = after
        self._roll = roll
        self._session: Session | None = None
        self._every = 0.0
        self._clock = 0
        self._flying = 0

    def begin(self, session: Session) -> None:
        """A new session."""
        self._session = session
        self._every = session.beat / 2
        self._flying = 0
        self._teller.begin()
        self._send()
        self._wind()

    def changed(self, uuid: str) -> None:
        """This process is not as it was."""
        if self._session is not None:
            self._teller.changed(uuid)
            self._send()

    def deleted(self, uuid: str) -> None:
        """This process is no more."""
        if self._session is not None:
            self._teller.deleted(uuid)
            self._send()

    def flush(self) -> None:
        """Somebody is about to be told that a process has come or gone: the controller is to know it before them."""
        while self._teller.news and self._send(now=True):
            pass

    def _wind(self) -> None:
        """Be heard again after a while; what was wound before is outdated."""
        self._clock += 1
        serial = self._clock
        if self._every:
            self._after(pause(self._every, self._roll()), lambda: self._struck(serial))

    def _struck(self, serial: int) -> None:
        session = self._session
        if serial == self._clock and session is not None and not session.gone.is_set():
            self._send(quiet=True)
            self._wind()

    def _send(self, quiet: bool = False, now: bool = False) -> bool:
        session = self._session
        if session is None or session.gone.is_set() or not (quiet or self._teller.pending):
            return False
        if self._flying and not now:
            return False
        self._flying += 1
        call = Call(request=self._teller.beat(), caller=self._caller)
        session.submit(call).then(lambda reply: self._answered(session, reply))
        return True

    def _answered(self, session: Session, reply: AnyReply) -> None:
        if session is not self._session:
            return
        self._flying -= 1
        if isinstance(reply, Heard):
            self._teller.heard(reply)
            self._told(session, reply)
        self._send()

    def _told(self, session: Session, heard: Heard) -> None:
        if heard.spread is not None:
            self.spread = heard.spread
        if heard.every:
            self._every = heard.every
            session.pace(2 * heard.every)
            self._wind()
