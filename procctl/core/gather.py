"""The answers that are being put together: batches, one settling per target, waits for a condition. Pure.

A command on many processes is a gather: each target settles once, and the answer leaves when the last has. `until`
may make a target wait further, for a condition on the process itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

from .answers import Answers, is_passing
from .events import Now, Settle
from .messages import Batch, ChildAnswer, Detail, Miss, Until
from .process import Process
from .records import Item
from .replies import AnyReply
from .shown import item_of
from .states import RESTING, Phase
from .value import Value

__all__ = ["Answer", "Gather", "Gathers"]

P = Phase


@frozen(eq=False, repr=False)
class Answer(Value):
    """The one answer to a request."""

    key: str
    reply: AnyReply


@define
class Gather:
    """A command, or a wait, that is being answered.

    Attributes:
        key: Of the request.
        uuids: Its targets, in the order in which they are answered.
        until: When each counts as done.
        misses: What did not succeed so far.
        settling: Targets whose command has not settled.
        waiting: Targets that wait for a condition, with how many of their runs were over at the time.
        patient: A mere wait: a process that rests may yet be started by somebody.
        answers: What programs have answered to what they were asked.
    """

    key: str
    uuids: tuple[str, ...]
    until: Until
    misses: list[Miss] = field(factory=list)
    settling: set[str] = field(factory=set)
    waiting: dict[str, int] = field(factory=dict)
    patient: bool = False
    answers: list[ChildAnswer] = field(factory=list)


class Gathers:
    """All of one host.

    Args:
        hostname: Of the host.
        processes: Its processes by uuid, as they change.
    """

    def __init__(self, hostname: str, processes: Mapping[str, Process]) -> None:
        self._hostname = hostname
        self._processes = processes
        self._open: dict[str, Gather] = {}
        self._by_uuid: dict[str, set[str]] = {}
        self._given = Answers()

    def known(self, key: str) -> list[Answer] | None:
        """What is said to a request that came before: the same answer again, or nothing yet; None: it is new."""
        given = self._given.get(key)
        if given is not None:
            return [Answer(key, given)]
        return [] if key in self._open else None

    def open(
        self,
        key: str,
        targets: list[Process],
        misses: list[Miss],
        until: Until,
        *,
        settling: bool,
        patient: bool = False,
    ) -> Gather:
        """Begin one; with `settling` each target has yet to settle."""
        gather = Gather(key, tuple(p.uuid for p in targets), until, misses, patient=patient)
        if settling and until != "accepted":
            gather.settling.update(gather.uuids)
        elif until not in ("accepted", "settled"):
            gather.waiting.update({p.uuid: p.exits for p in targets})
        self._open[key] = gather
        for uuid in gather.uuids:
            self._by_uuid.setdefault(uuid, set()).add(key)
        return gather

    def settle(self, uuid: str, effect: Settle) -> None:
        """A command has its final answer for one process."""
        gather = self._open.get(effect.key)
        if gather is None or uuid not in gather.settling:
            return
        gather.settling.discard(uuid)
        p = self._processes[uuid]
        if effect.code:
            hint = effect.hint or f"procctl why {p.name}"
            gather.misses.append(Miss(target=p.name, code=effect.code, message=effect.text, hint=hint))
        elif effect.data:
            gather.answers.append(ChildAnswer(uuid=uuid, name=p.name, hostname=self._hostname, data=effect.data))
        elif gather.until != "settled":
            gather.waiting[uuid] = p.exits

    def look(self, uuid: str, now: Now) -> list[Answer]:
        """A process has changed: which of the answers that wait for it can leave?"""
        keys = self._by_uuid.get(uuid)
        if not keys:
            return []
        out: list[Answer] = []
        p = self._processes[uuid]
        for key in sorted(keys):
            gather = self._open[key]
            if gather.until == "accepted":
                continue  # it is answered when all of its targets have been told
            if uuid in gather.waiting:
                verdict = _reached(p, gather.until, gather.waiting[uuid], gather.patient)
                if verdict is None:
                    continue
                del gather.waiting[uuid]
                if verdict:
                    hint = f"procctl why {p.name}"
                    gather.misses.append(Miss(target=p.name, code=p.why.code, message=verdict, hint=hint))
            out += self.close(gather, now)
        return out

    def deleted(self, p: Process, now: Now) -> list[Answer]:
        """A process is no more; who waited for it is told."""
        out: list[Answer] = []
        for key in sorted(self._by_uuid.pop(p.uuid, ())):
            gather = self._open[key]
            gather.uuids = tuple(uuid for uuid in gather.uuids if uuid != p.uuid)
            gather.settling.discard(p.uuid)
            gather.waiting.pop(p.uuid, None)
            gather.misses.append(Miss(target=p.name, code="no-such-target", message=f"{p.name} was deleted"))
            out += self.close(gather, now)
        return out

    def close(self, gather: Gather, now: Now) -> list[Answer]:
        """Answer it if nothing is missing any more."""
        if gather.settling or gather.waiting or gather.key not in self._open:
            return []
        return [self._finish(gather, now)]

    def expire(self, key: str, now: Now) -> list[Answer]:
        """Its deadline passed: it is answered with what there is."""
        gather = self._open.get(key)
        if gather is None:
            return []
        for uuid in gather.uuids:
            if uuid not in gather.settling and uuid not in gather.waiting:
                continue
            p = self._processes[uuid]
            text = f"still {p.phase.detail}: {p.why.text}"
            gather.misses.append(Miss(target=p.name, code="timeout", message=text, hint=f"procctl why {p.name}"))
        return [self._finish(gather, now)]

    def forget(self, key: str) -> None:
        """Nobody waits for this answer any more. A command that may come again by its key stays known."""
        gather = self._open.get(key)
        if gather is not None and (gather.patient or is_passing(key)):
            self._drop(key)

    def _drop(self, key: str) -> None:
        gather = self._open.pop(key, None)
        for uuid in gather.uuids if gather else ():
            keys = self._by_uuid.get(uuid, set())
            keys.discard(key)
            if not keys:
                self._by_uuid.pop(uuid, None)

    def answer(
        self,
        key: str,
        items: tuple[Item, ...],
        details: tuple[Detail, ...],
        misses: list[Miss],
        answers: tuple[ChildAnswer, ...] = (),
    ) -> Answer:
        """An answer that is complete at once."""
        reply = Batch(items=items, misses=tuple(misses), details=details, answers=answers)
        self._given.put(key, reply)
        return Answer(key, reply)

    def _finish(self, gather: Gather, now: Now) -> Answer:
        self._drop(gather.key)
        items = tuple(item_of(self._processes[u], self._hostname, now) for u in gather.uuids if u in self._processes)
        return self.answer(gather.key, items, (), gather.misses, tuple(gather.answers))


def _reached(p: Process, until: Until, exits: int, patient: bool) -> str | None:
    """Empty: it is as far as was waited for. A text: it will not be. None: not yet."""
    resting = p.phase in RESTING
    match until:
        case "stopped":
            return "" if resting or p.phase is P.IDLE else None
        case "exit":
            return "" if resting or p.phase is P.BACKOFF or p.exits > exits else None
        case "running" | "ready":
            if p.phase is P.UP and (until == "running" or p.ready):
                return ""
            hopeless = p.phase in (P.FAILED, P.DENIED) if patient else resting or p.phase is P.IDLE
            return f"{p.name} is {p.phase.detail}: {p.why.text}" if hopeless else None
    return ""
