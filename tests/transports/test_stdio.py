"""``stdio:`` and ``procctl stdio``: frames over stdin and stdout."""

import json
import os
import subprocess
import sys
import textwrap

import anyio
import anyio.to_thread
import pytest
from helpers import alive, deadline, sh

from procctl import Agent, connect

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(60)]

RELAY = [sys.executable, "-m", "procctl.cli", "stdio"]


class Spoken:
    """A program that speaks frames over its stdin and stdout."""

    def __init__(self, process):
        self.process = process
        self.buffer = b""

    async def ask(self, document):
        """A request, and the next frame that comes back."""
        await self.process.stdin.send(json.dumps(document).encode() + b"\n")
        return await self.next()

    async def next(self):
        """The next frame."""
        while b"\n" not in self.buffer:
            self.buffer += await self.process.stdout.receive()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    async def end(self):
        """Close its stdin; its exit code and what it said on stderr."""
        await self.process.stdin.aclose()
        return await self.over()

    async def over(self):
        said = b"".join([data async for data in self.process.stderr])
        return await self.process.wait(), said.decode()


async def spoken(command, **env):
    return Spoken(await anyio.open_process(command, env={**os.environ, **env}))


@pytest.fixture
async def agent(place):
    async with Agent("here", listen=f"unix://{place}/s") as agent:
        yield agent


async def test_a_relay_ends_with_its_stdin(agent, place):
    with deadline(30):
        relay = await spoken([*RELAY, "--url", f"unix://{place}/s"])
        async with relay.process:
            assert (await relay.ask({"id": 1, "command": "agent.status"}))["agent"]["name"] == "here"
            assert await relay.end() == (0, "")


async def test_a_relay_ends_with_its_agent(place):
    with deadline(30):
        async with Agent("here", listen=f"unix://{place}/s") as agent:
            relay = await spoken([*RELAY, "--url", agent.urls[0]])
            await relay.ask({"id": 1, "command": "agent.status"})
        async with relay.process:
            code, said = await relay.over()
    assert (code, "has closed the connection" in said) == (5, True)


async def test_large_answers_to_a_slow_reader(agent, place):
    text = "x" * 10_000
    await agent.start("talker", sh(f"i=0; while [ $i -lt 80 ]; do i=$((i+1)); echo {text}; done"), until="exit")
    with deadline(40):
        relay = await spoken([*RELAY, "--url", f"unix://{place}/s"])
        async with relay.process:
            await relay.process.stdin.send(
                b'{"id": 1, "command": "logs", "name": "talker"}\n{"to": 1, "credit": 9999}\n'
            )
            await anyio.sleep(0.5)
            found = ""
            while not (frame := await relay.next()).get("end"):
                found += frame["item"]["text"]
            assert found == f"{text}\n" * 80
            await relay.end()


async def test_requests_from_a_file_are_answered(agent, place):
    (place / "asked").write_text('{"id": 1, "command": "agent.status"}\n{"id": 2, "command": "status"}\n')
    with (place / "asked").open() as file:
        done = await anyio.run_process([*RELAY, "--url", f"unix://{place}/s"], stdin=file)
    assert [json.loads(line)["re"] for line in done.stdout.splitlines()] == [1, 2]


async def test_no_requests(agent, place):
    done = await anyio.run_process([*RELAY, "--url", f"unix://{place}/s"], stdin=subprocess.DEVNULL)
    assert (done.stdout, done.stderr) == (b"", b"")


async def test_the_relay_starts_an_agent_and_all_find_the_same(place):
    run = place / "run"
    run.mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(run), "HOME": str(place)}
    socket = f"unix://{run}/procctl/agent.sock"
    names = []

    async def one():
        relay = await spoken(RELAY, **env)
        async with relay.process:
            names.append((await relay.ask({"id": 1, "command": "agent.status"}))["agent"]["pid"])
            assert (await relay.end())[0] == 0

    with deadline(50):
        try:
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(one)
        finally:
            async with connect(socket) as fleet:
                await fleet.shutdown()
    assert (len(names), len(set(names))) == (3, 1)


async def test_an_agent_that_listens_on_stdin_ends_with_it(place):
    with deadline(40):
        agent = await spoken(
            [sys.executable, "-m", "procctl.cli", "agent", "--listen", "stdio:", "--name", "inside", "-q"]
        )
        async with agent.process:
            spec = {"name": "web", "command": ["sleep", "1000"]}
            added = await agent.ask({"id": 1, "command": "add", "spec": spec})
            pid = added["status"]["inside"][0]["pid"]
            assert await agent.end() == (0, "")
    assert not alive(pid)


EMBEDDED = """
import anyio, os, sys
from procctl import Agent
async def main():
    before = os.get_blocking(0), os.get_blocking(1)
    async with Agent("inside", listen="stdio:") as agent:
        print("a stray line")
        os.write(1, b"and one more\\n")
        os.system("echo from a shell; cat")
        await agent.start("web", ["sh", "-c", "echo hello"], until="exit")
        assert (os.get_blocking(0), os.get_blocking(1)) == before
        await agent.asked_to_stop()
    sys.stdout.write("the end\\n")
anyio.run(main, backend=sys.argv[1])
"""


async def test_stray_prints_do_not_get_between_frames(anyio_backend):
    with deadline(30):
        inside = await spoken([sys.executable, "-u", "-c", textwrap.dedent(EMBEDDED), anyio_backend])
        async with inside.process:
            assert (await inside.ask({"id": 1, "command": "agent.status"}))["agent"]["name"] == "inside"
            assert "done" in await inside.ask({"id": 2, "command": "agent.stop"})
            rest = inside.buffer + b"".join([data async for data in inside.process.stdout])
            code, said = await inside.over()
    assert (code, rest) == (0, b"the end\n")
    assert said.splitlines() == ["a stray line", "and one more", "from a shell"]
