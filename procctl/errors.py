"""Every exception that procctl raises on purpose.

    ProcctlError
    ├── Refused            the service said no: code, message, hint (yours to mend)
    │   ├── NoSuchTarget   nothing matches the target (code "no-such-target")
    │   ├── Denied         a policy, a person or your rights said no ("denied", "approval-pending", "forbidden",
    │   │                  "unauthorized")
    │   └── TimedOut       the service did not get there before the deadline ("timeout")
    ├── Failed             a command did not do its work on some target; `misses` names each
    ├── PermitLost         a program's permission for itself is over, and its block was left because of that
    ├── PeerGone           the far side ended, hung or cannot be reached (the world broke it)
    ├── Closed             this side was closed before, or was never entered (you closed it)
    ├── BadMessage         a frame that is not the protocol; names the path
    ├── BadConfig          a file, URL or argument that cannot be used; names the place
    ├── Unsupported        this system, kernel or installation cannot do it; says what to install
    ├── IllegalEvent       a defect: the process machine got an event that its phase cannot have
    └── InternalError      a defect of procctl ended a block; its cause says where

Errors carry data and never a live object, so that they can be logged, pickled and sent.
"""

from __future__ import annotations

__all__ = [
    "BadConfig",
    "BadMessage",
    "Closed",
    "Denied",
    "Failed",
    "IllegalEvent",
    "InternalError",
    "NoSuchTarget",
    "PeerGone",
    "PermitLost",
    "ProcctlError",
    "Refused",
    "TimedOut",
    "Unsupported",
    "refusal",
]


class ProcctlError(Exception):
    """The base of all of them.

    Args:
        message: What happened, in one sentence.
        hint: The next thing to try, or empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Refused(ProcctlError):
    """A service refused a request.

    Args:
        code: A stable word for programs, such as ``"unknown-command"``.
        message: The same for people.
        hint: What to do next, or empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.args = (code, message, hint)
        self.code = code


class NoSuchTarget(Refused):
    """No process or host matches."""


class Denied(Refused):
    """A policy or a person did not allow it, or has not answered yet."""


class TimedOut(Refused):
    """The deadline that came with the request passed first; the command itself goes on."""


_BY_CODE: dict[str, type[Refused]] = {
    "no-such-target": NoSuchTarget,
    "denied": Denied,
    "forbidden": Denied,
    "unauthorized": Denied,
    "approval-pending": Denied,
    "timeout": TimedOut,
}


def refusal(code: str, message: str, hint: str = "") -> ProcctlError:
    """The exception for an error's code: what came over a link becomes a type again."""
    if code == "peer-gone":
        return PeerGone(message, hint)
    if code == "closed":
        return Closed(message, hint)
    return _BY_CODE.get(code, Refused)(code, message, hint)


class Failed(ProcctlError):
    """A command did not succeed on every target.

    Args:
        message: A summary in one sentence.
        misses: One ``(target, code, message)`` for each target that did not do as told.
        hint: What to do next, or empty.
    """

    def __init__(self, message: str, misses: tuple[tuple[str, str, str], ...] = (), hint: str = "") -> None:
        super().__init__(message, hint)
        self.args = (message, misses, hint)
        self.misses = misses


class PermitLost(ProcctlError):
    """A program's permission for itself (`Agent.permit`) is over, and its block was left because of that, or too late.

    Args:
        code: ``stopped``: somebody has stopped it, or runs in its place; ``lease-lost``: the controller was not heard,
            or has given the permission to somebody else.
        message: The same for people.
        hint: What to do next, or empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.args = (code, message, hint)
        self.code = code


class PeerGone(ProcctlError):
    """The connection ended, or nobody answers there."""


class Closed(ProcctlError):
    """Used after its block was left, or before it was entered."""


class BadMessage(ProcctlError):
    """What arrived is not the protocol.

    Args:
        message: What is wrong.
        path: Where, from the root of the document: ``$.pid``.
    """

    def __init__(self, message: str, path: str = "$") -> None:
        super().__init__(f"{message} at {path}")
        self.args = (message, path)
        self.path = path


class BadConfig(ProcctlError):
    """A configuration, a target or a URL that cannot be used."""


class Unsupported(ProcctlError):
    """Not to be had on this system or with what is installed."""


class IllegalEvent(ProcctlError):
    """A defect: no cell of the transition table."""


class InternalError(ProcctlError):
    """A defect of procctl. The exception behind it is its ``__cause__``."""
