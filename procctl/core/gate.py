"""Admission at the top: who may run. Open questions, leases, a person's answer. Pure.

`approval.decide` answers one question at one moment; but a question may wait for a person, or until a holder has
ended, so somebody has to remember it.

A lease is out from the moment at which it is noted, which is before anybody hears of it, until it is struck out. That
happens when its holder says that nothing runs on it, when the holder's machine was booted since, when a person says so;
and if it is one that runs out, when it has, by the gate's own clock. What is noted and not struck out is out again
when the gate comes back from its end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from .approval import (
    Ask,
    Deny,
    Displace,
    PermitRequest,
    Policy,
    View,
    decide,
    effective_mode,
    in_the_way,
    pid_of,
    responds,
)
from .events import Now
from .leases import Book, Inventory, Lease
from .matching import closest
from .questions import Decided, GateOut, Note, Question, Revoke, Strike, Wake
from .replies import Holder, Renewed
from .specs import Mode
from .terms import Terms
from .value import evolve

__all__ = ["Decided", "Gate", "GateOut", "Note", "Question", "Revoke", "Strike", "Wake"]

REMEMBERED = 4096
"""Questions that are over and whose answer is remembered."""


class Gate:
    """Leases by token, open questions by rid.

    Args:
        policies: See `approval.decide`.
        fleet: What policies can look up.
        token: The last token that was ever given; tokens only grow.
        terms: Of leases that run out; None: none does.
        epoch: Which life of the gate this is; agents listen to no earlier one than they have heard.
        born: The first life that knew what this one knows; a lease of it or a later one that is not known here is over.
            0: nothing is known for certain.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        fleet: View,
        token: int = 0,
        *,
        terms: Terms | None = None,
        epoch: int = 0,
        born: int = 0,
    ) -> None:
        self._policies = tuple(policies)
        self.fleet = fleet
        self.terms = terms
        self.epoch = epoch
        self.born = born
        self.book = Book(token)
        self.open: dict[str, Question] = {}
        self._over: OrderedDict[str, Decided] = OrderedDict()
        self._freed: OrderedDict[int, str] = OrderedDict()
        self._runs: dict[str, str] = {}

    @property
    def leases(self) -> dict[int, Lease]:
        """All that are out, by token."""
        return self.book.leases

    def holders(self, slot: str) -> tuple[Lease, ...]:
        """Who holds leases for a slot."""
        return self.book.holders(slot)

    def nobody(self, slot: str, hostname: str) -> tuple[str, str]:
        """That nobody holds a slot there, and what may have been meant."""
        where = f" on {hostname}" if hostname else ""
        elsewhere = [lease.hostname for lease in self.holders(slot)]
        close = closest(slot, self.book.slots)
        hint = f"did you mean {close!r}?" if close else "procctl ps shows what runs where"
        if elsewhere:
            hint = f"it is held on {', '.join(elsewhere)}"
        return f"nobody holds {slot}{where}", hint

    def holders_on(self, slot: str, hostname: str) -> tuple[Lease, ...]:
        """The same, of one host; empty: of all."""
        return tuple(lease for lease in self.holders(slot) if hostname in ("", lease.hostname))

    def holder(self, lease: Lease) -> Holder:
        """Who holds a lease, for people."""
        return Holder(
            name=lease.slot,
            hostname=lease.hostname,
            uuid=lease.uuid,
            pid=pid_of(lease, self.fleet),
            token=lease.token,
            since=lease.at,
            responds=responds(lease, self.fleet),
        )

    # what agents say --------------------------------------------------------------------------------------------

    def permit(self, request: PermitRequest, now: Now, run: str = "") -> list[GateOut]:
        """Somebody asks. Asking again with the same rid gives the same answer and decides nothing."""
        given = self.book.of_question(request.rid)
        if given is not None:
            return [Decided(request.rid, lease=self._renewed(given, request.asked, now))]
        over = self._over.get(request.rid)
        if over is not None:
            return [over]
        known = self.open.get(request.rid)
        if known is not None:
            self._ask_again(known, request.asked)
            return [_held(known)]
        return self._decide(Question(request=request, since=now.wall, run=run), self._policies, now)

    def withdraw(self, rid: str, now: Now) -> list[GateOut]:
        """The question is not asked any more; if it was answered with a lease, nothing ever runs on that."""
        self.open.pop(rid, None)
        given = self.book.of_question(rid)
        return [] if given is None else self.release(given.token, now)

    def release(self, token: int, now: Now, hostname: str = "", slot: str = "") -> list[GateOut]:
        """A holder has ended. What is not this very lease is ignored: a release may come late, or twice."""
        lease = self.book.get(token, hostname)
        if lease is None or (slot and lease.slot != slot):
            return []
        return self._end([lease], now)

    def renew(self, hostname: str, asked: float, tokens: Iterable[int], rids: Iterable[str], now: Now) -> Renewed:
        """An agent is there. What has to end does not go on; open questions count from when it says so."""
        kept, gone = [], []
        for token in tokens:
            lease = self.book.get(token, hostname)
            if lease is None:
                gone.append(token)
            elif lease.ttl and not lease.revoked:
                self._renewed(lease, asked, now)
                kept.append(token)
        for rid in rids:
            question = self.open.get(rid)
            if question is not None and question.request.hostname == hostname:
                self._ask_again(question, asked)
        return Renewed(asked=asked, epoch=self.epoch, tokens=tuple(kept), gone=tuple(gone))

    def adopt(self, inventory: Inventory, now: Now) -> list[GateOut]:
        """A host (re)joins and says what it holds. That stays held; what it denies is over.

        What it holds and is known here to be over has to end. Where nothing is known, its word counts. What an earlier
        run of it has held, and it knows nothing of, it is to end as well.
        """
        hostname, run = inventory.hostname, inventory.run
        for rid, question in list(self.open.items()):
            if question.request.hostname == hostname and inventory.forgets(rid, question.request.asked, question.run):
                del self.open[rid]
        if self._runs.get(hostname, run) != run:  # its numbers may begin again
            for rid in [rid for rid in self._over if rid.startswith(f"{hostname}/")]:
                del self._over[rid]
        self._runs[hostname] = run
        booted = {lease.token for lease in self.book.of_host(hostname) if inventory.booted(lease)}
        told = {self.book.number(hostname, lease.token) for lease in inventory.leases} - booted
        gone = [lease for lease in self.book.of_host(hostname) if lease.token not in told and inventory.denies(lease)]
        left = [lease for lease in self.book.of_host(hostname) if lease.token not in told and lease not in gone]
        out: list[GateOut] = [Revoke(lease, "") for lease in left if lease.run != run]  # it may find what is left of it
        for lease in inventory.leases:
            if self.book.number(hostname, lease.token) in booted:
                continue  # its agent is about to find out
            out += self._told(evolve(lease, hostname=hostname, run=run, boot=inventory.boot or lease.boot), now)
        return out + self._end(gone, now)

    def _told(self, lease: Lease, now: Now) -> list[GateOut]:
        """What a host says that it holds."""
        number = self.book.number(lease.hostname, lease.token)
        known = self.leases.get(number)
        if known is not None and known.hostname == lease.hostname and known.slot == lease.slot:
            if (known.run, known.boot) == (lease.run, lease.boot):
                return []
            return [Note(self.book.change(evolve(known, run=lease.run, boot=lease.boot)))]
        if self.born and lease.epoch >= self.born:
            return [Revoke(lease, "", self._freed.get(lease.token, ""))]
        beside = self._beside(lease)
        if beside is not None:  # nothing was known of it here, and the slot was given to somebody else
            why = f"{lease.slot} was given to {beside.hostname}, since nothing was known of this lease"
            return [Revoke(lease, "", why)]
        if known is not None:  # given by another gate, which had numbers of its own
            number = self.book.renumber(lease.hostname, lease.token)
        return [Note(self.book.keep(evolve(lease, token=number), now.boot))]

    def _beside(self, lease: Lease) -> Lease | None:
        """Who else holds the slot, where only one of the two may."""
        for other in self.holders(lease.slot):
            same = other.hostname == lease.hostname
            apart = not same and "host" in (other.scope, lease.scope)
            if not (same or apart) and (other.mode != "many" or lease.mode != "many"):
                return other
        return None

    def revoking(self, hostname: str) -> tuple[tuple[Lease, str], ...]:
        """The leases of a host that somebody waits for to end, and who."""
        return tuple((lease, lease.revoked) for lease in self.book.of_host(hostname) if lease.revoked)

    # what people say, and time ------------------------------------------------------------------------------------

    def answer(self, rid: str, by: str, now: Now, deny: str | None = None) -> list[GateOut]:
        """A person answers; with `deny` the reason of a refusal. The modes are looked at again: minutes have passed."""
        question = self.open.get(rid)
        if question is None or not question.for_a_person:
            return []
        del self.open[rid]
        if deny is not None:
            return [self._refuse(Decided(rid, denied=f"{by} denied it" + (f": {deny}" if deny else "")))]
        return self._decide(question, (), now)

    def expire(self, rid: str, now: Now) -> list[GateOut]:
        """A person's time may be over."""
        question = self.open.get(rid)
        if question is None or question.deadline is None or now.boot < question.deadline:
            return []
        del self.open[rid]
        return [self._refuse(Decided(rid, denied="nobody answered in time"))]

    def override(self, slot: str, hostname: str, by: str, now: Now) -> tuple[tuple[Lease, ...], list[GateOut]]:
        """A person has seen to it that what holds a slot has ended: which leases that frees, and what follows. If
        something runs on one after all, its host is told as soon as it is there."""
        freed = self.holders_on(slot, hostname)
        for lease in freed:
            self._freed[lease.token] = f"{by} has freed it"
            if len(self._freed) > REMEMBERED:
                self._freed.popitem(last=False)
        told = [Revoke(lease, "", self._freed[lease.token]) for lease in freed]
        return freed, [*told, *self._end(freed, now)]

    def explain(self, hostname: str) -> list[GateOut]:
        """A host has been lost, or is back: who waits for it is told so."""
        out: list[GateOut] = []
        for rid, question in self.open.items():
            if any(self.leases[token].hostname == hostname for token in question.waits_for):
                self.open[rid] = self._explained(question)
                out.append(_held(self.open[rid]))
        return out

    def tick(self, now: Now) -> list[GateOut]:
        """Time has passed: what has run out is over."""
        return self._end(self.book.overdue(now.boot), now)

    def unwritten(self, notes: Sequence[Note], why: str, now: Now) -> list[GateOut]:
        """These could not be put down. What was given is not; who was to be stopped is not; who asked is refused."""
        out: list[GateOut] = []
        text = f"the gate cannot put it down: {why}"
        freed: set[int] = set()
        for note in notes:
            known = self.leases.get(note.lease.token)
            if known is None:
                continue
            if note.lease.revoked:
                self.book.change(evolve(known, revoked=""))
                waiting = [rid for rid, q in self.open.items() if known.token in q.waits_for and q.displaces]
                for rid in waiting:
                    del self.open[rid]
                    out.append(self._refuse(Decided(rid, denied=text)))
            elif note.given:
                self.book.drop(known)
                freed.add(known.token)
                out.append(self._refuse(Decided(known.rid, denied=text)))
        return out + self._free(freed, now)

    # deciding -----------------------------------------------------------------------------------------------------

    def _decide(self, question: Question, policies: Sequence[Policy], now: Now) -> list[GateOut]:
        request = question.request
        match decide(request, self.holders(request.slot), policies, self.fleet):
            case Deny(_, holder) if holder is not None and (request.standby or _earlier(holder, question)):
                return self._queue(question, holder)
            case Deny(why, holder):
                pid = 0 if holder is None else pid_of(holder, self.fleet)
                return [self._refuse(Decided(request.rid, denied=why, holder=holder, pid=pid))]
            case Ask(within, mode):
                deadline = None if within is None else now.boot + within
                fixed = evolve(request, mode=effective_mode(mode, request.mode))
                question = self.open[request.rid] = evolve(question, request=fixed, deadline=deadline)
                wake: list[GateOut] = [] if within is None else [Wake(request.rid, within)]
                return [*wake, _held(question)]
            case Displace(leases):
                return self._displace(question, leases)
            case verdict:
                mode = verdict.mode or request.mode
                own = [lease for lease in self.holders(request.slot) if lease.uuid == request.uuid]
                if own and mode != "many":  # its last run is not over yet, or that has not been heard
                    return self._queue(evolve(question, request=evolve(request, mode=mode)), own[0])
                lease = self._grant(question, mode, now)
                return [Note(lease, given=True), Decided(request.rid, lease=lease)]

    def _queue(self, question: Question, holder: Lease) -> list[GateOut]:
        """It waits for the holder's end."""
        queued = self._explained(evolve(question, waits_for=frozenset({holder.token}), deadline=None))
        self.open[question.request.rid] = queued
        return [_held(queued)]

    def _explained(self, question: Question) -> Question:
        """With why it waits: for the first whose host is not there, if there is one."""
        leases = [self.leases[token] for token in sorted(question.waits_for)]
        first = next((lease for lease in leases if not responds(lease, self.fleet)), leases[0])
        head = "waits for an end" if question.displaces else "waits for the slot"
        return evolve(question, waits=f"{head}: {in_the_way(first, self.fleet)}")

    def _displace(self, question: Question, leases: Sequence[Lease]) -> list[GateOut]:
        """The intent is put down, then they are stopped, and when all have ended it is decided anew."""
        request = question.request
        own = [lease for lease in self.holders(request.slot) if lease.uuid == request.uuid and lease not in leases]
        waits = frozenset(lease.token for lease in (*leases, *own))
        fixed = evolve(request, mode="force")
        held = self._explained(evolve(question, request=fixed, waits_for=waits, deadline=None, displaces=True))
        self.open[request.rid] = held
        by = str(request.caller)
        marked = [lease if lease.revoked else self.book.change(evolve(lease, revoked=by)) for lease in leases]
        notes: list[GateOut] = [Note(new) for new, old in zip(marked, leases, strict=True) if new is not old]
        return [*notes, *(Revoke(lease, by) for lease in marked), _held(held)]

    def _end(self, leases: Sequence[Lease], now: Now) -> list[GateOut]:
        """These are out no more."""
        for lease in leases:
            self.book.drop(lease)
            over = Decided(lease.rid, denied="what was permitted has ended; it has to be asked anew")
            if lease.rid:
                self._refuse(over)
        return [*(Strike(lease.token) for lease in leases), *self._free({lease.token for lease in leases}, now)]

    def _free(self, tokens: set[int], now: Now) -> list[GateOut]:
        """Who waited for the last of these is decided."""
        out: list[GateOut] = []
        waiting = sorted(self.open.items(), key=lambda entry: not entry[1].displaces)  # who displaces comes first
        for rid, question in waiting:
            if question.waits_for & tokens and rid in self.open:
                left = evolve(question, waits_for=question.waits_for - tokens)
                self.open[rid] = left
                if not left.waits_for:
                    del self.open[rid]
                    out += self._decide(evolve(left, waits="", displaces=False), (), now)
        return out

    def _refuse(self, decided: Decided) -> Decided:
        """Remembered, so that the same question gets the same answer; the last so many of them."""
        self._over[decided.rid] = decided
        if len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
        return decided

    def _grant(self, question: Question, mode: Mode, now: Now) -> Lease:
        request = question.request
        runs_out = self.terms is not None and mode != "many" and request.level == "lease"
        lease = Lease(
            token=self.book.token + 1,
            slot=request.slot,
            hostname=request.hostname,
            uuid=request.uuid,
            mode=mode,
            scope=request.scope,
            level=request.level,
            rid=request.rid,
            at=now.wall,
            by=str(request.caller),
            run=question.run,
            boot=request.boot,
            asked=request.asked,
            epoch=self.epoch,
            ttl=self.terms.ttl if self.terms is not None and runs_out else 0.0,
        )
        return self.book.keep(lease, now.boot)

    def _renewed(self, lease: Lease, asked: float, now: Now) -> Lease:
        """It goes on from now, unless it has to end."""
        if lease.revoked:
            return lease
        return self.book.keep(evolve(lease, asked=max(asked, lease.asked)), now.boot)

    def _ask_again(self, question: Question, asked: float) -> None:
        request = question.request
        if asked > request.asked:
            self.open[request.rid] = evolve(question, request=evolve(request, asked=asked))


def _earlier(holder: Lease, question: Question) -> bool:
    """Whether it is an earlier run of the same agent that holds it: that is going to be over soon."""
    return holder.hostname == question.request.hostname and holder.run != question.run


def _held(question: Question) -> Decided:
    request = question.request
    if question.waits:
        return Decided(request.rid, held=question.waits, queued=True)
    return Decided(request.rid, held=f"waits for a person to approve {request.slot} on {request.hostname}")
