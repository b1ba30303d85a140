"""What a process writes: kept, followed, and where it was lost a gap that is exact to the byte."""

import os

import anyio
import pytest
from helpers import SLEEP, collected, deadline, finished, sh, texts

from procctl import Agent, LogSpec, ProcessSpec, ready

pytestmark = pytest.mark.anyio


async def test_both_streams():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh("echo out; echo err >&2"))
            async with web.logs() as lines:
                assert {(line.stream, line.text) async for line in lines} == {("stdout", "out"), ("stderr", "err")}


@pytest.mark.parametrize(("stream", "expected"), [("stdout", ["out"]), ("stderr", ["err"]), ("", ["out", "err"])])
async def test_one_stream(stream, expected):
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh("echo out; sleep 0.05; echo err >&2"))
            assert await texts(web, stream=stream) == expected


async def test_a_line_says_where_it_comes_from():
    async with Agent("here") as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["echo", "hello"])
            async with web.logs() as lines:
                line = await anext(lines)
            assert (line.name, line.hostname, line.uuid, line.lost) == ("web", "here", web.uuid, 0)
            assert abs(line.time - web.exit.at) < 10


async def test_a_last_line_without_a_break_is_a_line():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["printf", "one\ntwo"])
            await web.wait("stopped")
            assert await texts(web) == ["one", "two"]


async def test_a_line_that_is_begun_by_one_run_is_not_ended_by_the_next():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["printf", "half"])
            await web.wait("stopped")
            await web.start()
            await web.wait("stopped")
            assert await texts(web) == ["half", "half"]


async def test_a_line_in_pieces_is_one_line():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh("printf a; sleep 0.05; printf b; sleep 0.05; echo c"))
            assert await texts(web) == ["abc"]


async def test_lines_of_both_streams_are_kept_apart():
    command = sh("printf a; sleep 0.05; printf x >&2; sleep 0.05; echo b; sleep 0.05; echo y >&2")
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", command)
            assert await texts(web) == ["ab", "xy"]


async def test_bytes_that_are_no_utf8_are_replaced():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["printf", r"\377a\303\nü\n"])
            assert await texts(web) == ["\ufffda\ufffd", "ü"]


async def test_a_character_in_two_reads():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh(r"printf '\303'; sleep 0.1; printf '\274\n'"))
            assert await texts(web) == ["ü"]


async def test_a_huge_line():
    size = 3_000_000
    async with Agent() as agent:
        with deadline():
            command = sh(f"head -c {size} /dev/zero | tr '\\0' x; echo; echo end")
            web, _ = await finished(agent, "web", command, logs=LogSpec(ring=8 << 20))
            found = await texts(web)
            assert (sum(map(len, found)), set("".join(found[:-1])), found[-1]) == (size + 3, {"x"}, "end")


@pytest.mark.parametrize("tail", [0, 1, 3, 100])
async def test_tail(tail):
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["seq", "1", "50"])
            assert await texts(web, tail=tail) == [str(n) for n in range(max(1, 51 - tail), 51)]


async def test_a_cursor_goes_on_behind_what_was_read():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh("echo one; sleep 0.1; echo two; sleep 0.1; echo three"))
            async with web.logs() as lines:
                first = await anext(lines)
            assert (first.text, await texts(web, since=first.cursor)) == ("one", ["two", "three"])


async def test_a_cursor_of_another_run_of_the_agent_shows_a_gap_of_unknown_size():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["echo", "one"])
            async with web.logs(since=f"0123456789ab.{web.uuid}.0") as lines:
                assert [(line.stream, line.lost, line.text) async for line in lines] == [
                    ("gap", -1, "output was lost here"),
                    ("stdout", 0, "one"),
                ]


async def test_following_goes_over_restarts():
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", sh('echo "run $PROCCTL_FENCE"; exec sleep 1000'), ready=ready.log("run"))
            async with web.logs(follow=True) as lines:
                assert (await anext(lines)).text == "run 1"
                await web.restart(until="ready")
                assert (await anext(lines)).text == "run 2"
            await web.kill()


async def test_a_follower_of_a_pattern_sees_newcomers():
    async with Agent() as agent:
        with deadline():
            await agent.start("w1", sh("echo one; exec sleep 1000"), ready=ready.log("one"))
            async with agent.logs("w*", follow=True) as lines:
                assert (await anext(lines)).text == "one"
                await agent.start("w2", sh("echo two; exec sleep 1000"), ready=ready.log("two"))
                assert (await anext(lines)).text == "two"


async def test_several_are_merged_in_the_order_of_time():
    async with Agent() as agent:
        with deadline():
            await agent.start("a", sh("echo 1; sleep 0.2; echo 3"))
            await anyio.sleep(0.1)
            await agent.start("b", sh("echo 2; sleep 0.2; echo 4"))
            await agent.wait(until="stopped")
            async with agent.logs() as lines:
                assert [line.text async for line in lines] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("ring", [4096, 65536])
