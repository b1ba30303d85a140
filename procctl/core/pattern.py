"""Regular expressions from strangers: found in a line in time that is linear in it. Pure.

Python's `re` goes back and tries again, and holds up everything while it does: ``(a+)+$`` takes years on thirty
letters. Here all positions that the expression may have reached are followed at once (Thompson, 1968), and what was
worked out once is remembered. The syntax is Python's. What cannot be done so is refused: back references, looking
ahead or behind, conditions, atomic groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from attrs import frozen

__all__ = ["Pattern", "Unusable"]

_NODES = 1000
"""Positions that an expression may have, counted repetitions written out."""
_CACHE = 20_000
"""Transitions that are remembered."""
_END = ""
"""Stands behind the last character."""
_FOUND = -1

_START, _WORD, _OTHER = "start", "word", "other"


class Unusable(ValueError):
    """An expression that is none, or one that is refused; the message says why."""


@frozen(eq=False)
class _Node:
    """A position: `test` takes a character; `assertion` takes none, and may be None; then on to `next`."""

    next: list[int]
    test: Callable[[str], bool] | None = None
    assertion: Callable[[str, str], bool] | None = None


class Pattern:
    """An expression that is searched for.

    Args:
        text: In Python's syntax.

    Raises:
        Unusable: It is none, or has something that is refused, or is too large.
    """

    def __init__(self, text: str) -> None:
        if len(text) > _NODES:
            raise Unusable(f"the expression is too large: more than {_NODES} characters")
        try:
            tree = import_module("re._parser").parse(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise Unusable(f"{text[:60]!r} is no regular expression: {error}") from None
        self.literal = _literal(tree)
        """A text that stands in each line in which it is found; a quick first look."""
        self._whole = all(str(op) == "LITERAL" for op, _ in tree) and not tree.state.flags & re.IGNORECASE
        builder = _Builder()
        try:
            self._first = builder.sequence(tree, builder.add(_Node([])), tree.state.flags)
        except RecursionError:
            raise Unusable("the expression is nested too deeply") from None
        self._nodes = builder.nodes
        self._forget()

    def found_in(self, line: str) -> bool:
        """Whether it is found anywhere in a line."""
        if self.literal not in line:
            return False
        if self._whole:
            return True
        state, known = 0, self._known
        for char in line:
            to = known[state].get(char)
            if to is None:
                to = self._advance(state, char)
                known = self._known
            if to == _FOUND:
                return True
            state = to
        to = known[state].get(_END)
        return (self._advance(state, _END) if to is None else to) == _FOUND

    def _forget(self) -> None:
        self._states: list[tuple[frozenset[int], str]] = [(frozenset(), _START)]
        self._ids = {self._states[0]: 0}
        self._known: list[dict[str, int]] = [{}]
        self._size = 0

    def _advance(self, state: int, char: str) -> int:
        """Where one character leads from a set of positions; a search may also begin anew at each."""
        here, before = self._states[state]
        reached = self._closure({*here, self._first}, before, char)
        if 0 in reached:
            to = _FOUND
        elif char == _END:
            to = 0
        else:
            there = frozenset(
                n for i in reached if (node := self._nodes[i]).test and node.test(char) for n in node.next
            )
            to = self._state((there, _WORD if _is_word(char) else _OTHER))
        if self._size >= _CACHE:
            kept = None if to < 0 else self._states[to]
            self._forget()
            return to if kept is None else self._state(kept)
        self._known[state][char] = to
        self._size += 1
        return to

    def _state(self, state: tuple[frozenset[int], str]) -> int:
        number = self._ids.get(state)
        if number is None:
            number = self._ids[state] = len(self._states)
            self._states.append(state)
            self._known.append({})
        return number

    def _closure(self, begun: set[int], before: str, char: str) -> set[int]:
        """What can be reached without a character."""
        todo, seen = list(begun), set(begun)
        while todo:
            node = self._nodes[todo.pop()]
            if node.test is None and (node.assertion is None or node.assertion(before, char)):
                fresh = [n for n in node.next if n not in seen]
                seen.update(fresh)
                todo.extend(fresh)
        return seen


class _Builder:
    """Nodes from the parser's tree, back to front: each part is told where to go on. Node 0 is the end."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self._parts = 0

    def add(self, node: _Node) -> int:
        if len(self.nodes) >= _NODES:
            raise Unusable("the expression is too large")
        self.nodes.append(node)
        return len(self.nodes) - 1

    def sequence(self, tree: Iterable[tuple[Any, Any]], then: int, flags: int) -> int:
        self._parts += 1  # nothing, repeated a thousand million times, has no nodes
        if self._parts > _NODES:
            raise Unusable("the expression is too large")
        for op, value in reversed(list(tree)):
            then = self._part(str(op), value, then, flags)
        return then

    def _part(self, op: str, value: Any, then: int, flags: int) -> int:
        match op:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self.add(_Node([then], test=_test(op, value, flags)))
            case "BRANCH":
                return self.add(_Node([self.sequence(branch, then, flags) for branch in value[1]]))
            case "SUBPATTERN":
                _, more, less, inner = value
                return self.sequence(inner, then, (flags | more) & ~less)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inner = value
                return self._repeat(least, most, inner, then, flags)
            case "AT":
                return self.add(_Node([then], assertion=_assertion(str(value))))
        raise Unusable(f"{_NAMES.get(op, op.lower())} cannot be searched for here")

    def _repeat(self, least: int, most: Any, tree: Any, then: int, flags: int) -> int:
        if str(most) == "MAXREPEAT":
            loop = _Node([then])
            begin = self.add(loop)
            loop.next.append(self.sequence(tree, begin, flags))
            then = begin
        else:
            end = then
            for _ in range(int(most) - least):
                then = self.add(_Node([end, self.sequence(tree, then, flags)]))
        for _ in range(least):
            then = self.sequence(tree, then, flags)
        return then


