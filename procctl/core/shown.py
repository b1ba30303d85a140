"""Processes as everybody sees them. Pure.

Who asks for the state of a thousand processes asks again soon, and few have changed meanwhile: an item is made anew
only where there is something new in it. It is the same object then, and so the text that a link has made of it is
there still (`records.Item.text`).
"""

from __future__ import annotations

from collections.abc import Iterable

from .events import Now
from .life import Process
from .records import Item
from .value import evolve
from .watchdog import seen

__all__ = ["Shown", "item_of"]


def item_of(p: Process, hostname: str, now: Now) -> Item:
    """A process as everybody sees it."""
    state, detail, why = seen(p)
    return Item(
        name=p.name,
        uuid=p.uuid,
        hostname=hostname,
        pid=p.pid,
        status=int(state),
        state=state.word,
        detail=detail,
        timestamp=p.since,
        uptime=_uptime(p, now),
        why=why,
        ready=p.ready,
        restarts=p.restarts,
        group=p.spec.group,
        exit=p.exit,
        said=p.said,
        metrics=dict(p.metrics),
        trouble=p.trouble,
    )


class Shown:
    """Items of one host that are remembered.

    Args:
        hostname: Of the host.
    """

    def __init__(self, hostname: str) -> None:
        self._hostname = hostname
        self._known: dict[str, tuple[Process, Item]] = {}

    def items(self, processes: Iterable[Process], now: Now) -> tuple[Item, ...]:
        """Those of some processes, in their order."""
        known, boot = self._known, now.boot
        made = []
        for p in processes:
            process, item = known.get(p.uuid, _NONE)
            if process is not p:
                item = item_of(p, self._hostname, now)
                known[p.uuid] = p, item
            elif p.pid and item.uptime != int(boot - p.started):
                item = evolve(item, uptime=_uptime(p, now))
                known[p.uuid] = p, item
            made.append(item)
        return tuple(made)

    def drop(self, uuid: str) -> None:
        """It was deleted."""
        self._known.pop(uuid, None)

    def forget(self) -> None:
        """Nobody has asked for a while."""
        self._known.clear()


def _uptime(p: Process, now: Now) -> int:
    return int(now.boot - p.started) if p.pid else 0


_NONE: tuple[Process | None, Item] = (None, Item(name="", uuid="", hostname=""))