async def test_what_a_slow_reader_has_got_and_lost_is_all_there_was(ring):
    count = 60_000
    size = sum(len(str(n)) + 1 for n in range(1, count + 1))
    async with Agent() as agent:
        with deadline():
            command = sh(f"echo 0; sleep 0.2; seq 1 {count}; exec sleep 1000")
            web = await agent.start("web", command, logs=LogSpec(ring=ring), ready=ready.log(f"^{count}$"))
            async with web.logs(since=f"{agent._engine.inner.epoch}.{web.uuid}.0") as lines:
                found = [line async for line in lines]
            got = sum(len(line.text) + 1 for line in found if not line.lost)
            lost = sum(line.lost for line in found)
            assert (got + lost, lost > 0, found[-1].text) == (size + 2, True, str(count))
            await web.kill()


async def test_a_reader_that_falls_behind_sees_where(tmp_path):
    count = 100_000
    size = sum(len(str(n)) + 1 for n in range(1, count + 1))
    async with Agent() as agent:
        with deadline():
            command = sh(f"echo 0; read go < go; seq 1 {count}; echo end; exec sleep 1000")
            os.mkfifo(tmp_path / "go")
            spec = {"cwd": str(tmp_path), "logs": LogSpec(ring=4096), "ready": ready.log("end")}
            web = await agent.start("web", command, until="running", **spec)
            async with web.logs(follow=True) as lines:
                assert (await anext(lines)).text == "0"
                await anyio.to_thread.run_sync((tmp_path / "go").write_text, "go\n")
                await web.wait("ready")
                found = []
                async for line in lines:
                    found.append(line)
                    if line.text == "end":
                        break
            got = sum(len(line.text) + 1 for line in found if not line.lost)
            lost = sum(line.lost for line in found)
            assert (got + lost, lost > 0) == (size + 4, True)
            await web.kill()


async def test_output_never_blocks_the_child():
    async with Agent() as agent:
        with deadline():
            command = sh("echo; sleep 0.1; head -c 20000000 /dev/zero; echo")
            web = await agent.start("web", command, logs=LogSpec(ring=4096))
            async with web.logs(follow=True, since=f"{agent._engine.inner.epoch}.{web.uuid}.0") as lines:
                await anext(lines)  # and takes no more
                assert (await web.wait("stopped")).code == 0


async def test_a_stream_begins_when_its_block_is_entered():
    async with Agent() as agent:
        with deadline(3):
            web, _ = await finished(agent, "web", sh('echo "run $PROCCTL_FENCE"'))
            await web.wait("stopped")
            async with web.logs(follow=True, tail=0) as lines:
                await web.start()
                await web.wait("stopped")
                assert (await anext(lines)).text == "run 2"


async def test_a_file_gets_all_of_it(tmp_path):
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="logs/web.log", ring=4096)
            web, _ = await finished(agent, "web", ["seq", "1", "20000"], cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
            await web.start()
            await web.wait("stopped")
            once = "".join(f"{n}\n" for n in range(1, 20001))
            assert (tmp_path / "logs/web.log").read_text() == once * 2


async def test_a_file_that_cannot_be_written_ends_nothing(tmp_path, caplog):
    (tmp_path / "logs").write_text("in the way")
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="logs/web.log")
            web, record = await finished(agent, "web", ["echo", "one"], cwd=str(tmp_path), logs=logs)
            assert (record.code, await texts(web)) == (0, ["one"])
            assert [r.levelname for r in caplog.records] == ["ERROR"]


LATE = "(trap 'echo late; exit' TERM; echo up; while :; do sleep 0.01; done) & sleep 0.1; exit 0"


async def test_what_a_descendant_writes_after_the_end_is_kept():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh(LATE))
            await web.wait("stopped")
            assert "late" in await texts(web, stream="stdout")


async def test_no_output_of_a_process_that_has_never_run():
    async with Agent() as agent:
        with deadline():
            (web,) = await agent.add(ProcessSpec(name="web", command=tuple(SLEEP)), start=False)
            assert await texts(web) == []


async def test_two_readers_each_get_everything():
    async with Agent() as agent:
        with deadline():
            await agent.start("web", sh("seq 1 1000; exec sleep 1000"))
            found = {}

            async def read(i):
                found[i] = [line.text for line in await collected(agent, 1000, name="web")]

            async with anyio.create_task_group() as group:
                group.start_soon(read, 0)
                group.start_soon(read, 1)
            assert found[0] == found[1] == [str(n) for n in range(1, 1001)]
