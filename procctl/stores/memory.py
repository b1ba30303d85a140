"""A store that ends with its program: for tests and simulations."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MemoryStore"]


class MemoryStore:
    """See `procctl.abc.Store`."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def open(self, url: str) -> None:
        """Nothing is needed."""

    def items(self) -> list[tuple[str, str]]:
        """Everything."""
        return list(self._values.items())

    def put(self, key: str, value: str) -> None:
        """Keep it."""
        self._values[key] = value

    def delete(self, key: str) -> None:
        """Forget it."""
        self._values.pop(key, None)

    def write(self, changes: Sequence[tuple[str, str | None]]) -> None:
        """All at once."""
        for key, value in changes:
            if value is None:
                self.delete(key)
            else:
                self.put(key, value)

    def close(self) -> None:
        """What was put is still there when it is opened again."""
