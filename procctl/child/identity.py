"""Who a supervised program is: what its environment says."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Identity", "identity"]


class Identity(NamedTuple):
    """Who a supervised program is.

    Attributes:
        name: Its slot: ``web``, or ``web.2``.
        uuid: Its identity, over restarts.
        instance: Its number among the instances of its declaration, from 1.
        fence: The number of the lease that it runs on; it grows with every start of the slot for as long as the same
            agent or controller gives leases, so that whatever it writes to can refuse an older one. 0: it runs on none.
        epoch: The life of the agent or controller that gave it; it grows, too.
    """

    name: str
    uuid: str
    instance: int
    fence: int
    epoch: int = 0


def identity() -> Identity | None:
    """Who this program is for its supervisor; None when it was not started by one."""
    env = os.environ
    if not env.get("PROCCTL_UUID"):
        return None
    return Identity(
        name=env.get("PROCCTL_NAME", ""),
        uuid=env["PROCCTL_UUID"],
        instance=_number(env.get("PROCCTL_INSTANCE"), 1),
        fence=_number(env.get("PROCCTL_FENCE"), 0),
        epoch=_number(env.get("PROCCTL_EPOCH"), 0),
    )


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
