"""Programs with another AMQP library as peers: what is said are plain JSON texts, with a few properties."""

import json
from uuid import uuid4

import aio_pika
import anyio
import pika
import pytest
from anyio.to_thread import run_sync
from attrs import evolve

from procctl import Agent
from procctl.service.urls import options_of
from procctl.transports.amqp.transport import AmqpTransport

from .conftest import WORKER

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(60)]


@pytest.fixture
async def north(broker, url):
    """An agent that listens, to whose every peer it belongs."""
    listener = await AmqpTransport().listen(url(), options_of(url()))
    listener.traits = evolve(listener.traits, owner=True)
    async with Agent("north", listen=[listener]) as agent:
        await agent.start("job", ["sleep", "1000"])
        yield agent


@pytest.fixture
def anyio_backend():
    """aio-pika knows asyncio alone."""
    return "asyncio"


async def test_aio_pika(north, url):
    name, key = uuid4().hex, f"peer.guest.{uuid4().hex}"
    common = {"correlation_id": name, "reply_to": key, "user_id": "guest"}
    async with await aio_pika.connect(url()) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("procctl")
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, key)

        async def say(kind, body=b"", **properties):
            message = aio_pika.Message(body, type=kind, **common, **properties)
            await exchange.publish(message, "listen.controller")

        await say("open", headers={"name": "foreign"})
        async with queue.iterator() as messages:
            assert (await anext(messages)).type == "opened"
            await say("frame", b'{"id": 1, "command": "status"}', message_id=f"{name}.1")
            answer = await anext(messages)
            assert (answer.type, answer.content_type, answer.user_id) == ("frame", "application/json", "guest")
            assert (answer.message_id, answer.headers["got"]) == (f"{name}.1", 1)
            (item,) = json.loads(answer.body)["status"]["north"]
            assert (item["name"], item["status"]) == ("job", 1)
            await say("frame", b'{"id": 1, "command": "status"}', message_id=f"{name}.1")  # again: it is not heard
            await say("frame", b'{"id": 2, "command": "nonsense"}', message_id=f"{name}.2")
            assert json.loads((await anext(messages)).body)["error"]["code"] == "unknown-command"
        await say("bye")


async def test_pika(north, broker):
    def ask():
        name, key = uuid4().hex, f"peer.guest.{uuid4().hex}"
        where = pika.ConnectionParameters("127.0.0.1", broker.port, WORKER or "/")
        with pika.BlockingConnection(where) as connection:
            channel = connection.channel()
            queue = channel.queue_declare("", exclusive=True).method.queue
            channel.queue_bind(queue, "procctl", key)
            for kind, body, number in (("open", b"", None), ("frame", b'{"id": 1, "command": "hosts"}', f"{name}.1")):
                properties = pika.BasicProperties(
                    type=kind, correlation_id=name, reply_to=key, user_id="guest", message_id=number
                )
                channel.basic_publish("procctl", "listen.controller", body, properties, mandatory=True)
            for _, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=10):
                assert properties is not None, "nothing came"
                if properties.type == "frame":
                    return json.loads(body)

    with anyio.fail_after(30):
        answer = await run_sync(ask)
    assert answer["re"] == 1
