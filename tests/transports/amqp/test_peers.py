"""Links through a real broker: who may, who is who, and what is said to those who may not."""

import gc
import os
from urllib.parse import quote

import anyio
import pytest
from anyio.to_thread import run_sync
from attrs import evolve
from helpers import SLEEP, becomes, deadline, texts, until
from pamqp import commands

from procctl import Agent, Controller, PeerGone, connect
from procctl.errors import BadConfig, Closed, Denied
from procctl.service.urls import options_of
from procctl.transports.amqp import connection as connections
from procctl.transports.amqp.address import PASSWORD as VARIABLE
from procctl.transports.amqp.address import Address
from procctl.transports.amqp.broker import Broker, Refusal
from procctl.transports.amqp.letters import Letter, listener_key, peer_key
from procctl.transports.amqp.transport import AmqpTransport

from .between import between
from .conftest import WORKER, address
from .rabbit import PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(60)]

transport = AmqpTransport()
ID = "0123456789abcdef" * 2
LISTENER = listener_key("controller")


async def listen(url):
    return await transport.listen(url, options_of(url))


async def dial(url, name="me"):
    return await transport.connect(url, name, options_of(url))


async def pair(url):
    """A listener, and the two ends of a connection."""
    listener = await listen(url)
    near = await dial(url)
    return listener, near, await listener.accept()


async def close(*parts):
    for part in parts:
        await part.aclose()


async def trusted(url):
    """A listener whose every peer is the owner."""
    listener = await listen(url)
    listener.traits = evolve(listener.traits, owner=True)
    return listener


async def stranger(url, user="guest"):
    """Somebody who speaks AMQP by hand."""
    return await Broker.open(Address.read(url, options_of(url)), 1 << 20)


async def publish(broker, letter, key, exchange="procctl"):
    await broker.send(broker.message(exchange, key, letter.properties(), letter.body or b""))


def letter(**changed):
    return Letter(**{"kind": "open", "connection": ID, "sender": peer_key("guest", ID), "user": "guest", **changed})


# links ------------------------------------------------------------------------------------------------------------


async def test_an_agent_joins_and_is_controlled(url):
    listener = await trusted(url("controller"))
    async with Controller("top", listen=[listener]) as controller:
        where = url("web-01")
        async with Agent("north", join=where), connect(where) as fleet:
            job = await fleet.start("job", ["sh", "-c", "echo one; exec sleep 1000"])
            assert (job.hostname, (await controller.process("job")).pid) == ("north", job.pid)
            async with job.logs(follow=True) as lines:
                assert (await anext(lines)).text == "one"
            assert (await job.stop()).signal == "SIGTERM"


async def test_large_answers(url):
    listener = await trusted(url())
    async with Agent("north", listen=[listener]), connect(url()) as fleet:
        process, _ = await fleet.start("job", ["sh", "-c", "seq 100000"]), None
        await process.wait()
        assert [str(number) for number in range(1, 100001)] == await texts(process)


async def test_nobody_listens(url):
    with pytest.raises(PeerGone, match=r"nobody listens as listen\.nobody"):
        await dial(url(name="nobody"))
    with pytest.raises(PeerGone, match="no exchange 'nothing'"):
        await dial(url(exchange="nothing"))


async def test_no_broker():
    with pytest.raises(PeerGone, match=r"no broker at 127\.0\.0\.1:1"):
        await dial(address(1))
    with pytest.raises(BadConfig, match=r"cannot listen: no broker at 127\.0\.0\.1:1"):
        await listen(address(1))


async def test_a_name_is_one_listeners(url):
    listener = await listen(url())
    with pytest.raises(BadConfig, match="somebody listens as name="):
        await listen(url())
    await listener.aclose()
    await close(await listen(url()))


async def test_a_listener_that_closes_lets_its_connections_live(url):
    listener, near, far = await pair(url())
    late = await dial(url())  # and those that nobody has accepted end
    await listener.aclose()
    await near.send(b"1")
    assert await far.receive() == b"1"
    with pytest.raises(PeerGone, match="has closed the connection"):
        await late.receive()
    with pytest.raises(Closed):
        await listener.accept()
    with pytest.raises(PeerGone, match="nobody listens here any more"):
        await dial(url())
    await close(near, far, late)
    with pytest.raises(PeerGone, match="nobody listens as"):
        await dial(url())


