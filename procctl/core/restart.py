"""Whether and when to start again after an end that nobody asked for. Pure arithmetic on values.

The delay doubles with each try from the low end of the range to its high end; `jitter` is the share of it that is
random, so that a thousand processes that died together do not come back together. (Exponential back-off with jitter
as in "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: what is here is its "equal jitter" at 0.5.)
"""

from __future__ import annotations

from attrs import frozen

from .events import Now
from .specs import RestartSpec
from .value import Value

__all__ = ["FIRST_STEP", "Again", "End", "GiveUp", "Rest", "after_end", "delay"]

FIRST_STEP = 0.125
"""Seconds: what a delay that begins at 0 grows from."""


@frozen(eq=False, repr=False)
class End(Value):
    """How a run ended. `failed` is what the policy ``on-failure`` asks; `uptime` is in seconds."""

    failed: bool
    uptime: float
    describe: str


@frozen(eq=False, repr=False)
class Again(Value):
    """Start again after `after` seconds; `tries` and `history` are to be remembered."""

    after: float
    tries: int
    history: tuple[float, ...]


@frozen(eq=False, repr=False)
class GiveUp(Value):
    """The policy asks for a restart, and it is not tried any more."""

    why: str


@frozen(eq=False, repr=False)
class Rest(Value):
    """The policy does not ask for a restart."""


def delay(spec: RestartSpec, tries: int, roll: float) -> float:
    """Seconds to wait before restart number `tries` (0 is the first). `roll` in [0, 1) is the dice.

    A low end of 0 means that the first restart comes at once; from the second on it counts as `FIRST_STEP`.
    """
    low, high = spec.delay
    if tries > 0:
        low = max(low, FIRST_STEP)
    full = min(high, low * 2.0 ** min(tries, 1000))
    return full * (1.0 - spec.jitter * roll)


def after_end(spec: RestartSpec, end: End, tries: int, history: tuple[float, ...], now: Now) -> Again | GiveUp | Rest:
    """What follows an end.

    Args:
        spec: The policy.
        end: How it ended.
        tries: How many restarts there have been since it was last healthy.
        history: `Now.boot` of the restarts that may still be in the window.
        now: The present instant.
    """
    if spec.policy == "never" or (spec.policy == "on-failure" and not end.failed):
        return Rest()
    if end.uptime < spec.min_uptime:
        return GiveUp(f"{end.describe} after {end.uptime:.1f} s; restarts need an uptime of {spec.min_uptime:g} s")
    if end.uptime >= spec.reset:
        tries = 0
    recent = tuple(t for t in history if now.boot - t < spec.window)
    if spec.limit is not None and len(recent) >= spec.limit:
        return GiveUp(f"{end.describe}; {len(recent)} restarts within {spec.window:g} s are the limit")
    kept = () if spec.limit is None else (*recent, now.boot)
    return Again(delay(spec, tries, now.roll), tries + 1, kept)
