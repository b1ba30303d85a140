"""Hosts of their own, and a cable between them that is cut and healed."""

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from helpers import deadline, until

import procctl
from procctl import Auth, Controller, PeerGone, State
from procctl.link.tokens import add_line, line_of, new_token

from .machines import machine
from .tcp import TcpListener

pytestmark = [pytest.mark.anyio, pytest.mark.in_turn]

ROUNDS = int(os.environ.get("PROCCTL_OUTAGES", "3"))
PROGRAM = Path(__file__).with_name("tcp.py")


@pytest.fixture
def host():
    with machine() as made:
        yield made


@pytest.fixture
def agent(host, place):
    """Begins an agent on the other host; its end is seen to, and that of what it ran."""
    running = []

    def begin(name, port, roles=("agent",)):
        made = new_token(name, frozenset(roles), None)
        add_line(place / name, line_of(made))
        add_line(place / "known", line_of(made, hashed=True))
        words = [*host.inside, sys.executable, str(PROGRAM), name, host.here, str(port), str(place / name)]
        running.append(subprocess.Popen(words))
        return running[-1]

    add_line(place / "known", line_of(new_token("nobody", frozenset({"viewer"}), None)))
    yield begin
    for process in running:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()


async def there(controller, state):
    """Wait until the host is in this state, and its process as well."""
    wanted = State.RUNNING if state == "joined" else State.NOTRESPONDING
    with deadline(30):
        while True:
            states = [host.state for host in await controller.hosts("far")]
            if states == [state] and [p.state for p in await controller.processes("web")] == [wanted]:
                return (await controller.hosts("far"))[0]
            await anyio.sleep(0.02)


@pytest.mark.seconds(60 + 10 * ROUNDS)
async def test_a_cable_that_is_cut_and_healed(host, agent, place):
    """Again and again: one host, one run, one process; commands meanwhile end, and none of its output is lost."""
    listener = TcpListener(host.here)
    async with Controller(listen=[listener], auth=Auth(token_file=place / "known")) as controller:
        agent("far", listener.port)
        first = await there(controller, "joined")
        assert (first.address.partition(":")[0], first.identity) == (host.there, "token:far")
        (web,) = await controller.processes("web")
        seen = []
        async with controller.logs("web", follow=True) as lines, anyio.create_task_group() as reading:
            reading.start_soon(read, lines, seen)
            for _ in range(ROUNDS):
                host.cut()
                await there(controller, "lost")
                with pytest.raises(PeerGone), deadline():
                    await controller.stop("web")
                host.heal()
                again = await there(controller, "joined")
                assert again.epoch == first.epoch
                count = len(seen)
                await until(lambda count=count: len(seen) > count)
            reading.cancel_scope.cancel()
        assert seen == [(str(i), 0) for i in range(1, len(seen) + 1)]
        assert (await web.refresh()).restarts == 0
        await controller.stop("web")


async def read(lines, seen):
    async for line in lines:
        seen.append((line.text, line.lost))


async def test_a_stranger_on_another_host(host, agent, place):
    listener = TcpListener(host.here)
    async with Controller(listen=[listener], auth=Auth(token_file=place / "known")) as controller:
        program = agent("eve", listener.port, roles=("viewer",))
        await until(lambda: program.poll() is not None)
        assert program.returncode != 0
        assert await controller.hosts() == ()
    unguarded = TcpListener(host.here)
    with pytest.raises(procctl.errors.BadConfig, match="lets nobody in"):
        async with Controller(listen=[unguarded]):
            pass
    await unguarded.aclose()
