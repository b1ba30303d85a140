"""A second host: a network namespace, joined with this one by a cable that can be cut (ip-netns(8), veth(4))."""

import itertools
import os
import subprocess
from contextlib import contextmanager

import pytest
from attrs import define
from helpers import program


@define
class Machine:
    """Attributes: name: Of its namespace. here: Our address on the cable. there: Its own."""

    ip: str
    name: str
    here: str
    there: str

    @property
    def inside(self):
        """Words before a command that is to run there."""
        return [self.ip, "netns", "exec", self.name]

    def cut(self):
        """Nothing gets through; neither end is told."""
        self._link("down")

    def heal(self):
        """The cable is whole again."""
        self._link("up")

    def _link(self, state):
        subprocess.run([self.ip, "link", "set", f"v{self.name}", state], check=True)


_NUMBERS = itertools.count(1)


@contextmanager
def machine(number=1):
    """A host of its own for as long as the block lasts; what runs there ends with it. Only root can have one."""
    ip = program("ip")
    if os.geteuid() != 0:
        pytest.skip("only root can make a network namespace")
    name = f"p{os.getpid()}n{next(_NUMBERS)}"[:13]  # the kernel takes its time to free a name
    net = f"10.{200 + number % 50}.{os.getpid() % 250}"
    made = Machine(ip, name, f"{net}.1", f"{net}.2")
    done = subprocess.run([ip, "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
    try:
        for words in (
            f"link add v{name} type veth peer name eth0 netns {name}",
            f"addr add {made.here}/30 dev v{name}",
            f"link set v{name} up",
            f"-n {name} addr add {made.there}/30 dev eth0",
            f"-n {name} link set eth0 up",
            f"-n {name} link set lo up",
        ):
            subprocess.run([ip, *words.split()], check=True)
        yield made
    finally:
        subprocess.run([ip, "netns", "del", name], check=True)
