"""A crash between any two steps: a short scene is played again and again, and each time one program is killed one step
later, until the scene is over without that.

A step is what a task does between two awaits, so there is no await of an agent's or of the controller's at which it is
not killed. Afterwards the program begins again, and when all has settled the rules have to hold, and the scene's end
has to have come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from attrs import frozen

from ...abc import Call
from ...core.messages import AnyRequest, Restart, Start, Stop
from ...core.specs import ProcessSpec
from ...core.terms import Terms
from ..outcome import Outcome
from .child import Script
from .fleet import VirtualFleet
from .outcome import outcome_of, quietly
from .rules import decided, empty
from .time import Backend, before_steps, run_virtual
from .trace import Violation

__all__ = ["SCENES", "WHO", "Scene", "play", "steps_of"]

WHO = ("a", "b", "controller")
"""Who is killed."""
TERMS = Terms(ttl=4.0, drift=0.01, wake=0.4, kill=0.4, renew=1.0)
AWAY = 0.3
"""Seconds until who was killed begins again."""
SETTLED = 12.0
"""Seconds after which everything has settled: what may have run out, asked again and waited, has."""


@frozen(kw_only=True)
class Scene:
    """What is played.

    Attributes:
        before: What is there already.
        during: What then happens. It waits for no answer, since there may be none.
        ends: On which host the program may run in the end; empty: on none, since whoever was killed had not heard of it
            yet, or ended it.
        keeps: Whether what an agent runs lives on without it.
        seconds: How long it takes.
    """

    before: Callable[[VirtualFleet], Awaitable[object]]
    during: Callable[[VirtualFleet], object]
    ends: tuple[str, ...]
    keeps: bool = True
    seconds: float = 1.5


def _say(fleet: VirtualFleet, request: AnyRequest) -> None:
    """To the controller, with a key of its own."""
    key = str(UUID(int=fleet.dice.getrandbits(128), version=4))
    fleet.controller.submit(Call(request=request, key=key, until="accepted"))


async def _nothing(fleet: VirtualFleet) -> None:
    await fleet.controller.add(ProcessSpec(name="web", command=("web",), mode="one"), hostname="a")


async def _running(fleet: VirtualFleet) -> None:
    await fleet.controller.start("web", ["web"], hostname="a", mode="one")


async def _standing_by(fleet: VirtualFleet) -> None:
    await _running(fleet)
    await fleet.controller.start("web", ["web"], hostname="b", mode="one", standby=True, until="accepted")
    await fleet.run(0.5)


async def _both(fleet: VirtualFleet) -> None:
    await _running(fleet)
    await fleet.controller.add(ProcessSpec(name="web", command=("web",), mode="force"), hostname="b")


def _exit(fleet: VirtualFleet) -> None:
    fleet.child("web").exit(0)


SCENES = {
    "a start": Scene(before=_nothing, during=lambda fleet: _say(fleet, Start(name="web")), ends=("a", "")),
    "a stop": Scene(before=_running, during=lambda fleet: _say(fleet, Stop(name="web")), ends=("", "a")),
    "a restart": Scene(before=_running, during=lambda fleet: _say(fleet, Restart(name="web")), ends=("a",)),
    "a takeover": Scene(
        before=_both, during=lambda fleet: _say(fleet, Start(name="web", hostname="b")), ends=("b", "a")
    ),
    "a successor": Scene(before=_standing_by, during=_exit, ends=("b",)),
    "a successor that ends with its agent": Scene(before=_standing_by, during=_exit, ends=("b", ""), keeps=False),
}


def play(name: str, who: str, step: int | None, backend: Backend = "asyncio") -> tuple[Outcome, int]:
    """Play a scene.

    Args:
        name: Which.
        who: Is killed.
        step: Before which step of the scene; None: not at all.
        backend: asyncio or trio.

    Returns:
        What has come of it, and how many steps the scene had before the kill, or in all.
    """
    kill = _Kill(who, step)
    with quietly():
        outcome = run_virtual(_played, SCENES[name], kill, backend=backend)
    return outcome, kill.steps


class _Kill:
    """Of one program, before one step of all that are taken."""

    def __init__(self, who: str, step: int | None) -> None:
        self.who = who
        self.step = step
        self.steps = 0

    def before_each(self, fleet: VirtualFleet) -> None:
        """A step is about to be taken."""
        if self.steps == self.step:
            fleet.crash_controller() if self.who == "controller" else fleet.crash(self.who)
        self.steps += 1


async def _played(scene: Scene, kill: _Kill) -> Outcome:
    fleet = VirtualFleet(
        ["a", "b"],
        seed=1,
        terms=TERMS,
        drift=TERMS.drift,
        on_exit="keep" if scene.keeps else "stop",
        scripts={"web": Script(obeys=0.2)},
    )
    broken = ""
    try:
        async with fleet:
            await scene.before(fleet)
            scene.during(fleet)
            with before_steps(lambda: kill.before_each(fleet)):
                await fleet.run(scene.seconds)
            await fleet.run(AWAY)
            while not fleet.runs(kill.who) and not fleet.begin(kill.who):
                await fleet.run(0.1)
            await fleet.run(SETTLED)
            decided(fleet)
            where = "".join(child.host for child in fleet.children("web"))
            if where not in scene.ends:
                raise Violation("scene", f"web runs on {where!r}, and was to on one of {scene.ends}")
        empty(fleet)
    except Violation as error:
        broken = str(error)
    return outcome_of(fleet, kill.step or 0, broken)


def steps_of(name: str, backend: Backend = "asyncio") -> int:
    """How many steps a scene has."""
    return play(name, "a", None, backend)[1]
