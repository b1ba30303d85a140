"""What a virtual fleet that was played through has come to, and the quiet in which that is done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..outcome import Outcome
from .fleet import VirtualFleet

__all__ = ["outcome_of", "quietly"]

QUIET = ("procctl", "procctl.gate", "procctl.link", "procctl.agent", "procctl.agent.journal")
"""Loggers: that links end and disks fail is no news here."""


def outcome_of(fleet: VirtualFleet, seed: int, broken: str) -> Outcome:
    """Of what was told from a seed, and which rule it broke, or empty."""
    trace = fleet.trace
    return Outcome(
        seed=seed,
        digest=trace.digest,
        seconds=fleet.time,
        counts=dict(trace.counts),
        broken=broken,
        lines=tuple(trace.lines) if broken else (),
    )


@contextmanager
def quietly() -> Iterator[None]:
    """Within the block loggers say nothing of links that end and disks that fail."""
    levels = {name: logging.getLogger(name).level for name in QUIET}
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
