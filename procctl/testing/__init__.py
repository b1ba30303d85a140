"""For the tests of those who extend procctl: a kit that holds a transport to its promises."""

from .promises import BrokenPromise, Promise, Report
from .transports import check_transport

__all__ = ["BrokenPromise", "Promise", "Report", "check_transport"]
