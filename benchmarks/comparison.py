"""The report of a side-by-side run: every figure of every system, beside the machine's own limit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from table import markdown, number

__all__ = ["report"]

AGAINST = {
    "start_s": ("spawn_running_s", False),
    "start_warm_s": ("spawn_running_s", False),
    "stop_s": ("spawn_stop_s", False),
    "restart_median_us": ("restart_median_us", False),
    "restart_p99_us": ("restart_p99_us", False),
    "ctl_one_1c_median_us": ("c_unix_64_rtt_median_us", False),
    "ctl_all_1c_median_us": ("c_unix_all_rtt_median_us", False),
    "ctl_one_1c_per_s": ("c_unix_64_requests_per_s", True),
    "ctl_one_8c_per_s": ("c_unix_64_requests_per_s", True),
    "log_MB_per_s": ("pipe_read_MB_per_s", True),
    "churn_per_s": ("churn_restarts_per_s", True),
}
"""Figure of a system -> the limit of the same round that it is held against, and whether more is better."""

Rounds = dict[int, float]
Figures = dict[tuple[str, int], dict[str, Rounds]]
"""(figure, number of children) -> system -> round -> value."""


def report(path: Path) -> None:
    """Print it."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    figures = _figures(rows)
    systems = [system for system in dict.fromkeys(row["system"] for row in rows) if system != "limits"]
    loads = sorted(row["load"] for row in rows)
    print(
        f"{len({row['round'] for row in rows})} rounds; load average median {median(loads):.1f}, {loads[0]:.1f} to "
        f"{loads[-1]:.1f}. A cell: the median over the rounds, and of each round's ratio to the limit, which is always "
        "how many times worse.\n"
    )
    order = sorted(figures, key=lambda place: (place[0].split("_")[0], place))
    cells = [_cells(place, figures, systems) for place in order if set(figures[place]) - {"limits"}]
    print(markdown(["workload", "N", "limit", *systems], cells))
    print()
    cells = [_limit(place, figures[place]["limits"]) for place in sorted(figures) if "limits" in figures[place]]
    print(markdown(["limit", "N", "median", "min", "max"], cells))
    for row in rows:
        if row["metric"] == "failed":
            print(f"\nfailed in round {row['round']}: {row['system']}: {row['value']}")


def _figures(rows: list[dict]) -> Figures:
    figures: Figures = {}
    for row in rows:
        name = row["metric"]
        if name == "failed":
            continue
        names = [name]
        if name.startswith(("vfork_", "posix_spawn_")):  # spawn_: the better one of the two in C
            names.append("spawn_" + name.removeprefix("vfork_").removeprefix("posix_spawn_"))
        for name in names:
            rounds = figures.setdefault((name, row["n"]), {}).setdefault(row["system"], {})
            best = row["system"] == "limits" and name.endswith("_s") and not name.endswith("per_s")
            value = row["value"]
            rounds[row["round"]] = min(rounds.get(row["round"], value), value) if best else value
    return figures


def _cells(place: tuple[str, int], figures: Figures, systems: list[str]) -> list[str]:
    name, n = place
    limit_name, more_is_better = AGAINST.get(name, ("", False))
    limit: Mapping[int, float] = {}
    for at in (n, 1):
        limit = limit or figures.get((limit_name, at), {}).get("limits", {})
    cells = [name, str(n), number(median(limit.values())) if limit else ""]
    for system in systems:
        rounds = figures[place].get(system)
        if not rounds:
            cells.append("-")
            continue
        ratios = [
            limit[turn] / value if more_is_better else value / limit[turn]
            for turn, value in rounds.items()
            if value and limit.get(turn)
        ]
        text = number(median(rounds.values()))
        cells.append(f"{text} ({number(median(ratios))}x)" if ratios else text)
    return cells


def _limit(place: tuple[str, int], rounds: Rounds) -> list[str]:
    values = rounds.values()
    return [place[0], str(place[1]), number(median(values)), number(min(values)), number(max(values))]
