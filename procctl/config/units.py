"""Durations and sizes as people write them: see `procctl.core.units`."""

from __future__ import annotations

from ..core.units import duration, show_duration, size

__all__ = ["duration", "show_duration", "size"]
