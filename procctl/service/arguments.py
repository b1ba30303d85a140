"""What a program has given to a block, looked at before anything acts on it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..abc import Listener
from ..core.shape import misfit
from ..core.specs import HOST
from ..errors import BadConfig

if TYPE_CHECKING:
    from ..core.approval import Policy

__all__ = ["expect", "folder", "host_name", "places", "policies"]


def expect(name: str, value: Any, kind: Any) -> None:
    """Raises BadConfig: an argument is of another type, see `misfit`."""
    wrong = misfit(value, kind)
    if wrong:
        raise BadConfig(wrong.replace("$", name, 1))


def host_name(name: Any) -> str:
    """The name of an agent or a controller, as it is shown, and addressed (``HOST/*``).

    Raises:
        BadConfig: It is none.
    """
    expect("name", name, str)
    if not HOST.match(name):
        hint = "letters, digits and ._@+-, 1 to 253 of them, beginning with a letter or digit"
        raise BadConfig(f"{name!r} is no name of a host", hint)
    return str(name)


def places(listen: Any) -> tuple[str | Listener, ...]:
    """Where somebody listens: one URL, or several, or listeners. Raises BadConfig."""
    found = (listen,) if isinstance(listen, str) or not isinstance(listen, Iterable) else tuple(listen)
    for place in found:
        if not isinstance(place, str) and not hasattr(place, "traits"):
            raise BadConfig(f"expected a URL or a listener at listen, got {place!r}")
    return found


def policies(approval: Any) -> tuple[Policy, ...]:
    """Raises BadConfig: they are no policies, or no list of them."""
    if callable(approval) or not isinstance(approval, Sequence):
        raise BadConfig(f"expected a list of policies at approval, got {approval!r}", "approval=[policy]")
    from ..core.approval import check_policies

    return check_policies(approval)


def folder(state_dir: Any) -> None:
    """Raises BadConfig: it is no path."""
    if state_dir is not None and not isinstance(state_dir, str | os.PathLike):
        raise BadConfig(f"expected a path at state_dir, got {state_dir!r}")
