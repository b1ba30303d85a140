"""What a configuration declares."""

from __future__ import annotations

from typing import Literal

from attrs import evolve, frozen

from ..core.approval import Policy
from ..core.auth import Auth
from ..core.check import problems
from ..core.matching import did_you_mean
from ..core.plan import cycle
from ..core.specs import ProcessSpec
from ..errors import BadConfig

OnExit = Literal["stop", "keep"]

__all__ = ["Declared", "check", "chosen"]


@frozen(kw_only=True)
class Declared:
    """What a file says.

    Attributes:
        file: Where it was read.
        name, listen, join, state_dir, on_exit: The agent.
        auth: Where credentials are.
        policies, processes: In their order.
    """

    file: str
    name: str = ""
    listen: tuple[str, ...] = ()
    join: str = ""
    state_dir: str = ""
    on_exit: OnExit = "stop"
    auth: Auth = Auth()
    policies: tuple[Policy, ...] = ()
    processes: tuple[ProcessSpec, ...] = ()


def check(declared: Declared) -> Declared:
    """The same, if it fits together.

    Raises:
        BadConfig: A spec is unusable, a name is there twice, or dependencies are unknown or go in a circle.
    """
    names = {spec.name for spec in declared.processes}
    for spec in declared.processes:
        for problem in problems(spec):
            raise BadConfig(f"{declared.file}: {problem.message} at process.{spec.name}.{problem.path}")
        for other in spec.depends_on:
            if other not in names:
                where = f"process.{spec.name}.depends_on"
                hint = did_you_mean(other, names)
                raise BadConfig(f"{declared.file}: there is no process {other!r} at {where}", hint)
    circle = cycle({spec.name: tuple(spec.depends_on) for spec in declared.processes})
    if circle:
        raise BadConfig(f"{declared.file}: a circle of dependencies: {' -> '.join(circle)}")
    return declared


def chosen(declared: Declared, names: tuple[str, ...]) -> Declared:
    """Only these processes and what they depend on; without names, all.

    Raises:
        BadConfig: A name is not declared.
    """
    if not names:
        return declared
    by_name = {spec.name: spec for spec in declared.processes}
    wanted: dict[str, None] = {}

    def want(name: str) -> None:
        if name not in wanted:
            wanted[name] = None
            for other in by_name[name].depends_on:
                want(other)

    for name in names:
        if name not in by_name:
            hint = did_you_mean(name, by_name) or "there are " + ", ".join(by_name)
            raise BadConfig(f"{declared.file} declares no process {name!r}", hint)
        want(name)
    return evolve(declared, processes=tuple(spec for spec in declared.processes if spec.name in wanted))
