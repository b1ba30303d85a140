"""An agent in a program of its own, that can be killed, and what it leaves."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from helpers import DEADLINE, alive

PROGRAM = """
import json, sys
import anyio
import procctl
from procctl.core.specs import LogSpec, RestartSpec

async def main(options, start):
    async with procctl.Agent("here", listen=options.pop("listen", ()), **options) as agent:
        said = {}
        for name, (command, declared) in start.items():
            if "restart" in declared:
                declared["restart"] = RestartSpec(**declared["restart"])
            process = await agent.start(name, command, **declared)
            said[name] = process.pid
        print(json.dumps(said), flush=True)
        for line in iter(sys.stdin.readline, ""):
            pass

anyio.run(main, json.loads(sys.argv[1]), json.loads(sys.argv[2]), backend=sys.argv[3])
"""


class Killable:
    """It runs from the start; leaving the block kills it with SIGKILL.

    Args:
        start: Names, and a command and the rest of the spec for each.
        backend: asyncio or trio.
        env: More of its environment.
        options: Of the agent.
    """

    def __init__(self, start, backend="asyncio", env=None, **options):
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(options), json.dumps(start), backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            text=True,
        )

    def pids(self):
        """Of what it has started, by name; when all is started."""
        return json.loads(self.popen.stdout.readline())

    def kill(self):
        """SIGKILL, as a crash."""
        self.popen.kill()
        self.close()

    def close(self):
        """Its end is seen."""
        self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()
        self.popen.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def gone(pids, within=DEADLINE):
    """Wait until none of them is alive; how long that took."""
    begun = time.monotonic()
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < begun + within, [pid for pid in pids if alive(pid)]
        time.sleep(0.005)
    return time.monotonic() - begun


def keepers(epoch=""):
    """The pids of keepers that are ours: of this user's, those with this run of an agent among their words."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if len(words) > 4 and words[3].endswith(b"keeper.py") and epoch.encode() in words[4]:
                found.append(int(entry))
    return found


def keepers_of(folder):
    """Of the agents on state folders below this one."""
    found = []
    for pid in keepers():
        try:
            if os.readlink(f"/proc/{pid}/fd/2").startswith(f"{folder}/"):
                found.append(pid)
        except OSError:
            continue
    return found


def keeper_of(folder):
    """The one keeper below this folder, when it has become nobody's child."""
    begun = time.monotonic()
    while True:
        with contextlib.suppress(ProcessLookupError):
            found = [pid for pid in keepers_of(folder) if os.getsid(pid) == pid]
            if len(found) == 1:
                return found[0]
        assert time.monotonic() < begun + DEADLINE, found
        time.sleep(0.01)
