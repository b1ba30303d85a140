"""procctl: control processes, here and elsewhere, from inside of a Python program.

The names of this module are loaded when they are first used (PEP 562), so that importing a corner of procctl costs
that corner.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import child as child
    from . import errors as errors
    from . import ready as ready
    from . import sync as sync
    from .agent.agent import Agent as Agent
    from .agent.permit import Permit as Permit
    from .controller.controller import Controller as Controller
    from .core.approval import Decision as Decision
    from .core.approval import PermitRequest as PermitRequest
    from .core.approval import allow as allow
    from .core.approval import ask as ask
    from .core.approval import deny as deny
    from .core.approval import displace as displace
    from .core.approval import hosts as hosts
    from .core.auth import Auth as Auth
    from .core.budget import RestartBudget as RestartBudget
    from .core.happenings import Lost as Lost
    from .core.happenings import Registered as Registered
    from .core.happenings import Removed as Removed
    from .core.happenings import Snapshot as Snapshot
    from .core.happenings import StateChanged as StateChanged
    from .core.reach import Reach as Reach
    from .core.records import ExitRecord as ExitRecord
    from .core.records import Item as Item
    from .core.registry import Registry as Registry
    from .core.specs import HooksSpec as HooksSpec
    from .core.specs import LogSpec as LogSpec
    from .core.specs import ProcessSpec as ProcessSpec
    from .core.specs import RestartSpec as RestartSpec
    from .core.specs import StopSpec as StopSpec
    from .core.states import State as State
    from .errors import Denied as Denied
    from .errors import Failed as Failed
    from .errors import NoSuchTarget as NoSuchTarget
    from .errors import PeerGone as PeerGone
    from .errors import PermitLost as PermitLost
    from .errors import ProcctlError as ProcctlError
    from .errors import Refused as Refused
    from .link.connect import connect as connect
    from .service.fleet import Fleet as Fleet
    from .service.lines import Line as Line
    from .service.process import Process as Process
    from .version import __version__ as __version__

_WHERE = {
    "Agent": "agent.agent",
    "Auth": "core.auth",
    "Controller": "controller.controller",
    "Denied": "errors",
    "Decision": "core.approval",
    "ExitRecord": "core.records",
    "Failed": "errors",
    "Fleet": "service.fleet",
    "HooksSpec": "core.specs",
    "Item": "core.records",
    "Line": "service.lines",
    "LogSpec": "core.specs",
    "Lost": "core.happenings",
    "NoSuchTarget": "errors",
    "PeerGone": "errors",
    "Permit": "agent.permit",
    "PermitLost": "errors",
    "PermitRequest": "core.approval",
    "ProcctlError": "errors",
    "Process": "service.process",
    "ProcessSpec": "core.specs",
    "Reach": "core.reach",
    "Refused": "errors",
    "Registered": "core.happenings",
    "Registry": "core.registry",
    "Removed": "core.happenings",
    "RestartBudget": "core.budget",
    "RestartSpec": "core.specs",
    "Snapshot": "core.happenings",
    "State": "core.states",
    "StateChanged": "core.happenings",
    "StopSpec": "core.specs",
    "__version__": "version",
    "allow": "core.approval",
    "ask": "core.approval",
    "child": "",
    "connect": "link.connect",
    "deny": "core.approval",
    "displace": "core.approval",
    "errors": "",
    "hosts": "core.approval",
    "ready": "",
    "sync": "",
}

__all__ = [
    "Agent",
    "Auth",
    "Controller",
    "Decision",
    "Denied",
    "ExitRecord",
    "Failed",
    "Fleet",
    "HooksSpec",
    "Item",
    "Line",
    "LogSpec",
    "Lost",
    "NoSuchTarget",
    "PeerGone",
    "Permit",
    "PermitLost",
    "PermitRequest",
    "ProcctlError",
    "Process",
    "ProcessSpec",
    "Reach",
    "Refused",
    "Registered",
    "Registry",
    "Removed",
    "RestartBudget",
    "RestartSpec",
    "Snapshot",
    "State",
    "StateChanged",
    "StopSpec",
    "__version__",
    "allow",
    "ask",
    "child",
    "connect",
    "deny",
    "displace",
    "errors",
    "hosts",
    "ready",
    "sync",
]


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'procctl' has no attribute {name!r}")
    if sys.platform == "win32" and name not in ("child", "errors", "__version__"):
        from .errors import Unsupported

        raise Unsupported("procctl does not run on Windows: it builds on process groups and unix signals")
    module = import_module(f".{where or name}", __name__)
    value = module if where == "" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
