"""The blocking face."""

import threading

import pytest
from helpers import SLEEP, alive, children, sh

from procctl import NoSuchTarget, ProcessSpec, Snapshot, State, ready, sync
from procctl.errors import Closed, Refused
from procctl.service.fleet import Fleet as AsyncFleet


@pytest.fixture
def backend(anyio_backend):
    return anyio_backend


def test_a_life(backend):
    with sync.Agent("here", backend=backend) as agent:
        web = agent.start("web", sh("echo up; exec sleep 1000"), ready=ready.log("up"))
        assert (web.state, web.name, web.hostname, web.pid > 0) == (State.RUNNING, "web", "here", True)
        with web.logs() as lines:
            assert [line.text for line in lines] == ["up"]
        web.restart()
        assert web.item.restarts == 1
        assert web.stop().signal == "SIGTERM"
        assert web.exit == web.refresh().exit
        web.delete()
        with pytest.raises(NoSuchTarget):
            web.refresh()


def test_everything_ends_with_its_block(backend):
    with sync.Agent(backend=backend) as agent:
        agent.start("web", SLEEP, instances=3)
    assert children() == set()


def test_an_exception_leaves_as_itself(backend):
    error = ValueError("mine")
    with pytest.raises(ValueError) as caught:
        with sync.Agent(backend=backend) as agent:
            agent.start("web", SLEEP)
            raise error
    assert caught.value is error


def test_outside_of_its_block(backend):
    agent = sync.Agent(backend=backend)
    with pytest.raises(Closed):
        agent.processes()
    with agent:
        web = agent.start("web", ["true"])
        web.wait()
    with pytest.raises(Closed):
        web.refresh()
    with pytest.raises(Closed):
        with agent.logs():
            pass


def test_from_several_threads(backend):
    with sync.Agent(backend=backend) as agent:
        threads = [threading.Thread(target=agent.start, args=(f"p{i}", SLEEP)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [p.state for p in agent.processes()] == [State.RUNNING] * 8
        agent.kill(all=True)


def test_the_whole_face(backend):
    with sync.Agent(backend=backend) as agent:
        (web,) = agent.add(ProcessSpec(name="web", command=tuple(SLEEP), group="g"), start=False)
        agent.start("web")
        agent.signal("SIGCONT", "web")
        agent.restart("web")
        agent.kill(group="g")
        assert agent.wait("web", until="stopped")[0].exit.signal == "SIGKILL"
        assert (agent.process("web").uuid, agent.approvals(), agent.info().processes) == (web.uuid, (), 1)
        with agent.events(follow=False) as events:
            assert [type(event) for event in events] == [Snapshot]
        agent.delete("web")
        assert agent.processes() == []
        with pytest.raises(NoSuchTarget, match="nobody holds"):
            agent.free("nothing")
        with pytest.raises(NoSuchTarget, match="nobody holds"):
            agent.holders("nothing")


def test_one_is_let_go_and_taken_back(backend):
    with sync.Agent(backend=backend) as agent:
        web = agent.start("web", SLEEP)
        pid = web.pid
        assert (web.detach().detail, agent.process("web").pid, alive(pid)) == ("detached", 0, True)
        assert agent.adopt(pid, "web").pid == pid
        assert [item.detail for item in agent.detach("web")] == ["detached"]
        again = agent.adopt(pid, "web", ["true"])
        again.kill()
        assert not alive(pid)
        with pytest.raises(Refused, match=f"no process {1 << 22 | 1}"):
            agent.adopt(1 << 22 | 1, "none")


def test_every_verb_of_the_other_face_is_here():
    verbs = {name for name in vars(AsyncFleet) if not name.startswith("_")}
    assert verbs - set(vars(sync.Fleet)) == {"request", "item"}


def test_a_controller_and_a_client(backend, tmp_path):
    url = f"unix://{tmp_path}/c.sock"
    with sync.Controller(backend=backend, listen=[url]), sync.Agent("here", backend=backend, join=url) as agent:
        agent.start("web", SLEEP)
        with sync.connect(url, backend=backend) as fleet:
            assert fleet.process("web").stop().signal == "SIGTERM"


def test_following_may_be_left(backend):
    with sync.Agent(backend=backend) as agent:
        agent.start("web", sh("echo one; exec sleep 1000"))
        with agent.logs("web", follow=True) as lines:
            assert next(lines).text == "one"
