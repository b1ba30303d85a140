"""What a controller does about hosts that do not respond. Pure."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from ..errors import BadConfig
from .value import Value

__all__ = ["Reach"]


def _seconds(instance: object, attribute: object, value: float | None) -> None:
    if value is not None and not 0 < value <= 1e9:
        raise BadConfig(f"expected seconds, got {value!r}", "None stands for the default")


@frozen(kw_only=True, eq=False, repr=False)
class Reach(Value):
    """The policies of the two kinds of `notresponding` that only an observer can see. (The third, ``watchdog-lost``,
    has its policy with the process: `procctl.core.specs.WatchdogSpec`.)

    Attributes:
        silent_after: Seconds without a word over a link that seems to be there, after which what is on that host is
            ``notresponding``, ``heartbeat-lost``; None: three heartbeats, however often they come in this fleet.
        on_silent: What follows then. ``show``: nothing, it is shown; ``end``: the link is ended, so that the agent
            comes back over a new one.
        forget_after: Seconds after which a host whose link is gone (``agent-lost``) is forgotten with all that is known
            of it; None: never. What it holds by permission it goes on holding.

    Raises:
        BadConfig: A value cannot be used.
    """

    silent_after: float | None = field(default=None, validator=_seconds)
    on_silent: Literal["show", "end"] = "show"
    forget_after: float | None = field(default=None, validator=_seconds)

    def __attrs_post_init__(self) -> None:
        if self.on_silent not in ("show", "end"):
            raise BadConfig(f"expected on_silent to be 'show' or 'end', got {self.on_silent!r}")
