"""A controller and agents in programs of their own, that can be killed and stopped, and what the witness has seen."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from agent.surviving import keeper_of, keepers_of
from helpers import DEADLINE

from procctl.link.tokens import add_line, line_of, new_token

from .log import Log

WITNESS = Path(__file__).with_name("witness.py")
TERMS = {"ttl": 2.5, "drift": 0.01, "wake": 0.4, "kill": 0.4, "renew": 0.3}

CONTROLLER = """
import json, sys
import anyio
from procctl import Auth, Controller
from procctl.core.terms import Terms
from procctl.service.ground import Ground

async def main(folder, terms, listen):
    ground = Ground(terms=Terms(**terms))
    auth = Auth(token_file=f"{folder}/known")
    async with Controller(listen=[listen], auth=auth, state_dir=f"{folder}/c", _ground=ground):
        print("there", flush=True)
        await anyio.sleep_forever()

anyio.run(main, sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], backend=sys.argv[4])
"""
AGENT = """
import json, sys
import anyio
from procctl import Agent, ProcessSpec, StopSpec
from procctl.agent.ground import Ground
from procctl.core.terms import Terms

async def main(terms, name, options, command, declared):
    ground = Ground(terms=Terms(**terms))
    async with Agent(name, _ground=ground, **options) as agent:
        if not await agent.processes("web"):
            stop = StopSpec(steps=(("SIGTERM", 0.3),))
            spec = ProcessSpec(name="web", command=tuple(command), mode="one", standby=True, stop=stop, **declared)
            await agent.add(spec, until="accepted")
        print("there", flush=True)
        await anyio.sleep_forever()

terms, name, options, command, declared, backend = sys.argv[1:]
anyio.run(main, json.loads(terms), name, json.loads(options), json.loads(command), json.loads(declared),
          backend=backend)
"""


class Stage:
    """Programs by name; leaving the block ends all of them.

    Args:
        folder: Everything is in here; its path is short.
        backend: asyncio or trio.
        terms: Of leases.
        machines: Hosts of their own for agents, by name; the others are on this one.
        port: Where the controller is to be reached by those; 0: over a socket in the folder.
        overlap: See `Log`.
    """

    def __init__(self, folder, backend="asyncio", terms=TERMS, machines=None, port=0, overlap=False):
        self.terms = terms
        self.folder = folder
        self.backend = backend
        self.programs = {}
        self.machines = machines or {}
        self.log = Log(folder / "log", overlap)
        self._port = port
        made = new_token("agents", frozenset({"agent"}), None)
        self._token = made.token
        add_line(folder / "known", line_of(made, hashed=True))

    def controller(self):
        """Begin, or begin again, from what is in its folder."""
        listen = f"http://0.0.0.0:{self._port}" if self._port else f"unix://{self.folder}/c.sock"
        self._begin("controller", [], CONTROLLER, str(self.folder), json.dumps(self.terms), listen)

    def agent(self, name, keep=False, stubborn=False, remembers=True, **declared):
        """An agent that is to run the witness, or to stand by.

        Args:
            name: Of it.
            keep: Whether what it runs lives on without it.
            stubborn: Whether the witness ignores SIGTERM.
            remembers: Whether it has a state folder. Without one its keeper is not found by `keepers`.
            declared: More of the spec.
        """
        machine = self.machines.get(name)
        there = f"http://{machine.here}:{self._port}" if machine else f"unix://{self.folder}/c.sock"
        options = {"join": there, "token": self._token, "on_exit": "keep" if keep else "stop"}
        if remembers:
            options["state_dir"] = str(self.folder / name)
        command = [sys.executable, "-S", "-I", str(WITNESS), str(self.folder), name, *["stubborn"] * stubborn]
        words = (json.dumps(self.terms), name, json.dumps(options), json.dumps(command), json.dumps(declared))
        self._begin(name, machine.inside if machine else [], AGENT, *words)

    def _begin(self, name, before, text, *words):
        self.programs[name] = popen = subprocess.Popen(
            [*before, sys.executable, "-c", text, *words, self.backend], stdout=subprocess.PIPE, text=True
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

    def keepers(self, name=""):
        """The pids of the keepers of one agent, or of all."""
        return keepers_of(self.folder / name)

    def keeper(self, name):
        """The one keeper of an agent, when it has become nobody's child."""
        return keeper_of(self.folder / name)

    def becomes(self, condition, within=DEADLINE):
        """Wait until what was seen last fits; gives it."""
        limit = time.monotonic() + within
        while True:
            seen = self.log.read()
            if seen is not None and condition(seen):
                return seen
            assert time.monotonic() < limit, seen
            time.sleep(0.01)

    def runs(self, but=0, within=DEADLINE):
        """Wait until one runs that is not on this token."""
        return self.becomes(lambda seen: seen.token != but and seen.time > clock() - 0.2, within)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.log.read()
        for name in list(self.programs):
            self.programs[name].send_signal(signal.SIGCONT)
            self.kill(name)
        left = self.keepers()
        for entry in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                if str(WITNESS).encode() in words and str(self.folder).encode() in words:
                    left.append(int(entry))
        for pid in left:
            for number in (signal.SIGCONT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        limit = time.monotonic() + DEADLINE
        while self.keepers():
            assert time.monotonic() < limit
            time.sleep(0.01)


def clock():
    """The witness's."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