async def test_more_who_wait_than_may(url, monkeypatch):
    monkeypatch.setattr("procctl.transports.amqp.peers.BACKLOG", 1)
    listener = await listen(url())
    first = await dial(url())
    with pytest.raises(PeerGone, match="too many connections"):
        await dial(url())
    far = await listener.accept()
    await close(await dial(url()), first, far, listener)


# who is who -------------------------------------------------------------------------------------------------------


async def test_the_broker_says_who_a_peer_is(url):
    listener = await listen(url("controller"))
    near = await transport.connect(url("web-01"), "somebody else", options_of(url("web-01")))
    far = await listener.accept()
    assert (near.peer.identity, far.peer.identity, far.peer.name) == (
        "amqp:controller",
        "amqp:web-01",
        "somebody else",
    )
    await close(near, far, listener)


async def test_a_forged_user_is_refused_by_the_broker(url):
    broker = await stranger(url())
    forged = letter(user="controller")
    await broker.ask(commands.Exchange.Declare(exchange="forged"), commands.Exchange.DeclareOk)
    await publish(broker, forged, "x", "forged")
    with pytest.raises(Refusal, match="user_id") as caught:
        while True:
            await broker.receive()
    assert caught.value.code == 406
    await broker.drop()


async def test_who_does_not_say_who_it_is_gets_nothing(url):
    listener = await listen(url())
    broker = await stranger(url())
    for wrong in (letter(user=""), letter(sender="peer.web-01." + ID), letter(sender=""), letter(sender="x" * 200)):
        await publish(broker, wrong, LISTENER)
    near = await dial(url(), "right")
    far = await listener.accept()
    assert far.peer.name == "right"
    await broker.drop()
    await close(near, far, listener)


async def test_nobody_writes_in_anothers_name(url):
    """Who knows the name of a connection, and may write to the listener, is not heard on it."""
    listener, near, far = await pair(url())
    broker = await stranger(url())
    for kind in ("bye", "frame", "sync", "open"):
        await publish(broker, letter(kind=kind, connection=far.far.id, number=1, body=b"evil"), LISTENER)
    await near.send(b"good")
    assert await far.receive() == b"good"
    await near.send(b"good")
    assert await far.receive() == b"good"
    await broker.drop()
    await close(near, far, listener)


async def test_nonsense_disturbs_nobody(url):
    listener, near, far = await pair(url())
    broker = await stranger(url())
    for body in (b"", b"x" * 200_000, os.urandom(100)):
        await broker.send(broker.message("procctl", LISTENER, commands.Basic.Properties(), body))
    for kind in ("frame", "sync", "synced", "bye", "opened", "mark"):  # about what there is not
        await publish(broker, letter(kind=kind, number=1), LISTENER)
    await near.send(b"good")
    assert await far.receive() == b"good"
    await broker.drop()
    await close(near, far, listener)


async def test_whoever_does_not_keep_to_the_window_is_cut_off(url):
    listener = await listen(url())
    broker = await stranger(url())
    await publish(broker, letter(), LISTENER)
    far = await listener.accept()
    for number in range(1, 100):
        await publish(broker, letter(kind="frame", number=number, body=b"x"), LISTENER)
    with deadline(), pytest.raises(PeerGone, match="sends more than it may"):
        while True:
            await anyio.sleep(0.05)  # nobody reads for a while
            if far._why:
                await far.receive()
    await broker.drop()
    await close(far, listener)


# what is refused --------------------------------------------------------------------------------------------------


