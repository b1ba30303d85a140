"""What outputs of one agent share."""

from __future__ import annotations

from attrs import frozen

from ...aio.poller import Poller
from .chores import Chores
from .tails import Tails

__all__ = ["Means", "make_means"]


@frozen(kw_only=True)
class Means:
    """The agent's, for all outputs.

    Attributes:
        epoch: What cursors begin with, unless files know an older one: 12 characters.
        chores: Long work on files.
        tails: Files that grow.
        punch: Whether holes are tried.
    """

    epoch: str

    chores: Chores
    tails: Tails
    punch: bool


def make_means(epoch: str, poller: Poller, inotify: bool, punch: bool) -> Means:
    """A set; `Chores.run` and `Tails.run` are to be run."""
    return Means(epoch=epoch, chores=Chores(), tails=Tails(poller, inotify), punch=punch)
