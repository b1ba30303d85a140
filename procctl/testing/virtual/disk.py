"""A disk that survives programs, and may fail: stores by their URL, folders that one program has to itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from ...errors import BadConfig
from .power import Power

__all__ = ["Disk"]


class Disk:
    """Of one host.

    Args:
        dice: Decide when it fails.

    Attributes:
        failing: The share of writes that fail.
    """

    def __init__(self, dice: Random) -> None:
        self.failing = 0.0
        self._dice = dice
        self._stores: dict[str, dict[str, str]] = {}
        self._held: dict[Path, Power] = {}

    def store(self, url: str, power: Power) -> DiskStore:
        """Open one, for a program."""
        return DiskStore(self, self._stores.setdefault(url.partition("?")[0], {}), power)

    def knows(self, key: str) -> bool:
        """Whether any store has that document."""
        return any(key in values for values in self._stores.values())

    def hold(self, folder: Path, power: Power) -> Held:
        """Take a folder."""
        holder = self._held.get(folder)
        if holder is not None and holder.on:
            raise BadConfig(f"the state folder {folder} is in use")
        self._held[folder] = power
        return Held(self._held, folder)

    def fails(self) -> bool:
        """Whether this write does."""
        return self.failing > 0 and self._dice.random() < self.failing


class Held:
    """See `procctl.service.ground.Held`."""

    def __init__(self, held: dict[Path, Power], folder: Path) -> None:
        self._held = held
        self._folder = folder

    def close(self) -> None:
        """Another may have it."""
        self._held.pop(self._folder, None)


class DiskStore:
    """See `procctl.abc.Store`. What a program without power writes is not written."""

    def __init__(self, disk: Disk, values: dict[str, str], power: Power) -> None:
        self._disk = disk
        self._values = values
        self._power = power

    def open(self, url: str) -> None:
        """It is."""

    def items(self) -> list[tuple[str, str]]:
        return list(self._values.items())

    def put(self, key: str, value: str) -> None:
        self.write([(key, value)])

    def delete(self, key: str) -> None:
        self.write([(key, None)])

    def write(self, changes: Sequence[tuple[str, str | None]]) -> None:
        """All of it, or nothing."""
        if not self._power.step():
            return
        if self._disk.fails():
            raise OSError(5, "the virtual disk fails")
        for key, value in changes:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def close(self) -> None:
        """What was put is still there."""