async def test_a_wrong_password(url, monkeypatch):
    wrong = url("web-01").replace(quote(PASSWORD, safe=""), "wr0ng")
    with pytest.raises(Denied, match="does not know the user 'web-01' with this password") as caught:
        await dial(wrong)
    assert (caught.value.code, "wr0ng" in str(caught.value)) == ("unauthorized", False)
    with pytest.raises(BadConfig, match="does not know the user"):
        await listen(wrong)
    listener = await listen(url("controller"))
    monkeypatch.setenv(VARIABLE, PASSWORD)
    near = await dial(url("web-01").replace(":" + quote(PASSWORD, safe=""), ""))
    await close(near, listener)


async def test_a_virtual_host_that_is_not_there(url):
    with pytest.raises(BadConfig, match="no virtual host 'nowhere' for 'guest'"):
        await dial(url(path="nowhere"))
    with pytest.raises(BadConfig, match="no virtual host '/' for 'nowhere'"):
        await dial(url("nowhere", path=""))
    await close(*await pair(url(path="other%2Fone")))


async def test_a_permission_that_is_missing(url):
    listener = await listen(url(name="another"))
    with pytest.raises(Denied, match=r"refuses: .*exchange 'procctl'"):
        await dial(url("mute", name="another"))
    with pytest.raises(BadConfig, match=r"cannot listen: .*refuses"):
        await listen(url("web-01", name="elsewhere"))
    with pytest.raises(Denied, match=r"refuses: .*topic"):
        await dial(url("web-01", name="another"))  # it may write to the controller, and to nobody else
    await listener.aclose()


async def test_an_agent_cannot_listen_to_others(url):
    """What it may bind its queue to are its own keys: nobody else's frames come to it."""
    listener = await listen(url("controller"))
    for key in ("#", "peer.#", "listen.controller", f"peer.web-02.{ID}"):
        broker = await stranger(url("web-01"))
        queue = "procctl.peer.web-01.x"
        await broker.ask(commands.Queue.Declare(queue=queue, exclusive=True), commands.Queue.DeclareOk)
        with pytest.raises(Refusal) as caught:
            bind = commands.Queue.Bind(queue=queue, exchange="procctl", routing_key=key)
            await broker.ask(bind, commands.Queue.BindOk)
        assert caught.value.code == 403
        await broker.drop()
    await listener.aclose()


async def test_an_exchange_that_is_declared_otherwise(url):
    listener = await listen(url(exchange="ours"))
    with pytest.raises(BadConfig, match="otherwise") as caught:
        await listen(url(exchange="ours", durable="yes", name="second"))
    assert caught.value.hint == "say durable=no in the URL, or exchange= for another one"
    with pytest.raises(BadConfig, match="otherwise") as caught:
        await listen(url(exchange="ours", auto_delete="yes", name="second"))
    assert caught.value.hint == "say auto_delete=no in the URL, or exchange= for another one"
    await listener.aclose()


async def test_a_wrong_password_later_is_tried_again(url, monkeypatch):
    """A line to a controller goes on trying: what was right may become right again."""
    listener = await trusted(url())
    async with between(Address.read(url(), {}).port) as way:
        there = url().replace(str(Address.read(url(), {}).port), str(way.port))
        async with Agent("north", listen=[listener]), connect(there, patience=30) as fleet:
            monkeypatch.setattr(Address, "read", lambda *_: (_ for _ in ()).throw(Denied("unauthorized", "no")))
            for session in [one for one in gc.get_objects() if isinstance(one, connections.AmqpConnection)]:
                session.end("a test wants so")
            await anyio.sleep(0.3)
            monkeypatch.undo()
            assert (await fleet.info()).name == "north"


# outages ----------------------------------------------------------------------------------------------------------


async def test_ways_that_are_cut(url):
    """Both ends at once, again and again, under load."""
    port = Address.read(url(), {}).port
    async with between(port) as way:
        listener, near, far = await pair(url().replace(str(port), str(way.port)))

        async def send(connection):
            for number in range(2000):
                await connection.send(b"%d" % number)

        async def receive(connection, seen):
            for number in range(2000):
                assert await connection.receive() == b"%d" % number
                seen.append(number)

        near_seen, far_seen = [], []
        async with anyio.create_task_group() as group:
            for connection, seen in ((near, near_seen), (far, far_seen)):
                group.start_soon(send, connection)
                group.start_soon(receive, connection, seen)
            for at in (100, 300, 600):
                await until(lambda at=at: min(len(near_seen), len(far_seen)) > at)
                way.cut()
        assert way.connections >= 8
        await close(near, far, listener)


