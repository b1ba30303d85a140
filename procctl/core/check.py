"""What is wrong with a spec. Pure; used where specs come in: from a wire, from a file, from a program."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from signal import Signals

from attrs import frozen

from .specs import NAME, SHUTDOWN, ProcessSpec, ReadyCommand, ReadyLog, ReadyMessage, ReadyTcp
from .value import Value

__all__ = ["Problem", "problems", "signal_name"]


@frozen(eq=False, repr=False)
class Problem(Value):
    """Where (a path within the spec, such as ``restart.delay``) and what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} at {self.path}"


def signal_name(text: str) -> str | None:
    """``TERM``, ``sigterm``, ``15`` → ``SIGTERM``; None if there is no such signal here."""
    word = text.strip().upper()
    try:
        if word.isdigit():
            return Signals(int(word)).name
        return Signals[word if word.startswith("SIG") else "SIG" + word].name
    except (KeyError, ValueError):
        return None


def problems(spec: ProcessSpec) -> tuple[Problem, ...]:
    """Everything that makes a spec unusable, in the order of its fields; empty: it is fine."""
    return tuple(_problems(spec))


def _problems(spec: ProcessSpec) -> Iterator[Problem]:
    if not NAME.match(spec.name) or spec.name == "all":
        yield Problem(
            "name",
            f"{spec.name!r} is no process name: letters, digits and ._@+-, 1 to 128 of them, "
            "beginning with a letter or digit, and not 'all'",
        )
    if not spec.command or not spec.command[0]:
        yield Problem("command", "the program to run is missing")
    if not all(_passable(word) for word in spec.command):
        yield Problem("command", "a NUL character, or half of a character, cannot be passed to a program")
    if spec.cwd is not None and not (spec.cwd and _passable(spec.cwd)):
        yield Problem("cwd", f"{spec.cwd!r} is no folder")
    for key, value in spec.env.items():
        if not key or "=" in key or not _passable(key) or not _passable(value or ""):
            yield Problem(f"env.{key}", "no usable name or value of an environment variable")
    if not 1 <= spec.instances <= 10_000:
        yield Problem("instances", f"expected 1 to 10000, got {spec.instances}")
    if spec.group and not NAME.match(spec.group):
        yield Problem("group", f"{spec.group!r} is no group name")
    for name in spec.depends_on:
        if name == spec.name:
            yield Problem(f"depends_on.{name}", "a process cannot depend on itself")
    yield from _restart(spec)
    yield from _stop(spec)
    yield from _ready(spec)
    if spec.hooks is not None and not _seconds(spec.hooks.timeout):
        yield Problem("hooks.timeout", f"expected a duration, got {spec.hooks.timeout:g}")
    if spec.watchdog is not None and not (_seconds(spec.watchdog.every) and spec.watchdog.every > 0):
        yield Problem("watchdog.every", f"expected a duration, got {spec.watchdog.every:g}")
    yield from _logs(spec)


def _logs(spec: ProcessSpec) -> Iterator[Problem]:
    logs = spec.logs
    for name in ("file", "stderr"):
        file = getattr(logs, name)
        if file is not None and not (file and _passable(file)):
            yield Problem(f"logs.{name}", f"{file!r} is no file")
    if logs.file is None and logs.stderr is not None:
        yield Problem("logs.stderr", "expected a file for stdout as well")
    for name in ("ring", "max_size"):
        size = getattr(logs, name)
        if size is not None and size < 4096:
            yield Problem(f"logs.{name}", f"expected at least 4096 bytes, got {size}")
    if logs.max_age is not None and not (_seconds(logs.max_age) and logs.max_age >= 1):
        yield Problem("logs.max_age", f"expected at least a second, got {logs.max_age:g}")
    if not 1 <= logs.keep <= 10_000:
        yield Problem("logs.keep", f"expected 1 to 10000, got {logs.keep}")


def _restart(spec: ProcessSpec) -> Iterator[Problem]:
    r = spec.restart
    low, high = r.delay
    if not (_seconds(low) and _seconds(high) and low <= high):
        yield Problem(
            "restart.delay", f"expected two durations, the first not above the second, got {low:g} and {high:g}"
        )
    if not 0 <= r.jitter <= 1:
        yield Problem("restart.jitter", f"expected 0 to 1, got {r.jitter:g}")
    if r.limit is not None and r.limit < 0:
        yield Problem("restart.limit", f"expected 0 or more, got {r.limit}")
    for name in ("window", "min_uptime", "reset"):
        if not _seconds(getattr(r, name)):
            yield Problem(f"restart.{name}", f"expected a duration, got {getattr(r, name):g}")


def _stop(spec: ProcessSpec) -> Iterator[Problem]:
    for i, (name, wait) in enumerate(spec.stop.steps):
        if signal_name(name) != name and name != SHUTDOWN:
            yield Problem(f"stop.steps[{i}]", f"{name!r} is no signal")
        if not _seconds(wait):
            yield Problem(f"stop.steps[{i}]", f"expected a duration, got {wait:g}")


def _ready(spec: ProcessSpec) -> Iterator[Problem]:
    match spec.ready:
        case ReadyTcp(port=port, host=host):
            if not 1 <= port <= 65535:
                yield Problem("ready.tcp", f"expected a port, 1 to 65535, got {port}")
            if not 1 <= len(host) <= 253 or not host.isprintable() or " " in host or not _passable(host):
                yield Problem("ready.tcp", f"{host[:40]!r} is no host")
        case ReadyLog(pattern=pattern):
            try:
                re.compile(pattern)
            except re.error as error:
                yield Problem("ready.log", f"no regular expression: {error}")
        case ReadyCommand(command=command):
            if not command or not command[0] or not all(_passable(word) for word in command):
                yield Problem("ready.command", "the program to run is missing, or cannot be passed to the system")
        case ReadyMessage(message=message):
            if not 0 < len(message) <= 1000:
                yield Problem("ready.message", "expected a text of 1 to 1000 characters")
    if spec.ready is not None:
        for name in ("timeout", "every"):
            if not _seconds(getattr(spec.ready, name, 1.0)):
                yield Problem(f"ready.{name}", f"expected a duration, got {getattr(spec.ready, name):g}")


def _passable(text: str) -> bool:
    """Whether the system takes it: no NUL, and what came from bytes goes back to the same bytes."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _seconds(value: float) -> bool:
    return math.isfinite(value) and 0 <= value <= 1e9
