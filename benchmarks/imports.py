"""What importing procctl costs, in fresh interpreters that take turns."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from interpreter import environment

__all__ = ["PROGRAMS", "foreign_modules", "import_seconds"]

_RUN = """
{imports}
async def main():
    {body}
asyncio.run(main())
"""

PROGRAMS = {
    "nothing": "pass",
    "asyncio": "import asyncio",
    "agent": "from procctl import Agent",
    "child": "import procctl.child",
    "loop": _RUN.format(imports="import asyncio", body="pass"),
    "block": _RUN.format(imports="import asyncio; from procctl import Agent", body="async with Agent(): pass"),
}
"""``loop`` runs an empty function on asyncio's loop, ``block`` an agent that has nothing to do."""

_FOREIGN = """
import sys
before = set(sys.modules)
import procctl.child
import json
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(new - sys.stdlib_module_names - {"procctl"})))
"""


def import_seconds(rounds: int = 11) -> dict[str, float]:
    """The median time of each of `PROGRAMS`, from the spawn of its interpreter to the interpreter's end."""
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory(prefix="imports-") as folder:
        env = environment(Path(folder))
        for turn in range(rounds + 1):
            for name, program in PROGRAMS.items():
                begin = perf_counter()
                subprocess.run([sys.executable, "-c", program], env=env, cwd=folder, check=True)
                if turn:  # the first compiles
                    taken[name].append(perf_counter() - begin)
    return {name: median(values) for name, values in taken.items()}


def foreign_modules() -> list[str]:
    """What `import procctl.child` loads beside procctl and the standard library: should be nothing."""
    with tempfile.TemporaryDirectory(prefix="imports-") as folder:
        command = [sys.executable, "-c", _FOREIGN]
        result = subprocess.run(command, stdout=subprocess.PIPE, env=environment(Path(folder)), cwd=folder, check=True)
    return json.loads(result.stdout)
