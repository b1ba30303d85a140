"""A controller and agents in programs of their own, that can be killed and stopped, and what the witness has seen."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from helpers import DEADLINE

WITNESS = Path(__file__).with_name("witness.py")
TERMS = {"ttl": 2.5, "drift": 0.01, "wake": 0.4, "kill": 0.4, "renew": 0.3}

CONTROLLER = """
import json, sys
import anyio
from procctl import Controller
from procctl.core.terms import Terms
from procctl.service.ground import Ground

async def main(folder, terms):
    ground = Ground(terms=Terms(**terms))
    async with Controller(listen=[f"unix://{folder}/c.sock"], state_dir=f"{folder}/c", _ground=ground):
        print("there", flush=True)
        await anyio.sleep_forever()

anyio.run(main, sys.argv[1], json.loads(sys.argv[2]), backend=sys.argv[3])
"""
AGENT = """
import json, sys
import anyio
from procctl import Agent, ProcessSpec, StopSpec
from procctl.agent.ground import Ground
from procctl.core.terms import Terms

async def main(folder, terms, name, options, command, declared):
    ground = Ground(terms=Terms(**terms))
    async with Agent(name, join=f"unix://{folder}/c.sock", _ground=ground, **options) as agent:
        if not await agent.processes("web"):
            stop = StopSpec(steps=(("SIGTERM", 0.3),))
            spec = ProcessSpec(name="web", command=tuple(command), mode="one", standby=True, stop=stop, **declared)
            await agent.add(spec, until="accepted")
        print("there", flush=True)
        await anyio.sleep_forever()

folder, terms, name, options, command, declared, backend = sys.argv[1:]
anyio.run(main, folder, json.loads(terms), name, json.loads(options), json.loads(command), json.loads(declared),
          backend=backend)
"""


class Seen(NamedTuple):
    """One line of the witness."""

    token: int
    epoch: int
    pid: int
    time: float


class Stage:
    """Programs by name; leaving the block ends all of them.

    Args:
        folder: Everything is in here; its path is short.
        backend: asyncio or trio.
        terms: Of leases.
    """

    def __init__(self, folder, backend="asyncio", terms=TERMS):
        self.terms = terms
        self.folder = folder
        self.backend = backend
        self.programs = {}
        self.log = folder / "log"

    def controller(self):
        """Begin, or begin again, from what is in its folder."""
        self._begin("controller", CONTROLLER, str(self.folder), json.dumps(self.terms))

    def agent(self, name, keep=False, stubborn=False, **declared):
        """An agent that is to run the witness, or to stand by."""
        options = {"state_dir": str(self.folder / name), "on_exit": "keep"} if keep else {}
        command = [sys.executable, "-S", "-I", str(WITNESS), str(self.folder / "lock"), str(self.log)]
        command += ["stubborn"] * stubborn
        words = (str(self.folder), json.dumps(self.terms), name, json.dumps(options), json.dumps(command))
        self._begin(name, AGENT, *words, json.dumps(declared))

    def _begin(self, name, text, *words):
        self.programs[name] = popen = subprocess.Popen(
            [sys.executable, "-c", text, *words, self.backend], stdout=subprocess.PIPE, text=True
        )
        assert popen.stdout.readline() == "there\n"

    def signal(self, name, number):
        """SIGSTOP, SIGCONT."""
        self.programs[name].send_signal(number)

    def kill(self, name):
        """SIGKILL, and its end is seen."""
        popen = self.programs.pop(name)
        popen.kill()
        popen.wait()
        popen.stdout.close()

    def seen(self):
        """All that the witness has written, once it is sure that there were never two."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        assert "two" not in lines
        return [Seen(int(t), int(e), int(p), float(at)) for t, e, p, at in (line.split() for line in lines)]

    def last(self):
        """The last line, or None."""
        seen = self.seen()
        return seen[-1] if seen else None

    def becomes(self, condition, within=DEADLINE):
        """Wait until what was seen last fits; gives it."""
        limit = time.monotonic() + within
        while True:
            seen = self.last()
            if seen is not None and condition(seen):
                return seen
            assert time.monotonic() < limit, seen
            time.sleep(0.01)

    def runs(self, but=0):
        """Wait until one runs that is not on this token."""
        return self.becomes(lambda seen: seen.token != but and seen.time > clock() - 0.5)

    def check(self):
        """Never two: what was seen of one is over before the next begins, and has the smaller number."""
        seen = self.seen()
        for before, after in pairwise(seen):
            if before.pid != after.pid:
                assert before.token < after.token
                assert before.time <= after.time
        alive = {}
        for line in seen:
            alive.setdefault(line.token, []).append(line.time)
        spans = sorted((min(times), max(times)) for times in alive.values())
        assert all(one[1] < other[0] for one, other in pairwise(spans))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in list(self.programs):
            self.programs[name].send_signal(signal.SIGCONT)
            self.kill(name)
        for entry in os.listdir("/proc"):
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                if str(WITNESS).encode() in words and str(self.log).encode() in words:
                    os.kill(int(entry), signal.SIGKILL)
                if any(word.endswith(b"keeper.py") for word in words) and keeper_of(entry, self.folder):
                    os.kill(int(entry), signal.SIGCONT)
                    os.kill(int(entry), signal.SIGKILL)
            except (OSError, ValueError):
                continue


def keeper_of(pid, folder):
    """Whether a keeper has its log below a folder."""
    try:
        return os.readlink(f"/proc/{pid}/fd/2").startswith(f"{folder}/")
    except OSError:
        return False


def clock():
    """The witness's."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
