"""The command line: a client like any other, and the programs that embed an agent in the foreground or background."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """The ``procctl`` program."""
    if sys.platform == "win32":
        sys.exit("procctl: Windows is not supported: there are no process groups and unix signals to build on")
    try:
        import click  # noqa: F401
    except ImportError:
        sys.exit("procctl: the command line needs its extra: pip install 'procctl[cli]'")
    from .main import procctl

    procctl.main(prog_name="procctl")
