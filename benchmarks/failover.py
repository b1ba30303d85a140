"""How long it takes until the one program of a fleet runs again, or its fleet is whole again, after something happened.

    python benchmarks/failover.py [ROUNDS]

A controller and two agents, programs of their own, with leases as they are unless said. One agent runs the program, the
other stands by. As root each agent is on a host of its own, a network namespace, and its cable can be cut; otherwise
those lines are left out. Times are CLOCK_BOOTTIME, the program's own first act.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import anyio
from table import markdown

import procctl
from procctl.link.tokens import add_line, line_of, new_token

CONTROLLER = """
import sys, anyio, procctl
async def main(folder, port):
    listen = [f"unix://{folder}/c.sock", f"http://0.0.0.0:{port}"]
    auth = procctl.Auth(token_file=f"{folder}/known")
    async with procctl.Controller(listen=listen, auth=auth, state_dir=f"{folder}/c"):
        print("there", flush=True)
        await anyio.sleep_forever()
anyio.run(main, *sys.argv[1:])
"""
AGENT = """
import sys, anyio, procctl
async def main(folder, name, url, token):
    command = (sys.executable, "-S", "-I", "-c", sys.stdin.read(), f"{folder}/log", name)
    spec = procctl.ProcessSpec(name="web", command=command, mode="one", standby=True)
    async with procctl.Agent(name, join=url, token=token) as agent:
        await agent.add(spec, until="accepted")
        print("there", flush=True)
        with anyio.open_signal_receiver(15) as signals:
            async for _ in signals:
                return
anyio.run(main, *sys.argv[1:])
"""
PROGRAM = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(out, f"{sys.argv[2]} {time.clock_gettime(time.CLOCK_BOOTTIME)}\\n".encode())
time.sleep(1e6)
"""
PATIENCE = 120.0
_NUMBERS = itertools.count()
SHORT, LONG = 12.0, 60.0
"""Seconds for which a cable is cut: less than a lease, and more."""


def now() -> float:
    """The program's clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fleet:
    """Programs by name; leaving the block ends all of them."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="p", dir="/tmp")))
        made = new_token("agents", frozenset({"agent"}), None)
        add_line(self.folder / "known", line_of(made, hashed=True))
        self._token = made.token
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self._port = sock.getsockname()[1]
        self.cables = os.geteuid() == 0
        self._number = next(_NUMBERS)  # the kernel takes its time to free a name
        self.programs: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        for name in "ab" if self.cables else "":
            self._host(name)
        self.begin("controller")
        self.begin("a")
        self.first()
        self.begin("b")
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.programs):
            self.end(name, signal.SIGKILL)
        self._stack.close()

    def _host(self, name: str) -> None:
        net, space = self._net(name), self._space(name)
        self._ip(f"netns add {space}")
        self._stack.callback(self._ip, f"netns del {space}")
        for words in (
            f"link add v{space} type veth peer name eth0 netns {space}",
            f"addr add {net}.1/30 dev v{space}",
            f"link set v{space} up",
            f"-n {space} addr add {net}.2/30 dev eth0",
            f"-n {space} link set eth0 up",
        ):
            self._ip(words)

    def _space(self, name: str) -> str:
        return f"p{os.getpid()}n{self._number}{name}"[:13]

    def _net(self, name: str) -> str:
        return f"10.{150 + (2 * self._number + 'ab'.index(name)) % 50}.{os.getpid() % 250}"

    def _ip(self, words: str) -> None:
        subprocess.run(["ip", *words.split()], check=True)

    def begin(self, name: str) -> None:
        """It is there when this returns."""
        before: list[str] = []
        words = [CONTROLLER, str(self.folder), str(self._port)]
        if name != "controller":
            url = f"unix://{self.folder}/c.sock"
            if self.cables:
                before = ["ip", "netns", "exec", self._space(name)]
                url = f"http://{self._net(name)}.1:{self._port}"
            words = [AGENT, str(self.folder), name, url, self._token]
        command = [*before, sys.executable, "-c", *words]
        popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert popen.stdin is not None
        assert popen.stdout is not None
        popen.stdin.write(PROGRAM)
        popen.stdin.close()
        assert popen.stdout.readline() == "there\n"
        self.programs[name] = popen

    def end(self, name: str, number: int) -> None:
        """By that signal, and it has ended."""
        popen = self.programs.pop(name)
        popen.send_signal(number)
        popen.wait()

    def cable(self, name: str, state: str) -> None:
        """up or down."""
        self._ip(f"link set v{self._space(name)} {state}")

    def runs(self) -> list[tuple[str, float]]:
        """Where the program has begun, and when."""
        log = self.folder / "log"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        return [(host, float(at)) for host, at in lines]

    def first(self, after: float = 0.0) -> tuple[str, float]:
        """The first run after that moment."""
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            for host, at in self.runs():
                if at > after:
                    return host, at
            time.sleep(0.005)
        raise TimeoutError("the program does not run again")

    def whole(self) -> float:
        """Wait until both hosts are joined and the one process is known to run; when that was."""

        async def look() -> None:
            async with procctl.connect(f"unix://{self.folder}/c.sock") as fleet:
                while True:
                    hosts = [host.state for host in await fleet.hosts()]
                    states = sorted(p.item.state for p in await fleet.processes("web"))
                    if hosts == ["joined", "joined"] and states == ["pending", "running"]:
                        return
                    await anyio.sleep(0.02)

        anyio.run(look)
        return now()


