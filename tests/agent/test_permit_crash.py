"""Programs of their own that are killed in their block: what their agents of later runs, and the gate, make of it."""

import os
import random
import subprocess
import sys
from uuid import UUID

import anyio
import pytest
from helpers import SLEEP, deadline

from procctl import Controller
from procctl.agent.bodies.itself import is_there, uuid_of
from procctl.agent.identity import ident_of
from procctl.agent.sweep import QUIET, Sweep
from procctl.core.records import Ident

pytestmark = pytest.mark.anyio

PROGRAM = """
import sys
import anyio
from procctl import Agent

async def main(url, folder):
    async with Agent("north", join=url, state_dir=folder or None) as agent:
        print([process.name for process in await agent.processes()], flush=True)
        async with agent.permit("importer", mode="one") as permit:
            print(permit.fence, flush=True)
            await anyio.sleep_forever()

anyio.run(main, sys.argv[1], sys.argv[2], backend=sys.argv[3])
"""


class Program:
    def __init__(self, url, folder, backend):
        words = [sys.executable, "-c", PROGRAM, url, str(folder), backend]
        self.popen = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def read(self):
        return self.popen.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


@pytest.mark.in_turn
@pytest.mark.parametrize("kept", [False, True], ids=["no folder", "folder"])
async def test_after_a_kill_it_gets_its_slot_back_before_the_lease_runs_out(kept, place, anyio_backend):
    """The lease of 30 s is given back: what had it is known to be gone."""
    url, folder = f"unix://{place}/c.sock", place / "state" if kept else ""
    fences = []
    async with Controller(listen=[url]):
        for _ in range(2):
            with Program(url, folder, anyio_backend) as program, deadline(20):
                assert await anyio.to_thread.run_sync(program.read) == "[]"  # nothing is restored
                fences.append(int(await anyio.to_thread.run_sync(program.read)))
    assert fences[0] < fences[1]


def test_its_uuid_says_which_program_it_is():
    other = subprocess.Popen(SLEEP)
    try:
        uuid = uuid_of(ident_of(other.pid), random.Random(1))
        assert (UUID(uuid).version, UUID(uuid).variant) == (8, "specified in RFC 4122")
        assert uuid != uuid_of(ident_of(other.pid), random.Random(2))
        assert is_there(uuid)
        assert not is_there(uuid_of(Ident(other.pid, ident_of(other.pid).start + 1), random.Random(1)))
    finally:
        other.kill()
        other.wait()
    assert not is_there(uuid)
    assert not is_there(uuid_of(ident_of(os.getpid()), random.Random(1)))  # what this one has, it knows
    assert not is_there(str(UUID(int=random.Random(1).getrandbits(128), version=4)))


@pytest.mark.parametrize("pid", [1, 1023, 1024, (1 << 22) - 1])
def test_pid_and_start_fit(pid):
    uuid = UUID(uuid_of(Ident(pid, (1 << 48) - 2), random.Random(0)))
    assert (uuid.int >> 80, (uuid.int >> 64 & 0xFFF) << 10 | uuid.int >> 52 & 0x3FF) == ((1 << 48) - 2, pid)


def test_a_lease_is_not_given_back_while_its_program_lives():
    lives, later, swept = [True], [], []

    class Nobody:
        def ask(self, kin, done):
            done(())

    def turn():
        later.sort(key=lambda entry: entry[0])
        later.pop(0)[1]()

    sweep = Sweep(
        Nobody(),
        lambda seconds, call: later.append((seconds, call)),
        lambda *lease: swept.append(lease),
        lambda uuid: True,
        lambda uuid: lives[0],
    )
    sweep.begin("it", 7)
    for _ in range(100):
        turn()
    assert swept == []
    lives[0] = False
    turns = 0
    while later:
        turn()
        turns += 1
    assert swept == [("it", 7)]
    assert turns >= QUIET / 0.1