_NAMES = {
    "GROUPREF": "a back reference",
    "GROUPREF_EXISTS": "a condition",
    "ASSERT": "looking ahead or behind",
    "ASSERT_NOT": "looking ahead or behind",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repetition",
}


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _test(op: str, value: Any, flags: int) -> Callable[[str], bool]:
    if op == "ANY":
        return (lambda char: True) if flags & re.DOTALL else (lambda char: char != "\n")
    if op == "IN":
        negated = str(value[0][0]) == "NEGATE"
        tests = [_member(str(kind), what, flags) for kind, what in value[negated:]]
    else:
        negated = op == "NOT_LITERAL"
        tests = [_member("LITERAL", value, flags)]
    if flags & re.IGNORECASE:
        return lambda char: any(t(c) for t in tests for c in {char, char.lower(), char.upper()}) != negated
    return lambda char: any(t(char) for t in tests) != negated


def _member(kind: str, value: Any, flags: int) -> Callable[[str], bool]:
    if kind == "LITERAL":
        wanted = chr(value)
        return lambda char: char == wanted
    if kind == "RANGE":
        low, high = value
        return lambda char: len(char) == 1 and low <= ord(char) <= high
    name = str(value).removeprefix("CATEGORY_")
    narrow = bool(flags & re.ASCII)
    tests: dict[str, Callable[[str], bool]] = {"DIGIT": str.isdecimal, "SPACE": str.isspace, "WORD": _is_word}
    test = tests[name.removeprefix("NOT_")]
    return lambda char: (test(char) and (char.isascii() or not narrow)) != name.startswith("NOT_")


def _assertion(name: str) -> Callable[[str, str], bool]:
    """Of what stands before (`_START`, `_WORD`, `_OTHER`) and the character that follows."""
    match name:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return lambda before, char: before == _START
        case "AT_END" | "AT_END_STRING":
            return lambda before, char: char == _END
        case "AT_BOUNDARY":
            return lambda before, char: (before == _WORD) != _is_word(char)
        case "AT_NON_BOUNDARY":
            return lambda before, char: (before == _WORD) == _is_word(char)
    raise Unusable(f"{name.lower()} cannot be searched for here")


def _literal(tree: Any) -> str:
    """The longest text that is in everything that matches."""
    if tree.state.flags & re.IGNORECASE:
        return ""
    runs = [""]
    for op, value in tree:
        if str(op) == "LITERAL":
            runs[-1] += chr(value)
        else:
            runs.append("")
    return max(runs, key=len)
