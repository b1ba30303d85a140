"""What is said when a target names nothing: no such host, or no such process, and what may have been meant. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from .matching import closest, match_host
from .replies import Miss
from .request import Target

__all__ = ["missing", "no_host", "shown"]

_SHORTEST = 8
"""Characters of a uuid that mean it, see `matching.uuid_matches`."""
_LISTED = 5
_LOOK = "procctl ps shows what there is"


def shown(target: Target, *, host: bool = True) -> str:
    """A target as people write it: ``north/web``, ``group:jobs``, ``uuid:…``; `host`: with the host's part."""
    rest = target.name or (target.uuid and f"uuid:{target.uuid}") or (target.group and f"group:{target.group}")
    if not target.hostname or not host:
        return rest or "all"
    return f"{target.hostname}/{rest or '*'}"


def no_host(hostname: str, hosts: Sequence[str], rest: str = "") -> tuple[str, str]:
    """That no host matches, and a hint; `rest`: of the target, behind the host."""
    if not hosts:
        return f"no host {hostname!r} is there", "procctl hosts shows those that are known"
    close = closest(hostname, hosts)
    if close:
        return f"no host {hostname!r} is there", f"did you mean '{close}{rest}'?"
    more = f" and {len(hosts) - _LISTED} more" if len(hosts) > _LISTED else ""
    verb = "there is" if len(hosts) == 1 else "there are"
    return f"no host {hostname!r} is there", f"{verb} {', '.join(hosts[:_LISTED])}{more}"


def missing(
    target: Target,
    hosts: Sequence[str],
    names: Mapping[str, Collection[str]],
    groups: Callable[[], Iterable[str]],
    here: str = "",
) -> list[Miss]:
    """Why nothing matches.

    Args:
        target: What was meant.
        hosts: All that are known.
        names: Of slots and declarations, and the hosts that have them.
        groups: Gives those that there are.
        here: The one host that says so; empty: a controller does.

    Returns:
        One miss, or none: a host was meant with all that it has, which is nothing; or everything.
    """
    rest = shown(target, host=False) if (target.name or target.uuid or target.group) else "*"
    if target.hostname and not any(match_host(target.hostname, host) for host in hosts):
        text, hint = no_host(target.hostname, hosts, f"/{rest}")
        return [Miss(target=shown(target), code="no-such-target", message=text, hint=hint)]
    if rest == "*":
        return []
    wanted = target.name or target.uuid or f"group:{target.group}"
    where = here or target.hostname
    text = f"no process {wanted!r} on {where or 'any host'}"
    prefix = f"{target.hostname}/" if target.hostname and not here else ""
    hint = _meant(target, names, groups, prefix)
    return [Miss(target=shown(target, host=not here), code="no-such-target", message=text, hint=hint)]


def _meant(
    target: Target, names: Mapping[str, Collection[str]], groups: Callable[[], Iterable[str]], prefix: str
) -> str:
    if target.uuid:
        return _LOOK if len(target.uuid) >= _SHORTEST else f"a uuid is meant by {_SHORTEST} or more of its characters"
    if target.group:
        close = closest(target.group, groups())
        return f"did you mean '{prefix}group:{close}'?" if close else _LOOK
    there = [name for name, has in names.items() if any(match_host(target.hostname, host) for host in has)]
    close = closest(target.name, there)
    if close:
        return f"did you mean '{prefix}{close}'?"
    elsewhere = sorted(names.get(target.name, ()))
    if elsewhere:
        return f"{target.name} is on {', '.join(elsewhere[:_LISTED])}"
    return _LOOK
