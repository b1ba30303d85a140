"""What an agent stands on: see `procctl.service.ground`; and the machine whose processes it has."""

from __future__ import annotations

import os
from collections.abc import Callable

from attrs import field, frozen

from ..service import ground
from .features import Features, probe
from .machine import Machine, Order

__all__ = ["Ground"]


def _features() -> Features:
    """As probed; ``PROCCTL_WITHOUT=pidfd,epoll`` takes some away, to see how it does without."""
    found = probe().as_dict()
    without = os.environ.get("PROCCTL_WITHOUT", "")
    return Features(**{name: has and name not in without.split(",") for name, has in found.items()})


def _computer(order: Order, features: Features) -> Machine:
    from .computer import Computer

    return Computer(order, features)


@frozen(kw_only=True)
class Ground(ground.Ground):
    """Attributes: features: Of this kernel. machine: Makes what acts on processes."""

    features: Features = field(factory=_features)
    machine: Callable[[Order, Features], Machine] = _computer
