"""A program without a loop as its own process."""

import os
import threading
import time

import pytest
from helpers import DEADLINE, SLEEP

from procctl import Denied, PermitLost, sync
from procctl.agent.ground import Ground
from procctl.core.terms import Terms
from procctl.errors import Closed

QUICK = Terms(ttl=2.5, drift=0.01, wake=0.4, kill=0.4, renew=0.3)


@pytest.fixture
def fleet(anyio_backend, place):
    url = f"unix://{place}/c.sock"
    with (
        sync.Controller(backend=anyio_backend, listen=[url], _ground=Ground(terms=QUICK)) as controller,
        sync.Agent("north", backend=anyio_backend, join=url, _ground=Ground(terms=QUICK)) as north,
        sync.Agent("south", backend=anyio_backend, join=url, _ground=Ground(terms=QUICK)) as south,
    ):
        yield controller, north, south


def wait(condition):
    limit = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < limit
        time.sleep(0.01)
    return value


def test_it_is_a_process(fleet):
    _, north, south = fleet
    with north.permit("importer", mode="one") as permit:
        assert (north.process("importer").pid, north.process("importer").item.state) == (os.getpid(), "running")
        with pytest.raises(Denied, match="importer runs on north"):
            south.permit("importer", mode="one").__enter__()
        permit.status("busy")
        assert north.process("importer").item.said == "busy"
        permit.check()
        assert (permit.fence > 0, permit.left > 0, permit.lost) == (True, True, "")
    assert north.processes() == []
    with pytest.raises(Closed):
        permit.check()


def test_requests_are_read_in_a_thread(fleet):
    _, north, _ = fleet
    log = []
    with north.permit("importer", mode="one") as permit:

        def serve():
            for request in permit.requests():
                log.append(request.action)
                request.done(request.data)
            log.append("over")

        thread = threading.Thread(target=serve)
        thread.start()
        wait(lambda: permit._permission._reading)
        assert [item.detail for item in north.stop("importer")] == ["idle"]
        assert [item.state for item in north.start("importer")] == ["running"]
        assert north.process("importer").ask("count", 3) == 3
    thread.join(DEADLINE)
    assert log == ["stop", "start", "count", "over"]


def test_a_stop_is_seen(fleet):
    _, north, _ = fleet
    with north.permit("importer") as permit:
        stopping = threading.Thread(target=north.stop, args=("importer",))
        stopping.start()
        assert wait(lambda: permit.lost) == "stopped by local"
        with pytest.raises(PermitLost, match="stopped by local"):
            permit.check()
    stopping.join(DEADLINE)
    assert north.processes() == []


@pytest.mark.in_turn
def test_one_that_is_late_is_told(fleet):
    _, north, south = fleet
    with pytest.raises(PermitLost) as caught:
        with north.permit("importer", mode="one", grace=0.1) as permit:
            north.stop("importer", until="accepted")
            wait(lambda: permit._permission.overran)
            south.start("importer", SLEEP, mode="one", standby=True)  # nothing but the program itself keeps from that
    assert caught.value.code == "stopped"


@pytest.mark.in_turn
def test_what_is_raised_late_leaves_as_itself(fleet):
    _, north, _ = fleet
    error = ValueError("mine")
    with pytest.raises(ValueError) as caught:
        with north.permit("importer", mode="one", grace=0.1) as permit:
            north.stop("importer", until="accepted")
            wait(lambda: permit._permission.overran)
            raise error
    assert caught.value is error


def test_outside_of_its_block(anyio_backend):
    agent = sync.Agent(backend=anyio_backend)
    with pytest.raises(Closed):
        agent.permit("importer")
