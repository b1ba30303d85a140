"""Questions for a gate, and a view of nothing for its policies."""

import math

from procctl.core.approval import PermitRequest
from procctl.core.gate import Decided, Gate, Note, Strike
from procctl.core.leases import Inventory, Lease
from procctl.core.registry import Registry
from procctl.core.rights import Caller

from .making import at

ANN = Caller(name="ann")


def question(rid, slot="web", mode="one", hostname="a", uuid="", **more):
    """A question of a process of its own, unless a uuid is given."""
    return PermitRequest(
        rid=rid, slot=slot, uuid=uuid or f"uuid-{rid}", hostname=hostname, mode=mode, caller=ANN, **more
    )


def lease(token, slot="web", hostname="a", mode="one", **more):
    return Lease(token=token, slot=slot, hostname=hostname, uuid=f"uuid-{token}", mode=mode, **more)


class Told(Gate):
    """A gate of which only what others hear is looked at: what it puts down is the business of other tests."""

    def permit(self, request, now, run=""):
        return told(super().permit(request, now, run))

    def withdraw(self, rid, now):
        return told(super().withdraw(rid, now))

    def release(self, token, now, hostname="", slot=""):
        return told(super().release(token, now, hostname, slot))

    def answer(self, rid, by, now, deny=None):
        return told(super().answer(rid, by, now, deny))

    def adopt(self, hostname, run, leases, now, **more):
        asks = tuple(rid for rid, question in self.open.items() if question.request.hostname == hostname)
        more = {"asked": math.inf, "knows": -math.inf, "rids": asks, **more}
        return told(super().adopt(Inventory(hostname=hostname, run=run, leases=tuple(leases), **more), now))


def told(outs):
    return [out for out in outs if not isinstance(out, Note | Strike)]


def final(outs):
    """Without what says that somebody waits."""
    return [out for out in outs if not (isinstance(out, Decided) and out.queued)]


def gate(*policies, token=0, **more):
    return Told(policies, Registry(), token, **more)


def permit(made, rid, slot="web", mode="one", hostname="a", *, run="e1", now=None, **more):
    return made.permit(question(rid, slot, mode, hostname, **more), now or at(), run)


def tokens(outs):
    """What was granted, by rid."""
    return {out.rid: out.lease.token for out in outs if isinstance(out, Decided) and out.lease}
