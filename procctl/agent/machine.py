"""The machine below an agent: everything of it that is acted on and listened to. `computer` has the one that there is;
the tests of others have one that is made up (`procctl.testing`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from attrs import frozen

from ..abc import Body
from ..core.events import Event
from ..core.process import Process
from ..core.records import Ident, Stray
from ..service.ground import Held
from .agent import OnExit
from .census import Kin
from .found import Found
from .journal import Kept
from .keeping import Thing
from .output.means import Means
from .output.output import Output

__all__ = ["Adopter", "Deadlines", "Incarnation", "Looks", "Machine", "Order"]


@frozen(kw_only=True)
class Order:
    """What an agent asks of its machine.

    Attributes:
        name: Of the host.
        epoch: Names this run of the agent.
        on_exit: What the agent's end means for what it runs.
        folder: Its state folder, or None.
        ours: Gives the pids of what runs.
        living: Gives all that a keeper has to hold.
        after: Calls later.
    """

    name: str
    epoch: str
    on_exit: OnExit
    folder: Path | None
    ours: Callable[[], list[int]]
    living: Callable[[], list[Thing]]
    after: Callable[[float, Callable[[], None]], None]


class Incarnation(Body, Protocol):
    """A body as the hands of an agent have it.

    Attributes:
        pid: Of the run that there is; 0: there is none.
        ident: Of the run that there is, or was last.
        begun: The offset of the output at which this run began.
    """

    pid: int
    ident: Ident | None
    begun: int

    def redirect(self, output: Output) -> None:
        """What it writes goes there from the next run on."""

    def detach(self, process: Process) -> None:
        """Let go of the run that there is: nothing is done to it any more."""

    def say(self, text: str) -> None:
        """Say this to the program, a text of JSON."""

    def things(self) -> list[Thing]:
        """All that the keeper should hold of it."""
        ...


class Adopter(Incarnation, Protocol):
    """A body for what is there already."""

    def take(self, run: int, found: Found) -> None:
        """The run of that number, which an earlier agent has left, is this body's from now on."""


class Looks(Protocol):
    """Finds what is left of processes, see `procctl.agent.census.Census`."""

    def ask(self, kin: Kin, done: Callable[[tuple[Stray, ...]], None]) -> None:
        """Look soon; `done` is called on the loop with what is alive of it."""

    def signal(self, kin: Kin, pid: int, number: int) -> None:
        """Send a signal to a descendant, if it still is one."""


class Deadlines(Protocol):
    """Enforces deadlines where the agent cannot, see `procctl.agent.keeping.Keeping`."""

    def lease(self, uuid: str, until: float | None) -> None:
        """What that process runs must be gone by then, by the agent's clock; None: that is over."""


class Machine(Protocol):
    """One per agent, for the life of its block."""

    @property
    def boot(self) -> str:
        """Which boot of the machine."""
        ...

    @property
    def census(self) -> Looks:
        """Finds what is left."""
        ...

    @property
    def keeping(self) -> Deadlines:
        """Enforces deadlines."""
        ...

    @property
    def means(self) -> Means:
        """What outputs share."""
        ...

    @property
    def straight(self) -> Path | None:
        """The folder of files that children write into themselves, so that they can outlive the agent; None: what they
        write is read here."""
        ...

    @property
    def parts(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What has to run as tasks while the agent does."""
        ...

    def state(self, folder: Path) -> Held:
        """Take the state folder. Blocks. Raises `BadConfig` if it cannot be used, or another agent has it."""
        ...

    def take_over(self) -> None:
        """Get what an earlier agent on this state folder has left. Blocks."""

    def find(self, kept: list[Kept]) -> dict[str, Found]:
        """The runs of these, by uuid. Blocks."""
        ...

    def begin(self) -> None:
        """The rest of the agent is about to take over; from the loop."""

    def begun(self, living: list[Thing]) -> None:
        """It has taken over, and this is what runs."""

    def body(self, process: Process, output: Output, feed: Callable[[str, Event], None]) -> Incarnation:
        """A body for a process that was registered."""
        ...

    def adopting(
        self, body: Incarnation, process: Process, output: Output, feed: Callable[[str, Event], None]
    ) -> Adopter:
        """A body, in the place of that one, that can take what is there already."""
        ...

    async def passes(self, process: Process, body: Incarnation, output: Output) -> str:
        """Return when it is ready: empty, or why it never will be. Cancellation: ends the wait."""
        ...

    async def finish(self) -> None:
        """The agent ends: what is being started is started, and no more."""

    async def leave(self) -> None:
        """Nothing runs any more, or it is left to the next agent. What is said and done now is the last."""
