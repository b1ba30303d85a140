"""The run of a process, as the next agent has found it."""

from __future__ import annotations

from attrs import frozen

from ..core.records import Ident
from .exits import End

__all__ = ["Found"]


@frozen(kw_only=True)
class Found:
    """Attributes:
    ident: Which program.
    pidfd: Its descriptor, or None; whoever has this has to close it.
    end: How it has ended, where no descriptor can tell.
    channel: The agent's end of its channel, or None; whoever has this has to close it.
    """

    ident: Ident
    pidfd: int | None = None
    end: End | None = None
    channel: int | None = None