def agent_leaves(fleet: Fleet) -> float:
    """SIGTERM."""
    begun = now()
    fleet.end("a", signal.SIGTERM)
    return fleet.first(begun)[1] - begun


def agent_is_killed(fleet: Fleet) -> float:
    """SIGKILL, and it does not come back."""
    begun = now()
    fleet.end("a", signal.SIGKILL)
    return fleet.first(begun)[1] - begun


def agent_comes_back(fleet: Fleet) -> float:
    """SIGKILL, and it is started again at once."""
    begun = now()
    fleet.end("a", signal.SIGKILL)
    fleet.begin("a")
    return fleet.first(begun)[1] - begun


def controller_comes_back(fleet: Fleet) -> float:
    """SIGKILL, and it is started again at once."""
    fleet.whole()
    begun = now()
    fleet.end("controller", signal.SIGKILL)
    fleet.begin("controller")
    return fleet.whole() - begun


def short_cut(fleet: Fleet) -> float:
    """From the heal."""
    fleet.whole()
    fleet.cable("a", "down")
    time.sleep(SHORT)
    fleet.cable("a", "up")
    begun = now()
    took = fleet.whole() - begun
    assert len(fleet.runs()) == 1
    return took


def long_cut(fleet: Fleet) -> float:
    """From the heal; it runs on the other host by now."""
    fleet.whole()
    begun = now()
    fleet.cable("a", "down")
    assert fleet.first(begun)[0] == "b"
    time.sleep(max(0.0, LONG - (now() - begun)))
    fleet.cable("a", "up")
    healed = now()
    return fleet.whole() - healed


ROWS: dict[str, tuple[Callable[[Fleet], float], bool]] = {
    "an agent leaves (SIGTERM), to the program on the other host": (agent_leaves, False),
    "an agent is killed and does not come back, to the program on the other host": (agent_is_killed, False),
    "an agent is killed and started again, to the program on either host": (agent_comes_back, False),
    "the controller is killed and started again, to all joined and known": (controller_comes_back, False),
    f"a cable is cut for {SHORT:g} s and healed, to all joined and known; nothing was ended": (short_cut, True),
    f"a cable is cut for {LONG:g} s and healed, to all joined and known": (long_cut, True),
}


def main(rounds: int) -> None:
    """Measure and print."""
    table = []
    for what, (measure, needs_cables) in ROWS.items():
        if needs_cables and os.geteuid() != 0:
            continue
        took = []
        for _ in range(rounds):
            with Fleet() as fleet:
                took.append(measure(fleet))
        print(what, took, file=sys.stderr, flush=True)
        table.append((what, f"{statistics.median(took):.2f} s", f"{max(took):.2f} s"))
    print(f"\n{rounds} rounds\n\n{markdown(('what', 'median', 'worst'), table)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
