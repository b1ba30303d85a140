"""Questions for a gate, and a view of nothing for its policies."""

from procctl.core.approval import PermitRequest
from procctl.core.gate import Decided, Gate
from procctl.core.leases import Lease
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


def gate(*policies, token=0):
    return Gate(policies, Registry(), token)


def permit(made, rid, slot="web", mode="one", hostname="a", *, epoch="e1", now=None, **more):
    return made.permit(question(rid, slot, mode, hostname, **more), now or at(), epoch)


def tokens(outs):
    """What was granted, by rid."""
    return {out.rid: out.lease.token for out in outs if isinstance(out, Decided) and out.lease}
