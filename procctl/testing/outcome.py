"""What has come of a story, whether its parts are pure machines or whole agents."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Outcome"]


@frozen(kw_only=True)
class Outcome:
    """What has come of a seed. Attributes: broken: Which rule, or empty. lines: The end of the trace."""

    seed: int
    digest: str
    seconds: float
    counts: dict[str, int]
    broken: str = ""
    lines: tuple[str, ...] = ()
