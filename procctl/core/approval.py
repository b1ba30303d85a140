"""May this process run now? Policies as plain functions; the start modes; host patterns. Pure.

A policy gets the request and what is known of the fleet, and answers `allow`, `deny`, `ask` or `displace`, or None
when it has no opinion. The first opinion counts; without one the answer is `allow`. Then the start mode is applied.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from attrs import field, frozen

from ..errors import BadConfig
from .leases import Lease
from .matching import match_host, match_name
from .records import Item
from .rights import Caller
from .specs import Level, Mode, Scope
from .states import State
from .units import duration
from .value import Value

__all__ = [
    "Allow",
    "Ask",
    "Decision",
    "Deny",
    "Displace",
    "PermitRequest",
    "Policy",
    "View",
    "allow",
    "ask",
    "check_policies",
    "decide",
    "deny",
    "displace",
    "effective_mode",
    "failed",
    "holder_of",
    "hosts",
    "in_the_way",
    "opinion_of",
    "pid_of",
    "responds",
    "rule",
    "takes_time",
]


@frozen(kw_only=True, eq=False, repr=False)
class PermitRequest(Value):
    """One question: may this run?

    Attributes:
        rid: Its identity; asking again with the same gives the same answer.
        slot: The name that exclusivity is about.
        uuid: The process.
        hostname: Where it would run.
        mode: The mode that was asked for.
        scope: Where other holders count.
        level: What becomes of the slot when the host is lost.
        group: The process's group, or empty.
        caller: Who asked for the start.
        standby: Whether it waits for the holder to end.
        asked: The agent's clock when it asked.
        boot: Which boot of its machine.
    """

    rid: str
    slot: str
    uuid: str
    hostname: str
    mode: Mode = "many"
    scope: Scope = "fleet"
    level: Level = "lease"
    group: str = ""
    caller: Caller = field(default=Caller(name=""))
    standby: bool = False
    asked: float = 0.0
    boot: str = ""

    @property
    def name(self) -> str:
        """The slot."""
        return self.slot


class View(Protocol):
    """What a policy can look up (`procctl.Registry` is one)."""

    def processes(self, name: str = "", hostname: str = "") -> Sequence[Item]:
        """Items whose name and host match these patterns; empty means all."""


@frozen(eq=False, repr=False)
class Allow(Value):
    """It may run; `mode`, if given, is the mode that it runs in."""

    mode: Mode | None = None


@frozen(eq=False, repr=False)
class Deny(Value):
    """It may not, and why; `holder` is who stands in the way."""

    why: str
    holder: Lease | None = None


@frozen(eq=False, repr=False)
class Displace(Value):
    """It may run, and whoever holds the slot is stopped first."""

    leases: tuple[Lease, ...] = ()


@frozen(eq=False, repr=False)
class Ask(Value):
    """A person decides, within so many seconds, or for ever."""

    within: float | None = None
    mode: Mode | None = None


Decision = Allow | Deny | Displace | Ask
Policy = Callable[[PermitRequest, Any], Decision | Awaitable[Decision | None] | None]
"""Takes the request and what is known of the fleet: a `procctl.Registry`, or a `View` of one host. It may be a
coroutine function: then the question waits for it (`procctl.link.consultant`)."""


def allow() -> Allow:
    """The policy's answer: yes, subject to the start mode."""
    return Allow()


def deny(why: str) -> Deny:
    """The policy's answer: no, and why; the text reaches whoever asked. Raises TypeError if that is no text."""
    if not isinstance(why, str):
        raise TypeError(f"deny() takes the reason as a text, got {why!r}")
    return Deny(why)


def displace() -> Displace:
    """The policy's answer: yes, and other holders of the slot are stopped first."""
    return Displace()


def ask(within: float | str | None = None) -> Ask:
    """The policy's answer: a person decides.

    Args:
        within: Seconds, or a text with units (``"10m"``), after which it counts as denied; None: it waits for ever.

    Raises:
        BadConfig: The text is no duration.
    """
    if within is None:
        return Ask()
    try:
        return Ask(duration(within))
    except ValueError as error:
        raise BadConfig(str(error)) from None


def hosts(*patterns: str) -> Policy:
    """A policy that refuses every host whose name matches none of the patterns (``sub.*.example.com``).

    Raises:
        BadConfig: There is none, or one is no text.
    """
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise BadConfig(f"hosts() takes patterns as texts, got {pattern!r}", "hosts('web-*', 'db')")
    if not patterns:
        raise BadConfig("hosts() without a pattern would refuse every host", "hosts('web-*', 'db')")

    def policy(request: PermitRequest, fleet: View) -> Decision | None:
        if any(match_host(pattern, request.hostname) for pattern in patterns):
            return None
        return Deny(_elsewhere(request, patterns))

    return policy


def rule(
    match: str = "*",
    hosts: Sequence[str] = (),
    mode: Mode | None = None,
    approve: str = "auto",
    within: float | None = None,
) -> Policy:
    """One ``[[policy]]`` of the configuration: the first whose `match` fits the name counts.

    Raises:
        BadConfig: `approve` is none of auto, ask and deny.
    """
    if approve not in ("auto", "ask", "deny"):
        raise BadConfig(f"approve is {approve!r}", "expected auto, ask or deny")

    def policy(request: PermitRequest, fleet: View) -> Decision | None:
        if not match_name(match, request.slot):
            return None
        if hosts and not any(match_host(pattern, request.hostname) for pattern in hosts):
            return Deny(_elsewhere(request, hosts))
        if approve == "deny":
            return Deny(f"the policy for {match} denies it")
        return Ask(within, mode) if approve == "ask" else Allow(mode)

    return policy


