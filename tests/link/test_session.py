"""Two sessions back to back: what each end sees of the other."""

import json
import logging

import anyio
import pytest
from helpers import deadline

from procctl.abc import Call, Pending
from procctl.core.messages import AgentStatus, Done, Failure, Hello, Status, Welcome
from procctl.errors import PeerGone, Refused
from procctl.link.pair import pair
from procctl.link.session import Session

pytestmark = pytest.mark.anyio


class Near:
    """A service that keeps what it is asked and answers when it is told to."""

    def __init__(self):
        self.calls = []
        self.pending = []

    def submit(self, call):
        self.calls.append(call)
        self.pending.append(Pending())
        return self.pending[-1]


def refuse(session, hello):
    return Failure(code="bad-request", message="go away", hint="now")


@pytest.fixture
async def ends():
    """A client's session, the other end's, and the service behind that."""
    near = Near()
    here, there = pair("client", "server")
    client = Session(here, refuse)
    welcome = Welcome(name="server", role="agent")
    server = Session(there, lambda session, hello: (near, welcome))
    async with anyio.create_task_group() as group:
        await group.start(server.run)
        await group.start(client.run)
        yield client, server, near
        client.end("the test is over")


async def test_a_hello_and_its_welcome(ends):
    client, server, near = ends
    assert await client.greet(Hello(name="me")) == Welcome(name="server", role="agent")
    assert (client.peer, server.peer, near.calls) == ("server", "me", [])


async def test_without_a_hello_it_works_too(ends):
    client, _, near = ends
    pending = client.submit(Call(request=Status()))
    while not near.pending:
        await anyio.sleep(0)
    near.pending[0].settle(Done())
    assert await pending.wait() == Done()


async def test_requests_arrive_in_their_order(ends):
    client, _, near = ends
    for i in range(200):
        client.submit(Call(request=Status(name=str(i)), key=str(i), until="ready", deadline=i))
    while len(near.calls) < 200:
        await anyio.sleep(0)
    assert [(c.request.name, c.key, c.until, c.deadline) for c in near.calls] == [
        (str(i), str(i), "ready", float(i)) for i in range(200)
    ]


async def test_giving_up_an_answer_reaches_the_service(ends):
    client, _, near = ends
    given_up = anyio.Event()
    pending = client.submit(Call(request=AgentStatus()))
    while not near.pending:
        await anyio.sleep(0)
    near.pending[0].give_up = given_up.set
    with anyio.move_on_after(0.01):
        await pending.wait()
    await given_up.wait()


async def test_the_end_of_a_link_settles_what_is_open(ends):
    client, server, _ = ends
    pending = client.submit(Call(request=Status()))
    await anyio.sleep(0.01)
    server.end("enough")
    reply = await pending.wait()
    assert (type(reply), reply.code) == (Failure, "peer-gone")
    await client.gone.wait()
    assert client.submit(Call(request=Status())).reply.code == "peer-gone"
    with pytest.raises(PeerGone):
        async with client.stream(Status(), None):
            pass


async def test_a_refused_hello():
    here, there = pair("client", "server")
    client, server = Session(here, refuse), Session(there, refuse)
    with deadline():
        async with anyio.create_task_group() as group:
            await group.start(server.run)
            await group.start(client.run)
            with pytest.raises(Refused, match="go away") as caught:
                await client.greet(Hello(name="me"))
            client.end("")
    assert (caught.value.code, caught.value.hint) == ("bad-request", "now")


async def test_a_hello_that_is_not_answered(monkeypatch):
    monkeypatch.setattr("procctl.link.session.GREETING", 0.1)
    here, there = pair("client", "server")
    client = Session(here, refuse)
    with deadline():
        async with anyio.create_task_group() as group:
            await group.start(client.run)
            with pytest.raises(PeerGone, match="did not answer a hello"):
                await client.greet(Hello(name="me"))
    await there.aclose()


