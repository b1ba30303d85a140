"""What a hostile program can do with its channel: lose it. The agent and its other programs notice nothing."""

import contextlib
import json
import logging
import os
import sys

import anyio
import pytest
from helpers import SLEEP, becomes, deadline, sh, texts, until
from hypothesis import given
from hypothesis import strategies as st

from procctl import Agent, HooksSpec, Refused, StopSpec
from procctl.agent.channel import MAX_DEPTH, MAX_LINE, MAX_UNREAD, RATE, BadLine, Channel, decode, open_pair
from procctl.agent.spawner import apart

from .talking import OBEDIENT, talker

GARBAGE = {
    "no JSON": ("raw(b'hello\\n')", "no JSON"),
    "no UTF-8": ("raw(b'\"\\xff\"\\n')", "no JSON"),
    "half a character": ("raw(b'\"\\\\ud800\"\\n')", "no JSON"),
    "NaN": ("raw(b'NaN\\n')", "no JSON"),
    "a number without end": ("raw(b'9' * 5000 + b'\\n')", "no JSON"),
    "too deep": (f"raw(b'[' * {MAX_DEPTH + 1} + b']' * {MAX_DEPTH + 1} + b'\\n')", "nested"),
    "much too deep": ("raw(b'[' * 60000 + b'\\n')", "nested"),
    "a long line": (f"raw(b'\"' + b'x' * {MAX_LINE} + b'\"\\n')", "more than"),
    "a line without end": ("while True: raw(b'x' * 4096)", "more than"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_closes_the_channel_and_nothing_else(name, caplog):
    body, complaint = GARBAGE[name]
    with caplog.at_level(logging.WARNING, "procctl.agent.channel"):
        async with Agent() as agent:
            with deadline():
                bad = await agent.start("bad", talker(f"say('workerStarted')\n{body}\nlist(lines())\n"), hooks=True)
                good = await agent.start("good", OBEDIENT, hooks=True)
                await until(lambda: caplog.records)
                (record,) = caplog.records
                assert record.getMessage().startswith("bad: its channel is closed: ")
                assert complaint in record.getMessage()
                await good.stop()
                assert good.item.detail == "idle"
                await bad.kill()


@pytest.mark.anyio
async def test_a_flood_is_read_no_faster_than_its_rate():
    body = """
say("workerStarted")
n = 0
while True:
    n += 1
    say({"procctl": "metrics", "values": {"n": n}})
"""
    async with Agent() as agent:
        with deadline():
            bad = await agent.start("bad", talker(body), hooks=True)
            good = await agent.start("good", OBEDIENT, hooks=True)
            begin = anyio.current_time()
            for _ in range(5):
                await good.stop()
                await good.start()
            await anyio.sleep(0.5)
            seen = (await bad.refresh()).metrics["n"]
            taken = anyio.current_time() - begin
            assert 0 < seen < RATE * (taken + 5) + RATE
            assert (await bad.kill()).signal == "SIGKILL"


@pytest.mark.anyio
async def test_who_never_reads_loses_the_channel(caplog):
    async with Agent() as agent:
        with deadline(30):
            deaf = await agent.start("deaf", talker("say('workerStarted'); time.sleep(1000)"), hooks=True)
            data = "x" * 30_000
            with caplog.at_level(logging.WARNING, "procctl.agent.channel"):
                for _ in range(2 * (MAX_UNREAD + (1 << 20)) // len(data)):
                    if caplog.records:
                        break
                    with pytest.raises(Refused):
                        await deaf.ask("flush", data, timeout=0.001)
            assert "deaf: its channel is closed: it does not read" in caplog.text
            assert (await deaf.refresh()).detail == "up"


@pytest.mark.anyio
async def test_a_slow_reader_gets_all_of_it():
    body = """
say("workerStarted")
time.sleep(0.3)
for message in lines():
    if isinstance(message, dict):
        say({"procctl": "answer", "id": message["id"], "data": len(message["data"])})
"""
    async with Agent() as agent, anyio.create_task_group() as group:
        with deadline():
            slow = await agent.start("slow", talker(body), hooks=True)
            sizes = []

            async def ask(size):
                sizes.append((size, await slow.ask("size", "x" * size)))

            for i in range(8):
                group.start_soon(ask, 40_000 + i)  # more than a socket takes at once
            await until(lambda: len(sizes) == 8)
            assert all(size == answer for size, answer in sizes)


@pytest.mark.anyio
async def test_a_program_that_closes_its_end_goes_on():
    async with Agent() as agent:
        with deadline():
            body = "say('workerStarted'); os.close(fd); print('closed', flush=True); time.sleep(1000)"
            web = await agent.start("web", talker(body), hooks=HooksSpec(timeout=2))
            assert (await web.stop()).signal == "SIGTERM"


@pytest.mark.anyio
async def test_the_last_words_of_a_program_are_heard():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", talker("say('workerStarted'); sys.exit(0)"), hooks=True)
            await web.wait()
            assert web.exit.code == 0


@pytest.mark.anyio
async def test_what_is_not_understood_is_said_a_few_times(caplog):
    body = """
for i in range(50): say({"procctl": "dance"})
say({"cmd": "NODE_HANDLE"})
say(7)
say("workerStarted")
obey()
"""
    with caplog.at_level(logging.WARNING, "procctl.agent.channel"):
        async with Agent() as agent:
            with deadline():
                web = await agent.start("web", talker(body), hooks=True)
                await web.stop()
    assert [r.getMessage() for r in caplog.records] == 3 * [
        'web: a message that is not understood: there is no message "dance"'
    ]


@pytest.mark.anyio
async def test_who_has_no_channel_has_no_variable(monkeypatch):
    monkeypatch.setenv("NODE_CHANNEL_FD", "3")
    monkeypatch.setenv("PROCCTL_CHANNEL_FD", "3")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh("env | grep CHANNEL; ls /proc/self/fd | wc -l"))
            await web.wait()
            assert await texts(web) == ["4"]  # 0, 1, 2 and the listing's own


@pytest.mark.anyio
async def test_a_program_has_one_descriptor_more_and_knows_its_number():
    ls = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[4:] == [int(os.environ['NODE_CHANNEL_FD'])])"
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", [sys.executable, "-S", "-c", ls], stop=StopSpec(steps=(("shutdown", 1.0),)))
            await web.wait()
            assert await texts(web) == ["True"]


@pytest.mark.anyio
async def test_a_spawn_that_fails_leaves_no_channel():
    async with Agent() as agent:
        with deadline():
            with pytest.raises(Refused):
                await agent.start("web", ["/no/such/program"], hooks=True)
            web = await agent.process("web")
            await becomes(web, lambda item: item.detail == "failed")
            await agent.start("other", SLEEP)


def test_a_descriptor_far_from_the_lowest():
    read, write = os.pipe()
    try:
        far = apart(read)
        lowest = os.dup(read)
        assert far > lowest + 2
        assert not os.get_inheritable(far)
        os.close(far)
        os.close(lowest)
    finally:
        os.close(read)
        os.close(write)


@given(st.binary(max_size=60))
def test_any_line_is_a_value_or_none(line):
    with contextlib.suppress(BadLine):
        json.dumps(decode(line), ensure_ascii=False).encode()


@given(st.recursive(st.none() | st.integers(-9, 9) | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)))
def test_values_come_through(value):
    assert value == decode(json.dumps(value).encode())


def test_brackets_in_a_text_are_no_depth():
    assert decode(json.dumps("[" * 99 + '\\"{').encode()) == "[" * 99 + '\\"{'


class _Nobody:
    """A poller that nobody runs."""

    def add(self, fd, call, writing=False):
        pass

    def remove(self, fd):
        pass


@pytest.mark.parametrize(("torn", "heard"), [(True, ["whole"]), (False, [])])
def test_half_a_line_is_forgiven_where_somebody_else_has_read_the_other_half(torn, heard):
    here, there = open_pair()
    found = []
    channel = Channel(here, "web", _Nobody(), lambda after, call: None, lambda m: found.append(m) or "", torn=torn)
    os.write(there, b'lf"\n"whole"\n')
    channel.drain()
    assert (found, channel.open) == (heard, torn)
    channel.close()
    os.close(there)
