"""The command group. Commands are loaded when they are used, so that each costs its own imports."""

from __future__ import annotations

from importlib import import_module

import click

from ..core.matching import did_you_mean
from ..version import __version__
from .settings import common

__all__ = ["procctl"]

_COMMANDS = {
    "run": ("foreground", "run", "Run a Procfile or procctl.toml in the foreground."),
    "up": ("background", "up", "Start an agent in the background, with a declared state."),
    "down": ("background", "down", "Stop the agent and all that it runs."),
    "agent": ("agent", "agent", "An agent in the foreground, for service managers and containers."),
    "controller": ("controller", "controller", "A controller in the foreground: agents join it."),
    "stdio": ("relay", "stdio", "Relay stdin and stdout to this user's agent, and start one where there is none."),
    "add": ("add", "add", "Register a process and start it."),
    "start": ("control", "start", "Start what is stopped."),
    "stop": ("control", "stop", "Ask to end, and see to it."),
    "restart": ("control", "restart", "Stop, and start again."),
    "kill": ("control", "kill", "End at once; it stays stopped."),
    "signal": ("control", "signal", "Send a signal and leave everything else as it is."),
    "ask": ("question", "ask", "Put a question to a program that has a channel."),
    "detach": ("control", "detach", "Let what runs go on without procctl."),
    "free": ("free", "free", "Say that what holds a slot has ended."),
    "adopt": ("adopt", "adopt", "Take over a program that runs already."),
    "reopen": ("control", "reopen", "Write on in new log files, for logrotate."),
    "delete": ("control", "delete", "Forget what does not run."),
    "ps": ("status", "ps", "Processes, a line each."),
    "ls": ("status", "ps", "The same as ps."),
    "status": ("status", "status", "How something is; exit code 3 if it does not run."),
    "show": ("status", "show", "Everything about a process."),
    "why": ("status", "why", "Why it is as it is."),
    "wait": ("status", "wait", "Wait until it runs, is ready, is stopped, or has ended."),
    "logs": ("logs", "logs", "Output, merged in the order of time."),
    "events": ("events", "events", "What happens, as NDJSON."),
    "approvals": ("approvals", "approvals", "Starts that wait for a person."),
    "approve": ("approvals", "approve", "Yes to one of them."),
    "deny": ("approvals", "deny", "No to one of them."),
    "key": ("key", "key", "Make keys for links over ZeroMQ."),
    "hosts": ("hosts", "hosts", "Known agents: last heard of, versions, links, features."),
    "token": ("token", "token", "Make credentials."),
    "config": ("config", "config", "Check a configuration, show it, or print its schema."),
    "doctor": ("doctor", "doctor", "What this kernel, user and installation can do."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _COMMANDS if name != "ls"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module = import_module(f".commands.{where[0]}", __package__)
        command: click.Command = getattr(module, where[1])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in _COMMANDS:
            hint = did_you_mean(name, _COMMANDS) or "procctl --help lists the commands"
            raise click.UsageError(f"there is no command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items() if name != "ls"])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="procctl %(version)s")
@common
def procctl() -> None:
    """Control processes, here and on other machines.

    TARGET is a name (web: all its instances; web.2: one), a pattern ('worker-*'), host/name, group:NAME, uuid:UUID, or
    all.
    """
