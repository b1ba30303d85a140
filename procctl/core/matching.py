"""Targets: which processes and hosts a pattern names.

Patterns are globs, anchored at both ends, and matched in time linear in the text (all positions of the pattern that
may be reached are followed at once; there is nothing to backtrack into). In a host name ``*`` and ``?`` stay within
one dot-separated label, as in a certificate, and ``**`` goes across; in a process name ``*`` matches anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Protocol, TypeVar

__all__ = ["closest", "did_you_mean", "is_pattern", "match_host", "match_name", "select", "uuid_matches"]

_ONE, _STAR, _DEEP = "?", "*", "**"


def is_pattern(text: str) -> bool:
    """Whether it has a wildcard."""
    return "*" in text or "?" in text


@lru_cache(maxsize=1024)
def _tokens(pattern: str) -> tuple[tuple[str, bool], ...]:
    """``(text, is_wildcard)`` pairs: a wildcard, or one literal character."""
    out: list[tuple[str, bool]] = []
    i = 0
    while i < len(pattern):
        if pattern.startswith("**", i):
            out.append((_DEEP, True))
            while i < len(pattern) and pattern[i] == "*":
                i += 1
            continue
        out.append((pattern[i], pattern[i] in "*?"))
        i += 1
    return tuple(out)


def _glob(pattern: str, text: str, label: str) -> bool:
    tokens = _tokens(pattern)
    end = len(tokens)
    here = _closure(tokens, {0})
    for char in text:
        there: set[int] = set()
        for at in here:
            if at == end:
                continue
            token, wild = tokens[at]
            if not wild:
                if token == char:
                    there.add(at + 1)
            elif token == _DEEP or char != label:
                there.add(at + 1 if token == _ONE else at)
        if not there:
            return False
        here = _closure(tokens, there)
    return end in here


def _closure(tokens: Sequence[tuple[str, bool]], at: set[int]) -> set[int]:
    """Stars may also match nothing."""
    out = set(at)
    for position in at:
        while position < len(tokens) and tokens[position] in ((_STAR, True), (_DEEP, True)):
            position += 1
            out.add(position)
    return out


def match_host(pattern: str, hostname: str) -> bool:
    """Whether a host name matches; an empty pattern means all. Host names have no case (RFC 4343)."""
    if not pattern:
        return True
    pattern, hostname = pattern.lower(), hostname.lower()
    return _glob(pattern, hostname, ".") if is_pattern(pattern) else pattern == hostname


def match_name(pattern: str, name: str) -> bool:
    """Whether a process name matches; an empty pattern means all."""
    if not pattern or pattern == "*":
        return True
    return _glob(pattern, name, "") if is_pattern(pattern) else pattern == name


def uuid_matches(wanted: str, uuid: str) -> bool:
    """Whether a uuid is meant: whole, or by its first eight or more characters."""
    return not wanted or wanted == uuid or (len(wanted) >= 8 and uuid.startswith(wanted))


class _Target(Protocol):
    @property
    def hostname(self) -> str: ...
    @property
    def uuid(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str: ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def uuid(self) -> str: ...


T = TypeVar("T", bound=_Named)


def select(target: _Target, things: Iterable[T], facts: Callable[[T], tuple[str, str, str]]) -> list[T]:
    """The things that a target names, in their order.

    Args:
        target: Patterns; an empty one means all.
        things: Processes or items.
        facts: Gives (host name, base name, group) of one.
    """
    found = []
    for thing in things:
        host, _, group = facts(thing)
        if (
            uuid_matches(target.uuid, thing.uuid)
            and match_host(target.hostname, host)
            and (not target.group or match_name(target.group, group))
        ):
            found.append(thing)
    name = target.name
    if not name:
        return found
    if is_pattern(name):
        return [thing for thing in found if match_name(name, thing.name)]
    exact = {facts(thing)[0] for thing in found if thing.name == name}  # on these hosts it is one process's own name
    return [
        thing for thing in found if thing.name == name or (facts(thing)[1] == name and facts(thing)[0] not in exact)
    ]


def closest(wrong: str, known: Iterable[str]) -> str:
    """What may have been meant, or nothing."""
    close = get_close_matches(wrong, list(known), n=1, cutoff=0.5)
    return close[0] if close else ""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """``did you mean 'web'?`` or nothing."""
    close = closest(wrong, known)
    return f"did you mean {close!r}?" if close else ""
