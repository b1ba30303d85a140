"""The diagram of phases and the table of transitions, drawn from ``procctl/core/states.py``. No library, no program.

What is drawn comes from the table alone. What stands here is where things are drawn: the places of the phases, frames
around several, the routes of the arrows. An arrow without a route is drawn straight. Several phases that an event
leads out of in the same way, or into together, are one end of one arrow if there is a frame around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import hypot

from procctl.core import events as ev
from procctl.core.states import IGNORE, TABLE, Phase

P = Phase
Box = frozenset[Phase]
Point = tuple[float, float]

TOP, WIDTH, HEIGHT = -5, 1260, 605
HALF_W, HALF_H = 58, 17
ROUND = 9.0

PLACES: dict[Phase, Point] = {
    P.DENIED: (110, 70),
    P.REGISTERED: (110, 230),
    P.EXITED: (110, 290),
    P.DETACHED: (110, 375),
    P.FAILED: (110, 455),
    P.HELD: (410, 70),
    P.ASKING: (410, 170),
    P.WAITING: (410, 340),
    P.BACKOFF: (410, 455),
    P.STARTING: (650, 170),
    P.UP: (880, 170),
    P.RESUMING: (1160, 70),
    P.PAUSING: (1160, 230),
    P.IDLE: (1160, 340),
    P.STOPPING: (880, 340),
    P.EMPTYING: (880, 570),
}


def box(*phases: Phase) -> Box:
    return frozenset(phases)


HAS_RUN_OR_NOT = box(P.REGISTERED, P.EXITED)
AT_REST = box(P.REGISTERED, P.EXITED, P.DENIED, P.FAILED, P.DETACHED)
TO_RUN = box(P.ASKING, P.STARTING)
NOT_YET = box(P.WAITING, P.ASKING, P.HELD, P.BACKOFF)
HOOKED = box(P.RESUMING, P.PAUSING, P.IDLE)

FRAMES: dict[Box, tuple[float, str]] = {
    HAS_RUN_OR_NOT: (12, ""),
    AT_REST: (34, "at rest"),
    TO_RUN: (12, ""),
    NOT_YET: (34, "wanted, not running"),
    HOOKED: (24, "with hooks"),
}
"""Frames around several phases: the margin, and a title."""

ROUTES: dict[tuple[Box, Box], tuple[Sequence[Point], Point]] = {
    # from rest
    (AT_REST, TO_RUN): ([(202, 170), (340, 170)], (262, 147)),
    (AT_REST, box(P.WAITING)): ([(202, 332), (352, 332)], (300, 332)),
    # before it runs
    (box(P.WAITING), TO_RUN): ([(410, 323), (410, 199)], (410, 250)),
    (box(P.WAITING), box(P.FAILED)): ([(352, 350), (258, 350), (258, 447), (168, 447)], (258, 400)),
    (box(P.ASKING), box(P.HELD)): ([(410, 153), (410, 87)], (410, 114)),
    (box(P.ASKING), box(P.DENIED)): ([(352, 160), (312, 160), (312, 80), (168, 80)], (262, 80)),
    (box(P.HELD), box(P.DENIED)): ([(352, 58), (168, 58)], (262, 58)),
    (box(P.ASKING), box(P.STARTING)): ([(468, 170), (592, 170)], (530, 170)),
    (box(P.HELD), box(P.STARTING)): ([(468, 70), (650, 70), (650, 153)], (570, 70)),
    (box(P.STARTING), box(P.ASKING)): ([(592, 181), (468, 181)], (530, 194)),
    (box(P.HELD), box(P.ASKING)): ([(440, 87), (440, 153)], (470, 120)),
    (NOT_YET, HAS_RUN_OR_NOT): ([(318, 260), (180, 260)], (250, 260)),
    (box(P.BACKOFF), box(P.WAITING)): ([(410, 438), (410, 357)], (410, 395)),
    (box(P.BACKOFF), TO_RUN): ([(468, 447), (522, 447), (522, 199)], (522, 320)),
    # a run
    (box(P.STARTING), box(P.UP)): ([(708, 164), (822, 164)], (765, 164)),
    (box(P.STARTING), box(P.STOPPING)): ([(708, 178), (765, 178), (765, 340), (822, 340)], (765, 270)),
    (box(P.STARTING), box(P.BACKOFF)): ([(665, 187), (665, 463), (468, 463)], (665, 290)),
    (box(P.STARTING), box(P.FAILED)): ([(665, 187), (665, 515), (128, 515), (128, 472)], (665, 290)),
    (box(P.STARTING), HAS_RUN_OR_NOT): ([(665, 187), (665, 515), (224, 515), (224, 296), (180, 296)], (665, 290)),
    (box(P.UP), box(P.STOPPING)): ([(880, 187), (880, 323)], (880, 255)),
    (box(P.UP), box(P.DETACHED)): ([(880, 153), (880, 25), (292, 25), (292, 375), (168, 375)], (790, 25)),
    (box(P.UP), box(P.EMPTYING)): ([(938, 170), (975, 170), (975, 570), (938, 570)], (972, 450)),
    # with hooks
    (box(P.STARTING), box(P.RESUMING)): ([(650, 153), (650, 40), (1125, 40), (1125, 53)], (850, 40)),
    (box(P.RESUMING), box(P.UP)): ([(1102, 76), (880, 76), (880, 153)], (980, 76)),
    (box(P.UP), box(P.PAUSING)): ([(938, 182), (1000, 182), (1000, 238), (1102, 238)], (1022, 238)),
    (box(P.PAUSING), box(P.UP)): ([(1102, 220), (1032, 220), (1032, 160), (938, 160)], (1010, 140)),
    (box(P.UP), box(P.IDLE)): ([(922, 187), (922, 290), (1090, 290), (1090, 334), (1102, 334)], (1010, 280)),
    (box(P.IDLE), box(P.UP)): ([(1102, 346), (955, 346), (955, 174), (938, 174)], (1010, 346)),
    (box(P.PAUSING), box(P.RESUMING)): ([(1130, 213), (1130, 87)], (1130, 178)),
    (box(P.RESUMING), box(P.PAUSING)): ([(1185, 87), (1185, 213)], (1185, 120)),
    (box(P.PAUSING), box(P.IDLE)): ([(1160, 247), (1160, 323)], (1160, 285)),
    (box(P.IDLE), box(P.RESUMING)): ([(1218, 340), (1230, 340), (1230, 70), (1218, 70)], (1222, 300)),
    (box(P.RESUMING), box(P.STOPPING)): ([(1102, 64), (1060, 64), (1060, 330), (938, 330)], (1010, 312)),
    (box(P.PAUSING), box(P.STOPPING)): ([(1102, 246), (1060, 246), (1060, 330), (938, 330)], (1010, 312)),
    (HOOKED, box(P.STOPPING)): ([(1078, 372), (1000, 372), (1000, 354), (938, 354)], (1030, 380)),
    (HOOKED, box(P.EMPTYING)): ([(1160, 381), (1160, 580), (938, 580)], (1060, 580)),
    # its end
    (box(P.STOPPING), box(P.EMPTYING)): ([(880, 357), (880, 553)], (880, 450)),
    (box(P.EMPTYING), TO_RUN): ([(822, 570), (605, 570), (605, 199)], (760, 570)),
    (box(P.EMPTYING), box(P.BACKOFF)): ([(822, 570), (410, 570), (410, 472)], (760, 570)),
    (box(P.EMPTYING), box(P.FAILED)): ([(822, 570), (92, 570), (92, 472)], (760, 570)),
    (box(P.EMPTYING), box(P.EXITED)): ([(822, 570), (35, 570), (35, 290), (52, 290)], (760, 570)),
}
"""The corners of an arrow, and the middle of its label."""


@dataclass(frozen=True)
class Arrow:
    """One arrow: from a box of phases to a box of phases, and the events that lead along it."""

    source: Box
    target: Box
    events: tuple[str, ...]


def event_name(event: type[ev.Event]) -> str:
    """As the module of events has it."""
    return event.__name__


def arrows() -> list[Arrow]:
    """Every transition of the table, each in exactly one arrow."""
    found: dict[tuple[Box, Box], list[str]] = {}
    for event in dict.fromkeys(event for phase in Phase for event in TABLE[phase]):
        for source, cell in _sources(event):
            for target in _framed(cell):
                found.setdefault((source, target), []).append(event_name(event))
    return [Arrow(source, target, tuple(names)) for (source, target), names in found.items()]


def _sources(event: type[ev.Event]) -> Iterator[tuple[Box, Box]]:
    """What an event leads out of, and where to: phases with the same cell in frames, as far as there are any."""
    cells: dict[Box, list[Phase]] = {}
    for phase in Phase:
        cell = TABLE[phase].get(event, IGNORE)
        if cell != IGNORE:
            cells.setdefault(cell, []).append(phase)
    for cell, phases in cells.items():
        for source in _framed(frozenset(phases)):
            yield source, cell


def _framed(phases: Box) -> Iterator[Box]:
    """Phases as frames that are whole among them, the largest first, and what is left one by one."""
    left = set(phases)
    for frame in sorted(FRAMES, key=len, reverse=True):
        if frame <= left:
            yield frame
            left -= frame
    for phase in Phase:
        if phase in left:
            yield frozenset({phase})


# drawing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rect:
    """Left, top, right, bottom."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def middle(self) -> Point:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def edge(self, toward: Point) -> Point:
        """Where a ray from the middle toward a point leaves the rectangle."""
        mx, my = self.middle
        dx, dy = toward[0] - mx, toward[1] - my
        tx = (self.x1 - mx) / abs(dx) if dx else float("inf")
        ty = (self.y1 - my) / abs(dy) if dy else float("inf")
        t = min(tx, ty, 1.0)
        return mx + dx * t, my + dy * t


