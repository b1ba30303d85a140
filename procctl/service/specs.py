"""A spec out of a program's arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import fields

from ..core.specs import ProcessSpec, RestartSpec
from ..errors import BadConfig

__all__ = ["spec_of"]


def spec_of(name: str, command: Sequence[str], **declared: Any) -> ProcessSpec:
    """A spec out of arguments.

    Args:
        name: The process name.
        command: The program and its arguments. A text is refused: no shell is involved.
        declared: Other fields of `ProcessSpec`; `restart` may be a policy's name alone.

    Raises:
        BadConfig: The command is a text, or a field is unknown.
    """
    if isinstance(command, str | bytes):
        raise BadConfig(f"the command of {name} is a text", f"pass a list of words: shlex.split({command!r})")
    if not isinstance(command, Iterable):
        raise BadConfig(f"the command of {name} is {command!r}", "pass a list of words")
    known = {attribute.name for attribute in fields(ProcessSpec)}
    for field in declared:
        if field not in known:
            raise BadConfig(f"a process has no {field!r}", "it has " + ", ".join(sorted(known)))
    if isinstance(declared.get("restart"), str):
        declared["restart"] = RestartSpec(policy=declared["restart"])
    return ProcessSpec(name=name, command=tuple(map(str, command)), **declared)
