"""The figures of one run as a table: each beside the machine's own, the ratio, and what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["ROWS", "Row", "markdown", "number"]


class Row(NamedTuple):
    """One line.

    Attributes:
        what: For people.
        name: Of a household's figure.
        limit: Of the machine's figure that it is divided by, or empty.
        goal: The ratio that is not to be exceeded, or None.
        scale: What a figure is multiplied by, to be in `unit`.
    """

    what: str
    name: str
    unit: str = "ms"
    limit: str = ""
    goal: float | None = None
    scale: float = 1e3


ROWS = (
    Row("{n} started, agent warm", "start", limit="spawn", goal=2.5),
    Row("{n} stopped and verified empty", "stop", limit="stop", goal=4.0),
    Row("SIGKILL to the replacement's report, median", "restart", limit="restart", goal=4.0),
    Row("the same, p99", "restart_p99", limit="restart_p99"),
    Row("CPU of the agent for each start", "start_cpu_us_each", "µs", scale=1),
    Row("CPU of the agent for each stop", "stop_cpu_us_each", "µs", scale=1),
    Row("{n} registered", "add"),
    Row("PSS of the agent, no children", "pss_empty_MB", "MB", scale=1),
    Row("PSS of the agent, {n} idle children", "pss_full_MB", "MB", scale=1),
    Row("PSS for each child", "kB_each", "kB", scale=1),
    Row("CPU of the agent for each idle second, {n} children", "idle_cpu_ms_per_s", "ms", scale=1),
    Row("status of all {n}, in the program", "all_within"),
    Row("the same with memory and CPU of each", "all_within_stats"),
    Row("status of all {n}, unix socket", "all_link", limit="rtt_all"),
    Row("the same with memory and CPU of each", "all_link_stats", limit="rtt_all"),
    Row("status of one, unix socket", "one_link", "µs", limit="rtt_one", scale=1e6),
    Row("the same with its memory and CPU", "one_link_stats", "µs", limit="rtt_one", scale=1e6),
    Row("status of one, unix socket, requests/s", "one_link_per_s", "/s", scale=1),
)

Figures = Mapping[str, float]


def number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(value: float, limit: float, goal: float | None) -> str:
    """How many times the limit; with a goal, whether it is reached."""
    times = value / limit
    text = f"{times:.2f}x" if times < 100 else f"{times:,.0f}x"
    if goal is None:
        return text
    return text if times <= goal else f"**{text}**"


def lines(n: int, homes: Sequence[tuple[Figures, Figures]]) -> Iterable[list[str]]:
    """The cells of each row: figure, unit; of each household the limit, the value and the ratio; the goal."""
    for row in ROWS:
        cells = [row.what.format(n=n), row.unit]
        for limits, figures in homes:
            limit, value = limits.get(row.limit), figures[row.name]
            cells += [
                number(limit * row.scale) if limit else "",
                number(value * row.scale),
                ratio(value, limit, row.goal) if limit else "",
            ]
        yield [*cells, f"≤ {row.goal:g}x" if row.goal else ""]


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with its columns in line."""
    table = [list(headings), *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(headings))]
    table.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in table
    )
