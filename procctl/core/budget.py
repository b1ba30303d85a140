"""How many automatic restarts are under way in a fleet at a time, so that a bad deploy is no storm. Pure.

A restart has its *turn* from when it is let in until the process runs and is ready, or is known not to: and for a while
after that, by chance shorter or longer, so that those that wait do not move in step. Whoever finds no room waits in the
order of asking. What people start themselves has no need of a turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field, frozen

from ..errors import BadConfig
from .events import Now
from .records import Item
from .states import State
from .value import Value

__all__ = ["Budget", "RestartBudget"]


def _count(instance: object, attribute: object, value: int) -> None:
    if type(value) is not int or not 1 <= value <= 1_000_000:
        raise BadConfig(f"expected a number of restarts, got {value!r}", "without a budget there is no bound")


def _seconds(instance: object, attribute: object, value: float) -> None:
    if not 0 <= value <= 1e9:
        raise BadConfig(f"expected seconds, got {value!r}")


@frozen(eq=False, repr=False)
class RestartBudget(Value):
    """A bound on the automatic restarts of a fleet.

    Attributes:
        at_most: How many are under way at a time.
        settle: Seconds for which a restart counts on when its process is ready, or has failed; by chance half to one
            and a half times as long.
        patience: Seconds after which one counts no more, whatever has become of it.

    Raises:
        BadConfig: A value cannot be used.
    """

    at_most: int = field(validator=_count)
    settle: float = field(default=1.0, kw_only=True, validator=_seconds)
    patience: float = field(default=60.0, kw_only=True, validator=_seconds)


@define
class _Turn:
    """Attributes: rid: The question that was let in. ends: `Now.boot` at which it is over at the latest."""

    rid: str
    ends: float
    over: bool = False


class Budget:
    """Turns by process, and who waits for one.

    Args:
        spec: The bound.
    """

    def __init__(self, spec: RestartBudget) -> None:
        self._spec = spec
        self._turns: dict[str, _Turn] = {}
        self._waiting: OrderedDict[str, str] = OrderedDict()

    @property
    def under_way(self) -> int:
        """How many have their turn."""
        return len(self._turns)

    @property
    def waiting(self) -> int:
        """How many wait for theirs."""
        return len(self._waiting)

    def ask(self, rid: str, uuid: str, now: Now) -> str:
        """An automatic restart asks for its turn. Empty: it is let in; else why it waits."""
        turn = self._turns.get(uuid)
        if turn is not None and turn.rid == rid:
            return ""  # the same, once more
        if turn is not None and not turn.over:
            self._end(turn, now)
        if rid not in self._waiting:
            if not self._waiting and len(self._turns) < self._spec.at_most:
                self._let_in(rid, uuid, now)
                return ""
            self._waiting[rid] = uuid
        return (
            f"waits for its turn: at most {self._spec.at_most} automatic restarts are under way in the fleet at a time"
        )

    def withdraw(self, rid: str) -> None:
        """It does not ask any more, or was refused, or waits for a person: it needs no turn."""
        self._waiting.pop(rid, None)
        for uuid, turn in list(self._turns.items()):
            if turn.rid == rid:
                del self._turns[uuid]

    def saw(self, item: Item, now: Now) -> None:
        """How a process is now, as it is known of its host."""
        turn = self._turns.get(item.uuid)
        if turn is not None and not turn.over and _settled(item):
            self._end(turn, now)

    def next(self, now: Now, still: Callable[[str], bool] = lambda rid: True) -> list[str]:
        """Those whose turn it is now, in order; `still` says whether one that waits is there to be told."""
        for uuid, turn in list(self._turns.items()):
            if turn.ends <= now.boot:
                del self._turns[uuid]
        found: list[str] = []
        while self._waiting and len(self._turns) < self._spec.at_most:
            rid, uuid = self._waiting.popitem(last=False)
            if still(rid):
                self._let_in(rid, uuid, now)
                found.append(rid)
        return found

    def wake(self) -> float | None:
        """`Now.boot` of when there may be room next; None: nobody waits for it."""
        return min((turn.ends for turn in self._turns.values()), default=None) if self._waiting else None

    def _let_in(self, rid: str, uuid: str, now: Now) -> None:
        self._turns[uuid] = _Turn(rid, now.boot + self._spec.patience)

    def _end(self, turn: _Turn, now: Now) -> None:
        turn.over = True
        turn.ends = min(turn.ends, now.boot + self._spec.settle * (0.5 + now.roll))


def _settled(item: Item) -> bool:
    """It runs and is ready, or is known not to."""
    if item.status == State.RUNNING:
        return item.ready is not False
    return item.status != State.PENDING or item.detail == "backoff"
