"""Who has not been heard for how long, the longest first: finding them costs nothing for all the others. Pure."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Silence"]


class Silence:
    """Instants are of a clock that never jumps."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, float] = OrderedDict()

    def heard(self, name: str, at: float) -> None:
        """This one was heard, now."""
        self._last[name] = at
        self._last.move_to_end(name)

    def forget(self, name: str) -> None:
        """Nobody waits for this one."""
        self._last.pop(name, None)

    def since(self, before: float) -> list[str]:
        """Those that have not been heard since then."""
        found: list[str] = []
        for name, at in self._last.items():
            if at > before:
                break
            found.append(name)
        return found
