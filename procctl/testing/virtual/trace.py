"""What has happened in a virtual fleet, and what must never happen."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2b

__all__ = ["Trace", "Violation"]

SHOWN = 400
"""Lines that are kept; all of them are in the digest."""


class Violation(AssertionError):
    """A rule that always has to hold does not. Attributes: rule: Which. lines: What happened before, the last of it."""

    def __init__(self, rule: str, text: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.lines = lines


class Trace:
    """Lines with their times.

    Args:
        time: Seconds since the beginning.

    Attributes:
        counts: How often something has happened.
        broken: The first rule that did not hold, or None.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self.lines: deque[str] = deque(maxlen=SHOWN)
        self.broken: Violation | None = None
        self._time = time
        self._digest = blake2b(digest_size=16)

    def note(self, text: str) -> None:
        """Something has happened."""
        line = f"{self._time():10.4f} {text}"
        self._digest.update(line.encode())
        self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of all lines."""
        return self._digest.hexdigest()

    def violate(self, rule: str, text: str) -> None:
        """A rule does not hold. It is raised where the fleet is waited for; what it broke in goes on."""
        self.note(f"{rule}: {text}")
        if self.broken is None:
            self.broken = Violation(rule, text, tuple(self.lines))

    def check(self) -> None:
        """Raise the `Violation` that there is, if there is one."""
        if self.broken is not None:
            raise self.broken
