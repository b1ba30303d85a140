"""Exit codes: LSB's where it has them, and a few more."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.messages import Miss
from ..errors import BadConfig, PeerGone, ProcctlError, Refused, Unsupported

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "NOT_RUNNING",
    "OK",
    "TIMEOUT",
    "UNREACHABLE",
    "USAGE",
    "of_error",
    "of_misses",
    "of_process",
]

OK = 0
FAILED = 1
USAGE = 2
NOT_RUNNING = 3
NO_TARGET = 4
UNREACHABLE = 5
DENIED = 6
APPROVAL_PENDING = 7
TIMEOUT = 124
INTERRUPTED = 130

_BY_CODE = {
    "no-such-target": NO_TARGET,
    "peer-gone": UNREACHABLE,
    "denied": DENIED,
    "forbidden": DENIED,
    "unauthorized": DENIED,
    "approval-pending": APPROVAL_PENDING,
    "timeout": TIMEOUT,
    "bad-message": USAGE,
    "bad-request": USAGE,
    "bad-signal": USAGE,
    "bad-spec": USAGE,
    "needs-all": USAGE,
    "unknown-command": USAGE,
}


def of_misses(misses: Iterable[Miss]) -> int:
    """The code for what did not succeed: its own if all agree, else that some target failed."""
    codes = {_BY_CODE.get(miss.code, FAILED) for miss in misses}
    return codes.pop() if len(codes) == 1 else FAILED if codes else OK


def of_error(error: ProcctlError) -> int:
    """The code for a whole command that failed."""
    match error:
        case Refused(code=code):
            return _BY_CODE.get(code, FAILED)
        case PeerGone():
            return UNREACHABLE
        case BadConfig() | Unsupported():
            return USAGE
    return FAILED


def of_process(code: int | None, signal: str | None) -> int:
    """A process's end as a shell shows it: its code, or 128 and the signal's number."""
    if signal is not None:
        from signal import Signals

        return 128 + Signals[signal].value if signal in Signals.__members__ else FAILED
    return FAILED if code is None else code
