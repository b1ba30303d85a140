"""A person: is asked by a policy now and then, answers or does not, and frees what a machine held that is off."""

from __future__ import annotations

from typing import Any

from ...core.admission import Approve, LeaseOverride
from ...core.admission import Deny as DenyIt
from ...core.approval import Ask, Decision, PermitRequest
from ...core.rights import LOCAL
from .host import Machine
from .top import Top
from .world import World

__all__ = ["Person"]


class Person:
    """Args: world: Dice. top: The controller. share: Of questions that are put to the person."""

    def __init__(self, world: World, top: Top, share: float) -> None:
        self._world = world
        self._top = top
        self._share = share

    def policy(self, request: PermitRequest, fleet: Any) -> Decision | None:
        """See `procctl.core.approval.Policy`."""
        if self._share and self._world.chance(self._share):
            return Ask(self._world.random.choice((2.0, 20.0, None)))
        return None

    def is_asked(self, rid: str) -> bool:
        """Whether this question is open, and put to the person."""
        life = self._top.life
        question = None if life is None else life.door.gate.open.get(rid)
        return question is not None and question.for_a_person

    def answer(self) -> None:
        """Say yes or no to one of the open questions."""
        life = self._top.life
        waiting = [] if life is None else [rid for rid, q in life.door.gate.open.items() if q.for_a_person]
        if life is None or not waiting:
            return
        rid = self._world.random.choice(waiting)
        yes = self._world.chance(0.7)
        self._world.note(f"a person says {'yes' if yes else 'no'} to {rid}")
        self._world.counts["answers"] += 1
        life.door.submit(Approve(approval=rid) if yes else DenyIt(approval=rid), LOCAL)

    def free(self, machine: Machine) -> None:
        """That machine is off, so nothing runs on it, and what it held is free."""
        life = self._top.life
        if life is None or not machine.off:
            return
        for slot in sorted({lease.slot for lease in life.door.gate.book.of_host(machine.name)}):
            self._world.note(f"a person frees {slot} of {machine.name}")
            self._world.counts["freed"] += 1
            life.door.submit(LeaseOverride(slot=slot, hostname=machine.name), LOCAL)
