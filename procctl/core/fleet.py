"""A controller's brain: which hosts a command is for, and one answer out of many. Pure.

A command on processes goes to the hosts that have matching ones, narrowed to each; the replies are merged into one
batch. Partial success and silent hosts are misses, never an error of the whole.
"""

from __future__ import annotations

from typing import TypeVar

from attrs import define, field, frozen

from .host import HostRequest
from .messages import Add, Adopt, AnyReply, Batch, ChildAnswer, Detail, Failure, Miss, Status, Until
from .missing import no_host, shown
from .records import Item
from .registry import Registry
from .value import Value, evolve

__all__ = ["FleetOut", "Forward", "Merged", "Router"]

R = TypeVar("R", bound=HostRequest)
_HEARD = "procctl hosts shows when it was heard last"


@frozen(eq=False, repr=False)
class Forward(Value):
    """Send this to that host; its reply belongs to `key`."""

    key: str
    hostname: str
    request: HostRequest


@frozen(eq=False, repr=False)
class Merged(Value):
    """The answer to a request."""

    key: str
    reply: AnyReply


FleetOut = Forward | Merged


@define
class _Open:
    request: HostRequest
    left: set[str]
    asked: int
    items: list[Item] = field(factory=list)
    misses: list[Miss] = field(factory=list)
    details: list[Detail] = field(factory=list)
    answers: list[ChildAnswer] = field(factory=list)
    failures: list[Failure] = field(factory=list)


class Router:
    """Commands under way, by key.

    Args:
        name: Of the controller, for messages.
        registry: What it knows.
    """

    def __init__(self, name: str, registry: Registry) -> None:
        self._name = name
        self._registry = registry
        self._open: dict[str, _Open] = {}

    def request(self, key: str, request: HostRequest, until: Until) -> list[FleetOut]:
        """Take a command: forward it, or answer it from what is known."""
        if isinstance(request, Add | Adopt):
            return self._add(key, request)
        if not isinstance(request, Status) and request.everything and not request.all:
            text = f"{request.command} without a target would mean every process on every host"
            hint = 'name a target, or say "all": true (on the command line: all)'
            return [Merged(key, Failure(code="needs-all", message=text, hint=hint))]
        items = self._registry.select(request)
        if not items:
            return [Merged(key, Batch(misses=self._registry.missing(request)))]
        hosts = {item.hostname: self._registry.hosts[item.hostname] for item in items}
        op = _Open(request, {name for name, host in hosts.items() if host.lost is None}, len(hosts))
        self._open[key] = op
        for name, host in hosts.items():
            if host.lost is not None:
                self._silent(op, name)
        out: list[FleetOut] = [Forward(key, name, _narrow(request, name)) for name in hosts if name in op.left]
        return out or [self._merged(key, op)]

    def replied(self, key: str, hostname: str, reply: AnyReply) -> list[FleetOut]:
        """One host's answer."""
        op = self._open.get(key)
        if op is None or hostname not in op.left:
            return []
        op.left.discard(hostname)
        match reply:
            case Batch(items=items, misses=misses, details=details, answers=answers):
                op.items += items
                op.details += details
                op.answers += answers
                op.misses += [evolve(miss, target=f"{hostname}/{miss.target}") for miss in misses]
            case Failure(code="peer-gone") if isinstance(op.request, Status):
                self._silent(op, hostname)  # it was lost in the middle: what is known of it is shown all the same
            case Failure():
                op.failures.append(reply)
                target = _target(op.request, hostname)
                op.misses.append(Miss(target=target, code=reply.code, message=reply.message, hint=reply.hint))
            case _:
                target = _target(op.request, hostname)
                op.misses.append(Miss(target=target, code="bad-reply", message=f"answered {reply.kind}"))
        return [] if op.left else [self._merged(key, op)]

    def forget(self, key: str) -> None:
        """Nobody waits for this answer any more."""
        self._open.pop(key, None)

    def expire(self, key: str) -> list[FleetOut]:
        """The deadline of this request passed: it is answered with what there is."""
        op = self._open.get(key)
        if op is None:
            return []
        for host in sorted(op.left):
            target = _target(op.request, host)
            op.misses.append(Miss(target=target, code="timeout", message=f"{host} has not answered", hint=_HEARD))
        return [self._merged(key, op)]

    def _merged(self, key: str, op: _Open) -> Merged:
        del self._open[key]
        if op.asked == 1 and op.failures and not op.items:
            return Merged(key, op.failures[0])
        if op.asked > 1:
            op.items.sort(key=self._order)  # not the order of their answers
        merged = Batch(
            items=tuple(op.items), misses=tuple(op.misses), details=tuple(op.details), answers=tuple(op.answers)
        )
        return Merged(key, merged)

    def _order(self, item: Item) -> float:
        host = self._registry.hosts.get(item.hostname)
        return float("inf") if host is None else host.order

    def _add(self, key: str, request: Add | Adopt) -> list[FleetOut]:
        hosts = self._registry.match(request.hostname)
        present = [host for host in hosts if host.lost is None]
        if not present:
            if not request.hostname:
                text, hint = "no host has joined", "procctl agent --join URL, on another machine or on this one"
            elif hosts:
                text, hint = f"{request.hostname} does not respond", _HEARD
            else:
                text, hint = no_host(request.hostname, list(self._registry.hosts))
            return [Merged(key, Failure(code="peer-gone" if hosts else "no-such-target", message=text, hint=hint))]
        chosen = {host.name for host in present}
        if self._registry.owner(request.uuid) not in {"", *chosen}:
            text = f"a process with the uuid {request.uuid} exists already at $.uuid"
            return [Merged(key, Failure(code="bad-request", message=text))]
        if len(present) > 1 and not (isinstance(request, Add) and request.each):
            listed = ", ".join(host.name for host in present[:5])
            text = f"{len(present)} hosts match: {listed}"
            return [Merged(key, Failure(code="ambiguous", message=text, hint="name one with --host, or say --each"))]
        self._open[key] = _Open(request, {host.name for host in present}, len(present))
        if len(present) > 1:
            request = evolve(request, uuid="")  # a uuid names one process, so each host makes its own
        return [Forward(key, host.name, evolve(request, hostname=host.name)) for host in present]

    def _silent(self, op: _Open, name: str) -> None:
        if isinstance(op.request, Status) and name in self._registry.hosts:
            op.items += self._registry.select(_narrow(op.request, name))
        target = _target(op.request, name)
        op.misses.append(Miss(target=target, code="peer-gone", message=f"{name} does not respond", hint=_HEARD))


def _target(request: HostRequest, hostname: str) -> str:
    """What of it is meant on one host."""
    if isinstance(request, Add | Adopt):
        return f"{hostname}/{request.spec.name}"
    return shown(_narrow(request, hostname))


def _narrow(request: R, hostname: str) -> R:
    """The same command for one host alone. Its whole is no longer everything, so `all` was checked before."""
    return evolve(request, hostname=hostname)
