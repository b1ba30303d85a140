"""What hosts say of themselves, and a registry that has heard it."""

from procctl.core.messages import Heartbeat
from procctl.core.records import Item, Why
from procctl.core.registry import About, Registry


def item(name="web", hostname="a", **more):
    return Item(**{"name": name, "uuid": f"{hostname}-{name}", "hostname": hostname, **more})


def up(name="web", hostname="a", **more):
    told = {"pid": 41, "status": 1, "state": "running", "detail": "up", "ready": True, **more}
    return item(name, hostname, why=Why(text="started by ann", by="ann"), **told)


def beat(number, *items, **more):
    return Heartbeat(beat=number, items=items, **more)


def registry(**hosts):
    """A registry of hosts that have said what they have."""
    made = Registry()
    for host, items in hosts.items():
        made.joined(host, About(epoch="e1"), 1000.0)
        made.heard(host, beat(1, *items, whole=True), 1000.0)
    return made
