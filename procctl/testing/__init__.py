"""For the tests of those who use or extend procctl: fleets that are made up, and a kit that holds a transport to its
promises. Names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .promises import BrokenPromise as BrokenPromise
    from .promises import Promise as Promise
    from .promises import Report as Report
    from .transports import check_transport as check_transport
    from .virtual.child import FakeChild as FakeChild
    from .virtual.child import Script as Script
    from .virtual.fleet import VirtualFleet as VirtualFleet
    from .virtual.time import VirtualLoop as VirtualLoop
    from .virtual.time import run_virtual as run_virtual
    from .virtual.time import virtual_backend as virtual_backend
    from .virtual.trace import Violation as Violation

_WHERE = {
    "BrokenPromise": "promises",
    "FakeChild": "virtual.child",
    "Promise": "promises",
    "Report": "promises",
    "Script": "virtual.child",
    "Violation": "virtual.trace",
    "VirtualFleet": "virtual.fleet",
    "VirtualLoop": "virtual.time",
    "check_transport": "transports",
    "run_virtual": "virtual.time",
    "virtual_backend": "virtual.time",
}

__all__ = [
    "BrokenPromise",
    "FakeChild",
    "Promise",
    "Report",
    "Script",
    "Violation",
    "VirtualFleet",
    "VirtualLoop",
    "check_transport",
    "run_virtual",
    "virtual_backend",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'procctl.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    return value