async def test_one_way_that_is_cut(url):
    """Only the listener's, which its peer sees as a queue that is gone; and only the peer's."""
    port = Address.read(url(), {}).port
    for whose in (0, 1):
        async with between(port) as way:
            through = url().replace(str(port), str(way.port))
            listener = await listen(through if whose == 0 else url())
            near = await dial(through if whose == 1 else url())
            far = await listener.accept()
            for number in range(3):
                way.cut()
                for one, other in ((near, far), (far, near)):
                    await one.send(b"%d" % number)
                    assert await other.receive() == b"%d" % number
            await close(near, far, listener)


async def test_a_peer_that_leaves_during_an_outage(url, monkeypatch):
    monkeypatch.setattr(connections, "AFTER_OUTAGE", 0.5)
    port = Address.read(url(), {}).port
    async with between(port) as way:
        listener = await listen(url())
        near = await dial(url().replace(str(port), str(way.port)))
        far = await listener.accept()
        async with way.outage():
            await until(lambda: near.suspended)
            await close(far, listener)
        with deadline(), pytest.raises(PeerGone):
            await near.receive()
        await near.aclose()


async def test_patience_ends(url):
    port = Address.read(url(), {}).port
    async with between(port) as way:
        listener = await listen(url())
        near = await dial(url(patience=1).replace(str(port), str(way.port)))
        far = await listener.accept()
        async with way.outage():
            with deadline(), pytest.raises(PeerGone, match="is out of order for more than 1 s"):
                await near.receive()
            with pytest.raises(PeerGone):
                await near.send(b"late")
        await close(near, far, listener)


async def test_a_queue_that_is_deleted_under_our_feet(broker, url):
    listener, near, far = await pair(url())
    await near.send(b"before")
    await run_sync(broker.ctl, "delete_queue", "procctl.listen.controller", "-p", WORKER or "/")
    for number in range(10):
        await near.send(b"%d" % number)
    assert [await far.receive() for _ in range(11)] == [b"before", *(b"%d" % number for number in range(10))]
    await close(near, far, listener)


async def test_connections_that_the_broker_closes(broker, url):
    listener, near, far = await pair(url())
    await run_sync(broker.ctl, "close_all_connections", "-p", WORKER or "/", "for a test")
    await near.send(b"1")
    await far.send(b"2")
    assert (await far.receive(), await near.receive()) == (b"1", b"2")
    await close(near, far, listener)


async def test_leaving_while_the_broker_is_away(url):
    port = Address.read(url(), {}).port
    async with between(port) as way:
        listener, near, far = await pair(url().replace(str(port), str(way.port)))
        async with way.outage():
            await until(lambda: near.suspended and far.suspended)
            with deadline(2):
                await close(near, far, listener)


async def test_an_agent_over_an_outage(url):
    """What runs, runs on; whoever waits for an answer gets it."""
    port = Address.read(url(), {}).port
    async with between(port) as way:
        there = url().replace(str(port), str(way.port))
        async with Controller("top", listen=[await trusted(there)]) as controller:
            async with Agent("north", join=there), connect(there) as fleet:
                job = await fleet.start("job", SLEEP)
                async with way.outage():
                    async with anyio.create_task_group() as group:
                        group.start_soon(job.stop)
                        await anyio.sleep(0.3)
                        way.refusing = False
                await becomes(await controller.process("job"), lambda process: process.state == "stopped")


async def test_dialling_during_an_outage(url):
    """Whoever dials is told at once, and may try again."""
    port = Address.read(url(), {}).port
    async with between(port) as way:
        listener = await listen(url())
        listener._peers._opened = lambda letter: way.cut()  # what would have been the answer is lost
        with deadline(), pytest.raises(PeerGone, match="was away for a moment"):
            await dial(url().replace(str(port), str(way.port)))
        await listener.aclose()
