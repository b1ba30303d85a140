"""How a run ended: right, or unknown; never wrong."""

import subprocess
import sys
from textwrap import dedent

import pytest
from helpers import SLEEP, deadline, finished, sh

from procctl import Agent

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("code", [0, 1, 42, 127, 255])
async def test_a_code(code):
    async with Agent() as agent:
        with deadline():
            _, record = await finished(agent, "web", sh(f"exit {code}"))
            assert (record.code, record.signal, record.failed) == (code, None, code != 0)


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL", "SIGABRT", "SIGUSR1"])
async def test_a_signal(signal):
    async with Agent() as agent:
        with deadline():
            _, record = await finished(agent, "web", sh(f"kill -{signal[3:]} $$"))
            assert (record.code, record.signal, record.describe()) == (None, signal, f"killed by {signal}")


async def test_a_real_time_signal():
    async with Agent() as agent:
        with deadline():
            _, record = await finished(agent, "web", sh("kill -40 $$"))
            assert (record.code, record.signal) == (None, "SIG40")


async def test_the_record_has_what_was_used_and_the_last_lines():
    async with Agent() as agent:
        with deadline():
            _, record = await finished(agent, "web", sh("seq 1 30; echo problem >&2; exit 3"))
            assert record.last_lines == (*(str(n) for n in range(22, 31)), "problem")
            assert record.usage.max_rss > 0
            assert record.uptime >= 0
            assert record.by == ""


async def test_who_asked_for_the_end():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", SLEEP)
            record = await web.stop()
            assert (record.signal, record.by, record.escaped) == ("SIGTERM", web.item.why.by, ())


async def test_last_lines_are_of_this_run():
    async with Agent() as agent:
        with deadline():
            web, first = await finished(agent, "web", sh('[ "$PROCCTL_FENCE" = 1 ] && echo one; exit 0'))
            assert first.last_lines == ("one",)
            await web.start()
            assert (await web.wait("stopped")).last_lines == ()


EMBEDDERS = {
    "none": "",
    "ignores": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    "reaps": """
        def reap(*_):
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
        signal.signal(signal.SIGCHLD, reap)
    """,
    "reaps in a thread": """
        def reap():
            while True:
                try:
                    os.waitpid(-1, 0)
                except ChildProcessError:
                    time.sleep(0.0005)
        threading.Thread(target=reap, daemon=True).start()
    """,
}
SCRIPT = """
import os, signal, sys, threading, time
import anyio
from procctl import Agent, ready

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.1; done"
{embedder}

async def main():
    wrong, unknown = [], 0
    with anyio.fail_after(50):
        async with Agent() as agent:
            for i in range(50):
                how = "exit {{}}".format(i) if i % 5 else "kill -USR1 $$"
                await agent.start(f"p{{i}}", ["sh", "-c", how])
            await agent.wait("p*", until="stopped")
            for i in range(50):
                record = (await agent.process(f"p{{i}}")).exit
                expected = (i, None) if i % 5 else (None, "SIGUSR1")
                if (record.code, record.signal) == (None, None):
                    unknown += 1
                elif (record.code, record.signal) != expected:
                    wrong.append((i, record.code, record.signal))
            stubborn = await agent.start("stubborn", ["sh", "-c", STUBBORN], ready=ready.log("up"))
            record = await stubborn.stop(grace=0.1)
            if record.signal not in ("SIGKILL", None) or record.code is not None:
                wrong.append(("stubborn", record.code, record.signal))
    print(wrong, unknown <= {most})

anyio.run(main, backend=sys.argv[1])
"""


@pytest.mark.parametrize(
    ("embedder", "without"),
    [
        ("none", ""),
        ("ignores", ""),
        ("reaps", ""),
        ("reaps in a thread", ""),
        ("reaps", "pidfd_info"),
        ("ignores", "pidfd,pidfd_info"),
        ("reaps in a thread", "pidfd,pidfd_info"),
    ],
)
def test_whatever_the_embedding_program_does_the_status_is_never_wrong(embedder, without, anyio_backend, monkeypatch):
    monkeypatch.setenv("PROCCTL_WITHOUT", without)
    script = SCRIPT.format(embedder=dedent(EMBEDDERS[embedder]), most=0 if embedder == "none" else 50)
    done = subprocess.run(
        [sys.executable, "-c", script, anyio_backend], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[] True\n", "", 0)