def rect_of(phases: Box) -> Rect:
    """Where a phase or a frame is drawn."""
    margin = 0.0 if len(phases) == 1 else FRAMES[phases][0]
    xs, ys = zip(*(PLACES[phase] for phase in phases), strict=True)
    return Rect(
        min(xs) - HALF_W - margin, min(ys) - HALF_H - margin, max(xs) + HALF_W + margin, max(ys) + HALF_H + margin
    )


def route_of(arrow: Arrow) -> tuple[Sequence[Point], Point]:
    """The corners of an arrow and the place of its label."""
    known = ROUTES.get((arrow.source, arrow.target))
    if known is not None:
        return known
    start, end = rect_of(arrow.source), rect_of(arrow.target)
    a, b = start.edge(end.middle), end.edge(start.middle)
    return [a, b], ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)


def _path(points: Sequence[Point]) -> str:
    """Straight lines with rounded corners."""
    out = [f"M{points[0][0]:g},{points[0][1]:g}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near, far = _toward(corner, before), _toward(corner, after)
        out.append(f"L{near[0]:g},{near[1]:g} Q{corner[0]:g},{corner[1]:g} {far[0]:g},{far[1]:g}")
    return " ".join([*out, f"L{points[-1][0]:g},{points[-1][1]:g}"])


def _toward(start: Point, end: Point) -> Point:
    length = hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    share = min(ROUND, length / 2) / length
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _kind(names: Iterable[str]) -> str:
    """A class for the colour: what people ask for, what the gate answers, what happens."""
    if all(name.endswith("Asked") for name in names):
        return "asked"
    return "answered" if set(names) <= {"Granted", "Denied", "Held"} else "happened"


COLOURS = {"asked": "#2f7fd1", "answered": "#2d9b57", "happened": "#a07d2c"}
STYLE = """
.phases { width: 100%; height: auto; font: 14px sans-serif; color: inherit; }
.phases rect { fill: none; stroke: currentColor; }
.phases .frame { stroke-dasharray: 4 4; opacity: .5; }
.phases .phase { fill: var(--color-background-secondary, #f5f5f5); stroke-width: 1.5; }
.phases text { fill: currentColor; text-anchor: middle; dominant-baseline: central; }
.phases .title { font-size: 12px; opacity: .7; }
.phases .arrow { fill: none; stroke-width: 1.5; }
.phases .label { font-size: 12px; paint-order: stroke; stroke: var(--color-background-primary, #fff);
  stroke-width: 5px; stroke-linejoin: round; }
""" + "".join(
    f".phases .arrow.{kind} {{ stroke: {colour}; }} .phases .label.{kind} {{ fill: {colour}; }}\n"
    for kind, colour in COLOURS.items()
)


def svg() -> str:
    """The diagram as one SVG element, styles included."""
    heads = "".join(
        f'<marker id="head-{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>'
        for kind, colour in COLOURS.items()
    )
    lines: list[str] = []
    labels: dict[str, None] = {}
    for arrow in arrows():
        kind = _kind(arrow.events)
        points, at = route_of(arrow)
        lines.append(f'<path class="arrow {kind}" d="{_path(points)}" marker-end="url(#head-{kind})"/>')
        labels[_label(arrow.events, kind, *at)] = None
    return "\n".join(
        [
            f'<svg class="phases" viewBox="0 {TOP} {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">',
            "<title>The phases of a process and the events that lead from one to another</title>",
            f"<style>{STYLE}</style>",
            f"<defs>{heads}</defs>",
            *map(_frame, FRAMES),
            *lines,
            *map(_phase, Phase),
            *labels,
            "</svg>",
        ]
    )


def _frame(phases: Box) -> str:
    rect, title = rect_of(phases), FRAMES[phases][1]
    text = f'<text class="title" x="{rect.middle[0]:g}" y="{rect.y0 - 9:g}">{escape(title)}</text>' if title else ""
    return _rect(rect, "frame", 8) + text


def _phase(phase: Phase) -> str:
    rect = rect_of(frozenset({phase}))
    x, y = rect.middle
    return _rect(rect, "phase", 6) + f'<text x="{x:g}" y="{y:g}">{escape(phase.detail)}</text>'


def _rect(rect: Rect, kind: str, radius: int) -> str:
    return (
        f'<rect class="{kind}" x="{rect.x0:g}" y="{rect.y0:g}" width="{rect.x1 - rect.x0:g}" '
        f'height="{rect.y1 - rect.y0:g}" rx="{radius}"/>'
    )


def _label(names: tuple[str, ...], kind: str, x: float, y: float) -> str:
    top = y - 7 * (len(names) - 1)
    lines = "".join(f'<tspan x="{x:g}" y="{top + 14 * i:g}">{escape(name)}</tspan>' for i, name in enumerate(names))
    return f'<text class="label {kind}">{lines}</text>'


# the table ------------------------------------------------------------------------------------------------------


def table() -> str:
    """The whole table as HTML: a row for each event, a column for each phase."""
    events = dict.fromkeys(event for phase in Phase for event in TABLE[phase])
    head = "".join(f"<th>{escape(phase.detail)}</th>" for phase in Phase)
    states = "".join(f"<td><em>{escape(phase.state.word)}</em></td>" for phase in Phase)
    body = "".join(
        f"<tr><th><code>{event_name(event)}</code></th>"
        + "".join(f"<td>{_cell(TABLE[phase].get(event))}</td>" for phase in Phase)
        + "</tr>"
        for event in events
    )
    return (
        '<div class="table-wrapper phases-table"><table class="docutils"><thead>'
        f"<tr><th></th>{head}</tr></thead><tbody><tr><th>state</th>{states}</tr>{body}</tbody></table></div>"
    )


def _cell(cell: frozenset[Phase] | None) -> str:
    if cell is None:
        return '<span class="illegal">&#215;</span>'
    if cell == IGNORE:
        return "·"
    return "<br>".join(escape(phase.detail) for phase in Phase if phase in cell)


if __name__ == "__main__":
    print(svg())