async def test_a_service_that_breaks_ends_its_link_and_nothing_else(caplog):
    class Broken:
        def submit(self, call):
            raise ZeroDivisionError("provoked")

    here, there = pair("client", "server")
    client = Session(here, refuse)
    server = Session(there, lambda session, hello: (Broken(), Welcome(name="server", role="agent")))
    with deadline():
        async with anyio.create_task_group() as group:
            await group.start(server.run)
            await group.start(client.run)
            reply = await client.submit(Call(request=Status())).wait()
            assert (reply.code, server.why) == ("peer-gone", "a defect ended the link")
            client.end("")
    assert [(r.levelno, "client" in r.getMessage()) for r in caplog.records] == [(logging.ERROR, True)]


async def test_a_peer_that_does_not_read_is_shown_the_door(monkeypatch):
    monkeypatch.setattr("procctl.link.outbox.LIMIT", 10_000)
    here, there = pair("client", "server")
    client = Session(here, refuse)
    with deadline():
        async with anyio.create_task_group() as group:
            await group.start(client.run)
            for _ in range(1000):
                client.submit(Call(request=Status(name="x" * 100)))
            await client.gone.wait()
    assert client.why.startswith("the peer does not read: ")
    await there.aclose()


async def test_a_hung_peer_is_noticed():
    here, there = pair("client", "server")
    client = Session(here, refuse)
    with deadline():
        async with anyio.create_task_group() as group:
            await group.start(client.run)
            client._known("server", "agent", 0.1)
            await client.gone.wait()
    assert client.why.startswith("server has not been heard for ")
    await there.aclose()


async def test_a_connection_that_hangs_while_it_is_closed_holds_nobody_up(monkeypatch, caplog):
    monkeypatch.setattr("procctl.link.session.CLOSING", 0.1)
    here, there = pair("client", "server")

    class Hangs:
        peer, suspended, send, receive = here.peer, False, here.send, here.receive

        async def aclose(self):
            await here.aclose()
            await anyio.sleep_forever()

    client = Session(Hangs(), refuse)
    with deadline():
        await there.aclose()
        await client.run()
    assert "does not let itself be closed" in caplog.text


async def test_what_cannot_be_taken_at_once_is_sent_in_order():
    """A third of the frames are taken at once, a third are refused, and a third come while another is being sent."""
    here, there = pair("client", "server")
    took = []

    class Choosy:
        peer, suspended, receive, aclose = here.peer, False, here.receive, here.aclose
        asked = 0

        def send_nowait(self, frame):
            self.asked += 1
            return self.asked % 3 == 0 and took.append(self.asked) is None and here.send_nowait(frame)

        async def send(self, frame):
            await anyio.sleep(0.001)
            await here.send(frame)

    choosy = Choosy()
    client = Session(choosy, refuse)
    got = []
    with deadline():
        async with anyio.create_task_group() as group:
            await group.start(client.run)
            await anyio.wait_all_tasks_blocked()
            for n in range(30):
                client.submit(Call(request=Status(name=f"n{n}")))
                if n % 3 == 0:
                    await anyio.sleep(0.02)
            while len(got) < 30:
                got.append(json.loads(await there.receive())["name"])
            client.end("")
    assert got == [f"n{n}" for n in range(30)]
    assert took
    await there.aclose()


async def test_a_defect_of_a_transport_ends_its_link_and_nothing_else(caplog):
    here, there = pair("client", "server")

    class Broken:
        peer, suspended, receive, send, aclose = here.peer, False, here.receive, here.send, here.aclose

        def send_nowait(self, frame):
            raise ZeroDivisionError

    client = Session(Broken(), refuse)
    with deadline():
        async with anyio.create_task_group() as group:
            await group.start(client.run)
            await anyio.wait_all_tasks_blocked()
            reply = await client.submit(Call(request=Status())).wait()
    assert (reply.code, client.why) == ("peer-gone", "a defect ended the link")
    assert "ZeroDivisionError" in caplog.text
    await there.aclose()