def _elsewhere(request: PermitRequest, patterns: Sequence[str]) -> str:
    return f"host {request.hostname} is not among {', '.join(patterns)}"


def check_policies(policies: Sequence[Policy]) -> tuple[Policy, ...]:
    """The policies, if all can be called.

    Raises:
        BadConfig: One is not callable.
    """
    for policy in policies:
        if not callable(policy):
            raise BadConfig(
                f"the approval policy {policy!r} is no function",
                "it is called as policy(request, fleet) and returns allow(), deny(why), ask(), displace() or None",
            )
    return tuple(policies)


def takes_time(policy: object) -> bool:
    """Whether a policy is a coroutine function, so that its answer has to be waited for."""
    if isinstance(policy, partial):
        return takes_time(policy.func)
    return inspect.iscoroutinefunction(policy) or inspect.iscoroutinefunction(type(policy).__call__)


def effective_mode(policy: Mode | None, asked: Mode) -> Mode:
    """The mode that counts: the policy fixes it, a request may only be stricter.

    ``one`` is stricter than ``many``; ``force`` is ``one`` with more power, which only a policy that says so, or the
    absence of a policy, gives.
    """
    if policy is None or policy == asked:
        return asked
    if policy == "many":
        return "one"
    return "one" if asked == "one" else policy


def _opinion(policy: Policy, request: PermitRequest, fleet: View) -> Decision | None:
    """A policy is somebody else's code: what goes wrong in it is a refusal that says so."""
    try:
        return opinion_of(policy, policy(request, fleet))
    except Exception as error:
        return failed(policy, error)


def opinion_of(policy: Policy, verdict: object) -> Decision | None:
    """What a policy has answered, if it is a decision."""
    if verdict is not None and not isinstance(verdict, Allow | Deny | Displace | Ask):
        return Deny(f"the policy {_name(policy)} answered {verdict!r}, which is no decision")
    return verdict


def failed(policy: Policy, error: Exception) -> Deny:
    """What a policy has decided that has raised."""
    return Deny(f"the policy {_name(policy)} failed: {error!r}")


def _name(policy: Policy) -> str:
    return getattr(policy, "__qualname__", repr(policy))


def _alone_everywhere(lease: Lease) -> bool:
    return lease.scope == "fleet" and lease.mode != "many"


def holder_of(lease: Lease, fleet: View) -> Item | None:
    """The process that holds a lease, as far as it is known."""
    found = [item for item in fleet.processes(lease.slot, lease.hostname) if item.uuid == lease.uuid]
    return found[0] if found else None


def pid_of(lease: Lease, fleet: View) -> int:
    """The program that runs on a lease, as far as is known; else 0."""
    item = holder_of(lease, fleet)
    return 0 if item is None or item.pid is None else item.pid


def responds(lease: Lease, fleet: View) -> bool:
    """Whether the host that holds a lease is there."""
    item = holder_of(lease, fleet)
    return item is not None and item.status != State.NOTRESPONDING


def in_the_way(lease: Lease, fleet: View) -> str:
    """Who holds the slot: host, pid and since when; and if that host is not there, what can be done about it."""
    known = pid_of(lease, fleet)
    pid = f" (pid {known})" if known else ""
    held = f"{lease.slot} runs on {lease.hostname}{pid}{_since(lease.at)}"
    if responds(lease, fleet):
        return held
    item = holder_of(lease, fleet)
    lost = "is not heard" if item is None else f"has not responded{_since(item.why.since)}"
    if lease.ttl:
        return f"{held}; {lease.hostname} {lost}, and the lease runs out by itself"
    way = f"procctl free {lease.slot} --host {lease.hostname}"
    return f"{held}; {lease.hostname} {lost}: if it is lost for good, make sure that nothing runs there, then {way}"


def _since(wall: float) -> str:
    if not wall:  # nobody has said so
        return ""
    try:
        return f" since {datetime.fromtimestamp(wall, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):  # a host has said so
        return ""


def decide(request: PermitRequest, held: Sequence[Lease], policies: Sequence[Policy], fleet: View) -> Decision:
    """Answer one question at one moment.

    Args:
        request: The question.
        held: All leases that are out.
        policies: Asked in order until one has an opinion.
        fleet: What the policies can look up.

    Returns:
        `Allow`, `Deny` with its reason and holder, `Displace` with the leases that have to end first, or `Ask`.
    """
    verdict = next((v for policy in policies if (v := _opinion(policy, request, fleet)) is not None), Allow())
    if isinstance(verdict, Deny):
        return verdict
    others = tuple(
        lease
        for lease in held
        if lease.slot == request.slot
        and (lease.uuid, lease.hostname) != (request.uuid, request.hostname)
        and (lease.hostname == request.hostname or request.scope == "fleet" or _alone_everywhere(lease))
    )
    if isinstance(verdict, Displace):
        return Displace(others) if others else Allow()
    mode = effective_mode(verdict.mode, request.mode)
    guarded = [lease for lease in others if mode != "many" or lease.mode != "many"]
    if guarded and mode != "force":
        return Deny(in_the_way(guarded[0], fleet), guarded[0])
    if isinstance(verdict, Ask):
        return verdict
    return Displace(others) if others and mode == "force" else Allow(mode)
