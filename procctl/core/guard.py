"""The agent's side of leases: what may be started on them, and until when it may run. Pure.

Events and replies go in with the time, and what is to be said, told to a process or handed to the keeper comes out.
The rules, which the gate's own rely on:

R1  A program is started only on an answer to a question that is open, so early that it need not end at once, with a
    number above all that are over, and never beside another one of its own.
R2  The keeper has the deadline before anything is started.
R3  What is not used is given back, again and again until that was heard, and is never used after.
R4  A deadline moves only by an answer that quotes when it was asked for, and only to what follows from that.
R5  The deadline is enforced here and by the keeper.
R6  What is being stopped is not prolonged.
R7  A lease is given back when nothing of the program is left.
R8  No word of an earlier life of the gate counts.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import frozen

from .events import AskPermission, Denied, Event, Exited, Granted, Held, Lapsed, LeaseEnds, Now, Queued
from .leases import Inventory, Lease
from .life import Process
from .messages import LeaseExited, LeaseRenew, LeaseWithdraw, Permit
from .replies import AnyReply, Done, Failure, Grant, HeldForPerson, Refusal, Renewed
from .specs import Mode
from .states import Phase
from .terms import Terms
from .value import Value, evolve

__all__ = ["Feed", "Guard", "GuardOut", "Hold", "Keep", "Said", "Say"]

_STAMPS = 256
"""Renewals whose times are remembered, and so many numbers that were disowned."""
_AGAIN = 2.0
"""Seconds after which it is said again that a lease is over."""

_EARLY = 0.05
"""Seconds: a keeper is told of deadlines in whole milliseconds, and clocks are read one after the other."""
_UNHEARD = "its lease runs out: the controller has not been heard"

Said = Permit | LeaseWithdraw | LeaseExited | LeaseRenew


@frozen(eq=False, repr=False)
class Say(Value):
    """Say this to the gate; its answer comes to `Guard.answered`. `by`: on whose behalf."""

    message: Said
    by: str = ""


@frozen(eq=False, repr=False)
class Feed(Value):
    """This has happened to a process."""

    uuid: str
    event: Event


@frozen(eq=False, repr=False)
class Keep(Value):
    """What a process runs must be gone by then (`Now.boot`), whatever becomes of this agent; None: that is over.

    `ttl` is how long its lease lasts at the gate."""

    uuid: str
    until: float | None
    ttl: float = 0.0


GuardOut = Say | Feed | Keep


@frozen(kw_only=True, eq=False, repr=False)
class Hold(Value):
    """A lease that is held.

    Attributes:
        token: Its number.
        rid: The question that it answers, or empty where that is not known any more.
        slot: What it is for.
        mode: In which it was asked for.
        epoch: Which life of the gate gave it.
        until: When what runs on it must be gone; None: it does not run out.
        ttl: How long it lasts at the gate.
        grace: Seconds that the program is given to end by itself.
        stopping: Whether it has been asked to.
        kept: Whether the program was to outlive an agent that is killed; else its keeper ends it with that.
    """

    token: int
    slot: str
    rid: str = ""
    mode: Mode = "one"
    epoch: int = 0
    until: float | None = None
    ttl: float = 0.0
    grace: float = 0.0
    stopping: bool = False
    kept: bool = True


class Guard:
    """The leases of one host, by the uuid of their process.

    Args:
        hostname: The host.
        boot: Which boot of its machine, or empty.
        run: Which run of the agent.
        terms: What is assumed of clocks and kernels here.
    """

    def __init__(
        self,
        hostname: str,
        boot: str = "",
        run: str = "",
        terms: Terms | None = None,
    ) -> None:
        self.terms = terms or Terms()
        self.epoch = 0
        self.holds: dict[str, Hold] = {}
        self._hostname = hostname
        self._boot = boot
        self._run = run
        self._floor = (0, 0)
        self._knows: float | None = None
        self._over: dict[str, tuple[int, int]] = {}  # by slot
        self._asked: dict[str, Permit] = {}
        self._grace: dict[str, float] = {}
        self._burnt: OrderedDict[int, None] = OrderedDict()
        self._exits: dict[int, tuple[LeaseExited, float]] = {}
        self._stamps: OrderedDict[float, None] = OrderedDict()
        self._next = 0.0

    def begin(self, epoch: int, token: int, knows: float | None) -> None:
        """What was put down by earlier runs.

        Args:
            epoch: The highest of a gate that was heard.
            token: The highest that was used.
            knows: `Now.boot` since when everything was put down; None: nothing was.
        """
        self.epoch = epoch
        self._floor = (epoch, token)
        self._knows = knows

    @property
    def busy(self) -> bool:
        """Whether `tick` has anything to look at."""
        return self._has_to_renew or bool(self._exits)

    # what processes want ------------------------------------------------------------------------------------------

    def ask(self, process: Process, effect: AskPermission, now: Now) -> list[GuardOut]:
        """May it run?"""
        spec = process.spec
        permit = Permit(
            rid=effect.rid,
            slot=process.name,
            uuid=process.uuid,
            hostname=self._hostname,
            mode="force" if effect.force else spec.mode,
            scope=spec.scope,
            level=spec.level,
            group=spec.group,
            standby=effect.standby,
            again=effect.again,
            asked=now.boot,
            boot=self._boot,
        )
        self._asked[effect.rid] = permit
        self._grace[effect.rid] = spec.stop.grace
        return [Say(permit, process.by)]

    def withdraw(self, rid: str, by: str = "") -> list[GuardOut]:
        """It is not asked any more."""
        self._forget(rid)
        return [Say(LeaseWithdraw(rid=rid), by)]

    def release(self, uuid: str, token: int, now: Now) -> list[GuardOut]:
        """Nothing of what ran on this lease is left."""
        hold = self.holds.get(uuid)
        if hold is None or hold.token != token:
            if token == 0:
                return []
            self._burnt[token] = None  # should its grant still be under way, it comes to nothing
            if len(self._burnt) > _STAMPS:
                self._burnt.popitem(last=False)
            return self._give_back(LeaseExited(token=token), now)
        del self.holds[uuid]
        self._close(hold.slot, (hold.epoch, token))
        kept: list[GuardOut] = [Keep(uuid, None)]
        return kept + self._give_back(LeaseExited(token=token, slot=hold.slot), now)

    def over(self, uuid: str, token: int, now: Now, why: str = "") -> list[GuardOut]:
        """The gate says that this lease is over: it has run out there, or was given to somebody else. `why`: more."""
        hold = self.holds.get(uuid)
        return [] if hold is None or hold.token != token else self._is_gone(uuid, hold, now, why)

    def changed(self, process: Process) -> None:
        """It is in another phase: once it is being stopped, its lease is not prolonged."""
        hold = self.holds.get(process.uuid)
        if hold is not None and process.phase in (Phase.STOPPING, Phase.EMPTYING):
            self.holds[process.uuid] = evolve(hold, stopping=True)

    def ended(self, uuid: str, event: Exited, now: Now) -> Exited:
        """How a program has ended, and whether that was since its lease had run out: it was killed, or nobody can tell,
        and its time was over. The keeper says nothing of whom it ends, and this agent may have been away."""
        hold = self.holds.get(uuid)
        late = hold is not None and hold.kept and hold.until is not None and now.boot >= hold.until - _EARLY
        if not late or event.code is not None or event.signal not in (None, "SIGKILL"):
            return event
        return evolve(event, overdue=_UNHEARD)

    def restore(self, process: Process, until: float | None, ttl: float = 0.0, kept: bool = True) -> list[GuardOut]:
        """What an earlier run of the agent has left: when it must be gone, how long its lease lasts at the gate, and
        whether it was to outlive that agent."""
        if not process.token:
            return []
        self.holds[process.uuid] = Hold(
            token=process.token,
            slot=process.name,
            mode=process.spec.mode,
            epoch=process.epoch,
            until=until,
            ttl=ttl,
            grace=process.spec.stop.grace,
            kept=kept,
        )
        self.changed(process)
        return [Keep(process.uuid, until, ttl)]

    # what the gate says -------------------------------------------------------------------------------------------

    def answered(self, message: Said, reply: AnyReply, now: Now) -> list[GuardOut]:
        """The gate's answer to something that was said. No answer leaves things as they are."""
        match message:
            case Permit():
                return self._permitted(message, reply, now)
            case LeaseRenew() if isinstance(reply, Renewed):
                return self._renewed(reply, now)
            case LeaseExited(token=token) if isinstance(reply, Done):
                self._exits.pop(token, None)
        return []

    def _permitted(self, permit: Permit, reply: AnyReply, now: Now) -> list[GuardOut]:
        rid, uuid = permit.rid, permit.uuid
        if isinstance(reply, Grant):
            return self._granted(permit, reply, now)
        if rid not in self._asked:
            held = uuid in self.holds and self.holds[uuid].rid in (rid, "")
            if held or not isinstance(reply, HeldForPerson):
                return []
            return [Say(LeaseWithdraw(rid=rid))]  # it should not wait for anybody
        match reply:
            case HeldForPerson(why=why, queued=queued):
                patient = evolve(self._asked[rid], patient=True)
                return [Feed(uuid, Queued(rid, why) if queued else Held(rid, why)), Say(patient)]
            case Refusal(why=why):
                event = Denied(rid, why)
            case Failure(code=code, message=message):
                event = Denied(rid, f"permission could not be asked for: {message}", code)
            case _:
                event = Denied(rid, f"the answer to a permit was {reply.kind}", "bad-reply")
        self._forget(rid)
        return [Feed(uuid, event)]

    def _granted(self, permit: Permit, grant: Grant, now: Now) -> list[GuardOut]:
        rid, uuid, slot = permit.rid, permit.uuid, permit.slot
        hold = self.holds.get(uuid)
        if hold is not None and (hold.rid, hold.token) == (rid, grant.token):
            return []  # said twice
        until = grant.asked + self.terms.hold(grant.ttl) if grant.ttl else None
        number = (grant.epoch, grant.token)
        grace = self._grace.get(rid, 0.0)
        asked = rid in self._asked
        stale = grant.epoch < self.epoch
        usable = (
            asked
            and not stale
            and hold is None
            and grant.token not in self._burnt
            and (grant.asked == permit.asked or grant.asked in self._stamps)
            and number > max(self._floor, self._over.get(slot, (0, 0)))
            and (until is None or now.boot < until - self._warning(grace, grant.ttl))
        )
        self._forget(rid)
        self.epoch = max(self.epoch, grant.epoch)
        if usable:
            self.holds[uuid] = Hold(
                token=grant.token,
                slot=slot,
                rid=rid,
                mode=permit.mode,
                epoch=grant.epoch,
                until=until,
                ttl=grant.ttl,
                grace=grace,
            )
            old = until is not None and now.boot - grant.asked >= self.terms.renew
            again = [self._renewal(now)] if old else []  # it was asked before an outage: most of its time is over
            return [Keep(uuid, until, grant.ttl), Feed(uuid, Granted(rid, grant.token, grant.epoch)), *again]
        self._close(slot, number)
        out = self._give_back(LeaseExited(token=grant.token, slot=slot, started=False), now)
        if asked and stale:
            why = f"the gate's life {grant.epoch} is over: {self.epoch} has been heard already"
            return [*out, Feed(uuid, Denied(rid, why, "old-epoch"))]
        return [*out, Feed(uuid, Lapsed(rid))] if asked else out

    def _renewed(self, reply: Renewed, now: Now) -> list[GuardOut]:
        if reply.epoch < self.epoch or reply.asked not in self._stamps:
            return []
        self.epoch = reply.epoch
        kept, gone = set(reply.tokens), set(reply.gone)
        out: list[GuardOut] = []
        for uuid, hold in list(self.holds.items()):
            if hold.token in gone:
                out += self._is_gone(uuid, hold, now)
            elif hold.token in kept and hold.until is not None and not hold.stopping and now.boot < hold.until:
                until = reply.asked + self.terms.hold(hold.ttl)
                if until > hold.until:
                    self.holds[uuid] = evolve(hold, until=until)
                    out.append(Keep(uuid, until, hold.ttl))
        return out

    # time ---------------------------------------------------------------------------------------------------------

    def tick(self, now: Now) -> list[GuardOut]:
        """To be called every `Terms.beat`: deadlines, renewals, and what has to be said again."""
        out: list[GuardOut] = []
        for uuid, hold in list(self.holds.items()):
            if hold.until is not None and now.boot >= hold.until - self._warning(hold.grace, hold.ttl):
                out += self._ends(uuid, hold, hold.until, _UNHEARD)
        if now.boot >= self._next and self._has_to_renew:
            out.append(self._renewal(now))
        for token, (message, after) in list(self._exits.items()):
            if now.boot >= after:
                self._exits[token] = (message, now.boot + _AGAIN)
                out.append(Say(message))
        return out

    def joined(self, now: Now) -> list[GuardOut]:
        """There is a link to the gate."""
        return [self._renewal(now)] if self._has_to_renew else []

    def inventory(self, now: Now) -> Inventory:
        """What is held and asked for, for a gate that is joined."""
        leases = tuple(
            Lease(
                token=hold.token,
                slot=hold.slot,
                hostname=self._hostname,
                uuid=uuid,
                mode=hold.mode,
                level="lease" if hold.ttl else "strict",
                run=self._run,
                boot=self._boot,
                epoch=hold.epoch,
                ttl=hold.ttl,
            )
            for uuid, hold in self.holds.items()
        )
        return Inventory(
            hostname=self._hostname,
            run=self._run,
            leases=leases,
            rids=tuple(self._asked),
            asked=now.boot,
            boot=self._boot,
            knows=self._knows,
        )

    # small things -------------------------------------------------------------------------------------------------

    def _is_gone(self, uuid: str, hold: Hold, now: Now, why: str = "") -> list[GuardOut]:
        until = now.boot + hold.grace if hold.until is None else min(hold.until, now.boot + hold.grace)
        out = self._ends(
            uuid, evolve(hold, until=until), until, f"its lease is over at the controller{why and f': {why}'}"
        )
        return [*out, Keep(uuid, until, hold.ttl)]  # and should it be starting just now, `tick` says it again

    def _ends(self, uuid: str, hold: Hold, until: float, why: str) -> list[GuardOut]:
        self.holds[uuid] = evolve(hold, stopping=True)
        return [Feed(uuid, LeaseEnds(hold.token, until, why))]

    def _warning(self, grace: float, ttl: float) -> float:
        """Seconds before the deadline at which it is asked to end: its grace, but not more than a part of the whole.

        What is granted so late is not begun; it is asked for anew.
        """
        return min(grace, self.terms.hold(ttl) / 3)

    @property
    def _has_to_renew(self) -> bool:
        return bool(self._asked) or any(map(_alone, self.holds.values()))

    def _renewal(self, now: Now) -> GuardOut:
        self._next = now.boot + self.terms.renew
        tokens = tuple(hold.token for hold in self.holds.values() if not hold.stopping and _alone(hold))
        return Say(LeaseRenew(asked=self._stamp(now), tokens=tokens, rids=tuple(self._asked)))

    def _give_back(self, message: LeaseExited, now: Now) -> list[GuardOut]:
        self._exits[message.token] = (message, now.boot + _AGAIN)
        return [Say(message)]

    def _close(self, slot: str, number: tuple[int, int]) -> None:
        self._over[slot] = max(number, self._over.get(slot, (0, 0)))

    def _forget(self, rid: str) -> None:
        self._asked.pop(rid, None)
        self._grace.pop(rid, None)

    def _stamp(self, now: Now) -> float:
        self._stamps[now.boot] = None
        if len(self._stamps) > _STAMPS:
            self._stamps.popitem(last=False)
        return now.boot


def _alone(hold: Hold) -> bool:
    """Whether somebody else may not have the slot at the same time."""
    return bool(hold.ttl) or hold.mode != "many"
