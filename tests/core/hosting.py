"""A host for tests, and short ways to ask it and to tell it what happened to its processes."""

from random import Random

from procctl.core import events as ev
from procctl.core.host import Answer, Host, Perform
from procctl.core.messages import Add, Start, Stop

from .making import CLEAN, CRASH, EMPTY, at, spec

HERE = "a.example.com"


def host(*specs):
    """A host with these processes, none of them started."""
    made = Host(HERE, Random(1))
    for i, declared in enumerate(specs):
        ask(made, Add(spec=declared, start=False), key=f"add-{i}")
    return made


def free(name="web", **declared):
    """A spec that needs no permission."""
    return spec(name, **{"admission": False, **declared})


def ask(h, request, key="k", *, until="settled", by="ann", now=None):
    return h.request(key, request, by, until, now or at())


def uuid(h, name):
    [found] = [p.uuid for p in h.processes.values() if p.name == name]
    return found


def phases(h):
    return {p.name: p.phase.detail for p in h.processes.values()}


def tell(h, name, *events, now=None):
    """Something happens to one process."""
    out = []
    for event in events:
        out += h.feed(uuid(h, name), event, now or at())
    return out


def starts(h, *names):
    """These run."""
    for name in names:
        ask(h, Start(name=name), key="~start", by="setup")
        tell(h, name, ev.Spawned(41))
        assert phases(h)[name] == "up"


def ends(h, name, code=0):
    """It ends by itself, and nothing is left."""
    return tell(h, name, CLEAN if code == 0 else CRASH, EMPTY)


def stops(h, name):
    """Somebody else stops it."""
    ask(h, Stop(name=name), key="~stop", by="setup")
    return ends(h, name)


def answers(outs):
    """The replies by key."""
    found = [out for out in outs if isinstance(out, Answer)]
    assert len(found) == len({out.key for out in found})
    return {out.key: out.reply for out in found}


def reply(outs, key="k"):
    """The one reply."""
    assert [key] == list(answers(outs))
    return answers(outs)[key]


def effects(outs, kind=ev.Effect):
    return [out.effect for out in outs if isinstance(out, Perform) and isinstance(out.effect, kind)]


def names(batch):
    return [item.name for item in batch.items]


def misses(batch):
    return [(miss.target, miss.code) for miss in batch.misses]
