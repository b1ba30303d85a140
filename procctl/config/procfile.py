"""Procfile: ``name: command`` lines, as Heroku's, foreman's and honcho's.

UTF-8; ``#`` begins a comment line; ``\\`` joins a line with the next; leading ``VAR=value`` words, also after ``env``,
go into the environment. A command with characters that only a shell understands is run by ``/bin/sh -c``, any other
directly. A line named ``release`` runs first and the others wait for it to succeed. Each line gets its ``PORT``:
5000, 5100, …, or from ``$PORT`` on. A ``.env`` beside the file is read.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from attrs import frozen

from ..core.specs import NAME, ProcessSpec
from ..errors import BadConfig
from .declared import Declared
from .dotenv import read_env

__all__ = ["Entry", "parse", "read_procfile"]

RELEASE = "release"
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_BUILTINS = {
    *(":", ".", "[", "alias", "break", "case", "cd", "continue", "eval", "exec", "exit", "export", "for", "if"),
    *("read", "return", "set", "shift", "source", "test", "times", "trap", "ulimit", "umask", "unset", "until"),
    *("wait", "while"),
}
"""Words that only a shell understands at the beginning of a command (POSIX.1-2017, XCU 2.14 and 2.9.4)."""
_SHELL = set("$|&;<>()*?[]~`\n!{}")


@frozen
class Entry:
    """One line: its number, the process's name, variables and command."""

    line: int
    name: str
    env: dict[str, str]
    command: str


def parse(text: str) -> list[Entry]:
    """The lines of a Procfile.

    Raises:
        ValueError: A line cannot be used; names it: ``Line 2: …``.
    """
    entries: dict[str, Entry] = {}
    for number, line in _joined(text):
        name, colon, command = (part.strip() for part in line.partition(":"))
        if not colon:
            raise ValueError(f'Line {number}: expected "name: command", got {line.strip()[:40]!r}.')
        if not NAME.match(name) or name == "all":
            raise ValueError(f"Line {number}: {name!r} is no process name.")
        if name in entries:
            first = entries[name].line
            raise ValueError(f'Line {number}: duplicate process type "{name}": already appears on line {first}.')
        env, command = _assignments(command, number)
        if not command:
            raise ValueError(f'Line {number}: the command of "{name}" is missing.')
        entries[name] = Entry(number, name, env, command)
    return list(entries.values())


def read_procfile(path: Path) -> Declared:
    """The processes of a Procfile.

    Raises:
        BadConfig: It cannot be read, or a line cannot be used.
    """
    try:
        entries = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise BadConfig(f"{path}: {error}") from None
    if not entries:
        raise BadConfig(f"{path} declares no process", 'a line is "name: command"')
    folder = path.resolve().parent
    shared = read_env(folder / ".env") if (folder / ".env").exists() else {}
    first = shared.get("PORT") or os.environ.get("PORT") or "5000"
    if not first.isdecimal():
        raise BadConfig(f"PORT={first} is no port")
    released = any(entry.name == RELEASE for entry in entries)
    specs = []
    port = int(first)
    for entry in entries:
        env = {"PORT": str(port), **{k: v for k, v in shared.items() if k != "PORT"}, **entry.env}
        if entry.name != RELEASE:
            port += 100
        specs.append(
            ProcessSpec(
                name=entry.name,
                command=_command(entry, path),
                cwd=str(folder),
                env=dict(env),
                depends_on={RELEASE: "succeeded"} if released and entry.name != RELEASE else {},
            )
        )
    return Declared(file=str(path), processes=tuple(specs))


def _joined(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers, continued ones put together; no comments, no blank ones."""
    out: list[tuple[int, str]] = []
    begun: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if begun is None and (not line.strip() or line.lstrip().startswith("#")):
            continue
        start, before = begun or (number, "")
        if line.endswith("\\"):
            begun = (start, before + line[:-1])
        else:
            out.append((start, before + line))
            begun = None
    return out if begun is None else [*out, begun]


def _assignments(command: str, number: int) -> tuple[dict[str, str], str]:
    """Leading variables, and the command behind them as it was written."""
    env: dict[str, str] = {}
    rest = command
    seen_env = False
    while rest:
        word, _, behind = _first_word(rest, number)
        if word == "env" and not seen_env and _ASSIGNMENT.match(behind):
            seen_env, rest = True, behind
        elif _ASSIGNMENT.match(word) and not _SHELL & set(word):
            name, _, value = word.partition("=")
            try:
                env[name] = "".join(shlex.split(value))
            except ValueError as error:
                raise ValueError(f"Line {number}: {error}.") from None
            rest = behind
        else:
            break
    return env, rest


def _first_word(text: str, number: int) -> tuple[str, str, str]:
    """The first word with its quotes, the white space behind it, and the rest."""
    match = re.match(r"""((?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+)(\s*)(.*)""", text, re.DOTALL)
    if match is None:
        raise ValueError(f"Line {number}: a quote is not closed.")
    return match[1], match[2], match[3]


def _command(entry: Entry, path: Path) -> tuple[str, ...]:
    if _SHELL & set(entry.command) or entry.command.split(maxsplit=1)[0] in _BUILTINS:
        return ("/bin/sh", "-c", entry.command)
    try:
        return tuple(shlex.split(entry.command))
    except ValueError as error:
        raise BadConfig(f"{path}: Line {entry.line}: {error}.") from None
