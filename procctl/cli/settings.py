"""Options that every command has, before or after its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import define, evolve

from ..config.units import duration
from ..core.auth import Auth
from ..errors import ProcctlError
from .places import socket_url

__all__ = ["DURATION", "Settings", "common", "settings"]

F = TypeVar("F", bound=Callable[..., Any])


@define
class Settings:
    """Attributes: url: Empty: the local agent. token_file: Empty: see `auth`. timeout: Seconds, or None."""

    url: str = ""
    token_file: str = ""
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    timeout: float | None = None
    no_color: bool = False
    yes: bool = False
    dry_run: bool = False

    def target_url(self) -> str:
        """Whom to speak to."""
        return self.url or os.environ.get("PROCCTL_URL") or socket_url(_named())

    def auth(self, declared: Auth | None = None) -> Auth:
        """Where credentials are: the option, the environment, the file's ``[auth]``, else the user's own."""
        found = declared or Auth()
        given = self.token_file or os.environ.get("PROCCTL_TOKEN_FILE") or found.token_file
        return evolve(found, token_file=given)

    @property
    def color(self) -> bool:
        """Whether stdout may be coloured (no-color.org)."""
        if self.no_color or os.environ.get("NO_COLOR"):
            return False
        return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _named() -> str:
    """The agent that this folder's configuration names, if it does."""
    from ..config.lookup import find, load

    try:
        path = find(None, Path.cwd())
        return load(None, Path.cwd()).name if path is not None and path.suffix == ".toml" else ""
    except ProcctlError:
        return ""


def settings() -> Settings:
    """Those of the command that runs."""
    return click.get_current_context().ensure_object(Settings)


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    if value not in (None, False, 0):
        found = ctx.ensure_object(Settings)
        assert param.name is not None
        setattr(found, param.name, value)
    return value


class _Duration(click.ParamType):  # type: ignore[type-arg]
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Duration()
_OPTIONS = (
    click.option("--url", metavar="URL", help="Whom to speak to; default: $PROCCTL_URL, else the local agent."),
    click.option("--token-file", metavar="F", help="Who to be there; default: $PROCCTL_TOKEN_FILE, else the user's."),
    click.option("--json", is_flag=True, help="Print JSON."),
    click.option("-q", "--quiet", is_flag=True, help="No prose."),
    click.option("-v", "--verbose", count=True, help="More of it."),
    click.option("--timeout", type=DURATION, metavar="TIME", help="Give up after this long (30s, 5m)."),
    click.option("--no-color", is_flag=True, help="No colours; $NO_COLOR does the same."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask back."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and to what."),
)


def common(command: F) -> F:
    """Give a command the options that all have."""
    for option in reversed(_OPTIONS):
        command = option(command)
    for param in getattr(command, "__click_params__", getattr(command, "params", [])):
        if param.name in {"url", "token_file", "json", "quiet", "verbose", "timeout", "no_color", "yes", "dry_run"}:
            param.expose_value = False
            param.callback = _store
    return command
