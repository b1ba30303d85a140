"""Programs that are made up: what they do is written down, or told to them by a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
from attrs import frozen

from ...agent.exits import End

__all__ = ["FakeChild", "Script"]

_DEADLY = frozenset({"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGABRT", "SIGSEGV", "SIGALRM"})


@frozen(kw_only=True)
class Script:
    """What a fake program does by itself. Times are seconds of virtual time.

    Attributes:
        lasts: It ends after so long; None: it does not.
        code: It ends with this.
        obeys: So long after a signal that asks it to end it has ended, by that signal; None: it takes no notice.
        ready: So long after its beginning it is ready, for every check that is not about its output; None: never.
        output: Lines that it writes when it begins.
        leaves: So many descendants outlive it, until they are signalled.
        fails: It cannot even be started, and this is why.
    """

    lasts: float | None = None
    code: int = 0
    obeys: float | None = 0.0
    ready: float | None = 0.0
    output: tuple[str, ...] = ()
    leaves: int = 0
    fails: str = ""


@frozen(kw_only=True)
class Place:
    """Whose a program is.

    Attributes:
        run: The number of the process's run.
        token, epoch: Of its lease, and of the gate that gave it.
        exclusive: Where it has to be alone in its slot: ``fleet``, ``host``, or nowhere (empty).
    """

    host: str
    name: str
    uuid: str
    run: int
    token: int = 0
    epoch: int = 0
    exclusive: str = ""


class FakeChild:
    """A program that runs, on a virtual host.

    Args:
        place: Whose it is.
        pid: Its number. It is above any that Linux gives.
        script: What it does.
        later: Calls in so many seconds.
        gone: Told when nothing of it is left.

    Attributes:
        signals: Those that it has got, in their order.
        messages: What was said to it on its channel, as JSON values.
        end: How it has ended, or None.
    """

    def __init__(
        self,
        place: Place,
        pid: int,
        script: Script,
        later: Callable[[float, Callable[[], None]], None],
        gone: Callable[[FakeChild], None],
    ) -> None:
        self.place = place
        self.pid = pid
        self.script = script
        self.signals: list[str] = []
        self.messages: list[Any] = []
        self.end: End | None = None
        self.ready = anyio.Event()
        self.descendants: list[int] = []
        self.let_go = False
        """Whether it was detached: it is nobody's any more."""
        self._later = later
        self._gone = gone
        self._ended: Callable[[End], None] | None = None
        self._wrote: Callable[[int, bytes], None] | None = None
        self._unread: list[tuple[int, bytes]] = []
        self._said: Callable[[Any], None] | None = None
        self.descendants = [pid + 1 + i for i in range(script.leaves)]

    def __repr__(self) -> str:
        state = "runs" if self.alive else "has ended"
        return f"<{self.place.name} on {self.place.host}, pid {self.pid}, {state}>"

    @property
    def name(self) -> str:
        """The slot that it runs in."""
        return self.place.name

    @property
    def host(self) -> str:
        """Where."""
        return self.place.host

    @property
    def token(self) -> int:
        """Its ``PROCCTL_FENCE``, of the lease that it runs on."""
        return self.place.token

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self.end is None

    @property
    def there(self) -> bool:
        """Whether anything of it does, descendants too."""
        return self.alive or bool(self.descendants)

    # what it does -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Its first instruction."""
        script = self.script
        for line in script.output:
            self.write(line)
        if script.ready is not None:
            self._later(script.ready, self.become_ready)
        if script.lasts is not None:
            self._later(script.lasts, self.exit)

    def exit(self, code: int | None = None) -> None:
        """It ends, with the code of its script or another."""
        self._finish(End(self.script.code if code is None else code, None))

    def crash(self, signal: str = "SIGSEGV") -> None:
        """It is ended by a signal that nobody has sent."""
        self._finish(End(None, signal))

    def become_ready(self) -> None:
        """It is ready, whatever its check asks for."""
        if self.alive:
            self.ready.set()

    def write(self, line: str, stream: int = 0) -> None:
        """It writes a line; `stream` 1 is stderr."""
        data = line.encode() + b"\n"
        if self._wrote is None:
            self._unread.append((stream, data))
        else:
            self._wrote(stream, data)

    def send(self, message: Any) -> None:
        """It says something on its channel, a JSON value: ``"workerStarted"``, ``{"procctl": "status", …}``."""
        if self.alive and self._said is not None:
            self._said(message)

    # what is done to it -------------------------------------------------------------------------------------------

    def signal(self, name: str, tree: bool = False) -> None:
        """It gets a signal; with `tree` its descendants do, too."""
        if self.alive:
            self.signals.append(name)
            if name == "SIGKILL":
                self._later(0.001, lambda: self._finish(End(None, name)))
            elif name in _DEADLY and self.script.obeys is not None:
                self._later(self.script.obeys, lambda: self._finish(End(None, name)))
        if tree:
            for pid in list(self.descendants):
                self.signal_descendant(pid, name)

    def signal_descendant(self, pid: int, name: str) -> None:
        """One of its descendants gets a signal."""
        if pid in self.descendants and (name == "SIGKILL" or (name in _DEADLY and self.script.obeys is not None)):
            self.descendants.remove(pid)
            self._look()

    def hear(self, text: str) -> None:
        """Something is said to it on its channel."""
        if self.alive:
            self.messages.append(json.loads(text))

    def tell(
        self,
        ended: Callable[[End], None] | None,
        wrote: Callable[[int, bytes], None] | None = None,
        said: Callable[[Any], None] | None = None,
    ) -> None:
        """Whoever supervises it from now on is told these; None: nobody does."""
        self._ended, self._wrote, self._said = ended, wrote, said
        if wrote is not None:
            for stream, data in self._unread:
                wrote(stream, data)
            self._unread.clear()

    def vanish(self) -> None:
        """Its machine has no power any more."""
        self.tell(None)
        self.descendants.clear()
        if self.alive:
            self._finish(End(None, None))
        else:
            self._look()

    def _finish(self, end: End) -> None:
        if self.end is None:
            self.end = end
            if self._ended is not None:
                self._ended(end)
            self._look()

    def _look(self) -> None:
        if not self.there:
            self._gone(self)
