"""Programs that people run: started, killed from outside, restarted, stopped, and nothing left."""

import os
import signal

import anyio
import pytest
from helpers import alive, becomes, free_port, marked, program, sh

from procctl import Agent, RestartSpec, StopSpec, ready

pytestmark = [pytest.mark.anyio, pytest.mark.in_turn]

AGAIN = RestartSpec(policy="always", delay=(0.05, 0.1))


async def lives_through_it(agent, name, command, pid_of=None, **declared):
    """Start it, kill it from outside, see it come back, stop it, and see that nothing is left."""
    process = await agent.start(name, command, restart=AGAIN, stop=StopSpec(steps=(("SIGTERM", 5.0),)), **declared)
    first = process.pid
    os.kill(first, signal.SIGKILL)
    await becomes(process, lambda item: item.restarts == 1 and item.pid)
    await process.wait("ready")
    assert (process.pid != first, process.item.restarts, alive(first)) == (True, 1, False)
    await process.stop()
    assert marked(process.uuid, "PROCCTL_UUID") == []
    return process


async def answers(port, said, expected):
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(said)
        assert (await stream.receive()).startswith(expected)


async def test_redis(place):
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--save", "", "--dir", str(place), "--bind", "127.0.0.1"]
    async with Agent() as agent:
        redis = await lives_through_it(agent, "redis", command, ready=ready.tcp(port))
        await redis.start(until="ready")
        await answers(port, b"PING\r\n", b"+PONG")
        assert (await redis.stop()).code == 0


def nginx(place, port, daemon):
    for folder in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (place / folder).mkdir()
    temporary = "".join(
        f"{name}_temp_path {place}/{name if name != 'client_body' else 'body'};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(
        f"daemon {daemon}; pid {place}/nginx.pid; error_log {place}/error.log; worker_processes 2; events {{}}"
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; return 200 hello; }} }}"
    )
    return [program("nginx"), "-e", str(place / "error.log"), "-c", str(place / "nginx.conf")]


async def test_nginx(place):
    port = free_port()
    async with Agent() as agent:
        web = await lives_through_it(agent, "nginx", nginx(place, port, "off"), ready=ready.tcp(port))
        await web.start(until="ready")
        await answers(port, b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK")
        assert (await web.stop()).code == 0


async def test_an_nginx_that_makes_itself_a_daemon_is_found_and_ended(place):
    """Whoever wants it supervised says `daemon off`; if not, it does not outlive its process."""
    port = free_port()
    async with Agent() as agent:
        web = await agent.start("nginx", nginx(place, port, "on"), until="stopped")
        assert (web.exit.code, marked(web.uuid, "PROCCTL_UUID")) == (0, [])


async def test_a_pipeline_with_grandchildren_and_a_daemon(place):
    text = """
    rm -f daemon
    (setsid sh -c 'echo $$ > daemon; exec sleep 1000' &)
    while ! [ -s daemon ]; do sleep 0.01; done
    (while :; do date; sleep 0.05; done) | (while read line; do echo "got $line"; done)
    """
    async with Agent() as agent:
        job = await lives_through_it(agent, "job", sh(text), ready=ready.log("got"), cwd=str(place))
        assert (alive(int((place / "daemon").read_text())), len(job.exit.escaped) >= 1) == (False, True)
