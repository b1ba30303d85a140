"""Answers already given, by key, so that a command that is sent again is not done again. Bounded."""

from __future__ import annotations

from collections import OrderedDict

from .messages import Batch

__all__ = ["Answers", "is_passing"]

WEIGHT = 20_000
"""How many items are kept in all answers together."""


def is_passing(key: str) -> bool:
    """Whether a key was made here for a request that came without one: it will not be sent again."""
    return key.startswith("~")


class Answers:
    """The last answers, oldest forgotten first."""

    def __init__(self, weight: int = WEIGHT) -> None:
        self._weight = weight
        self._left = weight
        self._kept: OrderedDict[str, Batch] = OrderedDict()

    def get(self, key: str) -> Batch | None:
        """What was answered to this key, if it is still known."""
        return self._kept.get(key)

    def put(self, key: str, answer: Batch) -> None:
        """Remember an answer; passing keys are not."""
        if is_passing(key) or _weight(answer) > self._weight:
            return
        self._kept[key] = answer
        self._left -= _weight(answer)
        while self._left < 0 and self._kept:
            _, old = self._kept.popitem(last=False)
            self._left += _weight(old)


def _weight(answer: Batch) -> int:
    return 1 + len(answer.items) + len(answer.misses)
