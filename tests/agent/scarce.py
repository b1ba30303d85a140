"""Limits of this user and of this program are reached, and what runs goes on.

``python -m agent.scarce BACKEND CASE…`` prints what each has found. For a user that is not root: root has no limit of
processes.
"""

import contextlib
import json
import os
import resource
import sys
import tempfile

import anyio
from helpers import SLEEP, alive, becomes, deadline, descriptors, sh

from procctl import Agent, RestartSpec, ready
from procctl.errors import ProcctlError

QUICK = RestartSpec(policy="always", delay=(0.05, 0.05), jitter=0.0, limit=None)


@contextlib.contextmanager
def limited(what, soft):
    """As if the system had no more."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def no_processes():
    return limited(resource.RLIMIT_NPROC, 1)


def no_descriptors():
    """None at all: what is free below the highest that is open is taken. Gives how to take what comes free."""
    stack = contextlib.ExitStack()
    stack.enter_context(limited(resource.RLIMIT_NOFILE, 1 + max(map(int, descriptors()))))

    def take():
        with contextlib.suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(0))

    take()
    stack.take = take
    return stack


async def refused(agent, name, command=SLEEP, **declared):
    """What is said to whoever starts one more."""
    try:
        await agent.start(name, command, **declared)
    except ProcctlError as error:
        return str(error)
    return "it was started"


async def short_of(agent, limit):
    """One runs, another is refused while there is a limit, a third is tried until it is over."""
    first = await agent.start("first", SLEEP)
    with limit():
        said = await refused(agent, "second")
        await refused(agent, "third", restart=QUICK)
        again = (await agent.process("third")).item
        state = (await first.refresh()).state
    third_process = await agent.process("third")
    await third_process.wait("running")
    second = await agent.process("second")
    await second.start()
    return [
        said.rpartition(" (procctl")[0],
        [again.state, again.detail],
        state,
        second.item.state,
        alive(first.pid),
    ]


async def processes():
    async with Agent() as agent:
        return await short_of(agent, no_processes)


async def processes_before_the_first():
    """There is no keeper yet, and no thread that starts programs."""
    async with Agent() as agent:
        with no_processes():
            said = await refused(agent, "web")
        web = await agent.process("web")
        await web.start()
        return said.rpartition(" (procctl")[0], web.item.state


async def processes_for_threads():
    """What is usually done in threads is done without: the second that starts, the search for strays, compression."""
    async with Agent() as agent:
        first = await agent.start("first", SLEEP)
        with no_processes():
            for i in range(20):
                await agent.start(f"p{i}", SLEEP, until="accepted")
            with contextlib.suppress(ProcctlError):
                await agent.wait("p*", until="running")
            record = await first.stop()
        items = [p.item for p in await agent.processes("p*")]
        return record.signal, {item.detail for item in items} == {"failed"}


async def descriptors_of_the_agent():
    async with Agent() as agent:
        return await short_of(agent, no_descriptors)


async def descriptors_at_an_end():
    """With none left it is still seen how things end, and that nothing of them is left: of a child, its daemon, and a
    stranger that was adopted."""
    command = sh("(setsid sh -c 'echo $$; exec sleep 1000' &); exec sleep 1000")
    stranger = await anyio.open_process(SLEEP)
    async with Agent() as agent:
        web = await agent.start("web", command, ready=ready.log(r"\d"))
        async with web.logs() as lines:
            daemon = int((await anext(lines)).text)
        adopted = await agent.adopt(stranger.pid, "adopted")
        with no_descriptors():
            record = await web.stop()
            await adopted.refresh()
            still = adopted.item.state, alive(stranger.pid)
            await adopted.stop(until="accepted")
            await stranger.wait()
            await adopted.wait("stopped")
        await stranger.aclose()
        return record.signal, [s.pid == daemon for s in record.escaped], alive(daemon), still, adopted.exit.failed


async def descriptors_for_a_check():
    """A readiness check that cannot be made for now says nothing about the program."""
    check = ready.command(["test", "-e", "yes"], every=0.05, timeout=20)
    async with Agent() as agent:
        web = await agent.start("web", SLEEP, cwd=os.getcwd(), ready=check, until="running")
        with no_descriptors() as stack:
            for _ in range(30):
                await anyio.sleep(0.01)
                stack.take()
            assert (await web.refresh()).state == "running"
        os.close(os.open("yes", os.O_CREAT | os.O_WRONLY))
        await web.wait("ready")
        return web.item.ready, web.item.restarts


async def descriptors_when_one_is_detached():
    """Its pipes cannot be given to the keeper: it is told, and they are read as long as the agent is there."""
    async with Agent() as agent:
        web = await agent.start("web", sh("while :; do echo x; sleep 0.02; done"))
        pid = web.pid
        with no_descriptors():
            await web.detach()
        await becomes(web, lambda item: item.detail == "detached")
        lives = alive(pid)
        os.kill(pid, 9)
        return lives


async def descriptors_when_clients_come():
    """They wait, and are let in when there is room."""
    async with Agent(listen=[f"unix://{os.getcwd()}/sock"]) as agent:
        web = await agent.start("web", SLEEP)
        script = "import sys, procctl\nwith procctl.sync.connect(sys.argv[1]) as f: print(f.process('web').pid)"
        client = await anyio.open_process([sys.executable, "-c", script, f"unix://{os.getcwd()}/sock"])
        with no_descriptors():
            for _ in range(10):
                await anyio.sleep(0.02)
            state = (await web.refresh()).state
        printed = await client.stdout.receive()
        await client.wait()
        await client.aclose()
        return state, int(printed) == web.pid


async def main(cases):
    said = {}
    for name in cases:
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="p") as folder, deadline():
            os.chdir(folder)
            said[name] = await globals()[name]()
    print(json.dumps(said))


if __name__ == "__main__":
    anyio.run(main, sys.argv[2:], backend=sys.argv[1])
