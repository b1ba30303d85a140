"""Files of output: rotated without a lost byte, compressed, read back, and in trouble without holding anybody up."""

import gzip
import json
import os
import re
import time

import anyio
import pytest
from helpers import deadline, finished, sh, texts, until

from procctl import Agent, LogSpec, ready

pytestmark = pytest.mark.anyio


def whole(folder, name="web.log"):
    """All bytes of a file and what was rotated from it, in order."""
    pattern = re.compile(re.escape(name) + r"\.\d{8}T\d{6}Z\.(\d+)-(\d+)(\.gz)?")
    found = sorted((int(m[1]), int(m[2]), p) for p in folder.iterdir() if (m := pattern.fullmatch(p.name)))
    out = b""
    for first, end, path in found:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert (first, end - first) == (len(out), len(data))
        out += data
    return out + (folder / name).read_bytes()


def numbers(count):
    return [str(n) for n in range(1, count + 1)]


@pytest.mark.parametrize("compress", [False, True])
async def test_rotation_loses_no_byte(tmp_path, compress):
    logs = LogSpec(file="web.log", max_size=20_000, keep=100, compress=compress, ring=4096)
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["seq", "1", "50000"], cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
            await until(lambda: not compress or all(p.suffix == ".gz" for p in tmp_path.glob("web.log.2*")))
    text = whole(tmp_path).decode()
    assert text.splitlines() == numbers(50_000)
    files = [p for p in tmp_path.iterdir() if not p.name.endswith("index")]
    assert len(files) > 10
    assert compress == any(p.suffix == ".gz" for p in files)
    assert all(p.stat().st_size <= 20_000 for p in files)


async def test_rotated_files_end_with_whole_lines(tmp_path):
    logs = LogSpec(file="web.log", max_size=5000, keep=1000)
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["seq", "1", "20000"], cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
    assert all(path.read_bytes().endswith(b"\n") for path in tmp_path.glob("web.log.2*"))


async def test_only_so_many_are_kept(tmp_path):
    logs = LogSpec(file="web.log", max_size=5000, keep=3)
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["seq", "1", "20000"], cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
            await until(lambda: len(list(tmp_path.glob("web.log.2*"))) == 3)
            kept = sorted(tmp_path.glob("web.log.2*"), key=lambda path: int(path.name.rpartition("-")[2]))
            last = b"".join(path.read_bytes() for path in [*kept, tmp_path / "web.log"]).decode().splitlines()
            assert last == numbers(20_000)[-len(last) :]


async def test_an_old_file_is_rotated(tmp_path):
    logs = LogSpec(file="web.log", max_age=1.0)
    async with Agent() as agent:
        with deadline():
            command = sh("echo one; sleep 1.1; echo two")
            await finished(agent, "web", command, cwd=str(tmp_path), logs=logs)
            (old,) = tmp_path.glob("web.log.2*")
            assert (old.read_text(), (tmp_path / "web.log").read_text()) == ("one\n", "two\n")


async def test_a_file_for_each_stream(tmp_path):
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="out.log", stderr="err.log", ring=4096)
            command = sh("seq 1 3000; seq 5000 8000 >&2")
            web, _ = await finished(agent, "web", command, cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
            assert (tmp_path / "out.log").read_text().splitlines() == numbers(3000)
            assert (tmp_path / "err.log").read_text().splitlines() == [str(n) for n in range(5000, 8001)]
            assert await texts(web, after=1.0, stream="stdout") == numbers(3000)
            assert await texts(web, after=1.0, stream="stderr") == [str(n) for n in range(5000, 8001)]


async def test_each_instance_has_its_own_file(tmp_path):
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="web.log")
            command = sh('echo "$PROCCTL_INSTANCE"')
            await agent.start("web", command, cwd=str(tmp_path), logs=logs, instances=2)
            await agent.wait("web", until="stopped")
            assert [(tmp_path / f"web.{i}.log").read_text() for i in (1, 2)] == ["1\n", "2\n"]


async def test_text_has_time_and_stream(tmp_path):
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="web.log", format="text")
            command = sh("printf 'one\nhal'; sleep 0.1; echo err >&2; sleep 0.1; printf 'f\nend'")
            web, _ = await finished(agent, "web", command, cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    lines = (tmp_path / "web.log").read_text().splitlines()
    found = [re.fullmatch(rf"{stamp} (\w+) (.*)", line).groups() for line in lines]
    assert found == [("stdout", "one"), ("stderr", "err"), ("stdout", "half"), ("stdout", "end")]


async def test_json_is_an_object_a_line(tmp_path):
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="web.log", format="json", max_size=4096)
            web, _ = await finished(agent, "web", sh("echo 'grün \"x\"'; seq 1 200"), cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
    (first,) = tmp_path.glob("web.log.*.0-*")
    line = json.loads(first.read_text().splitlines()[0])
    assert abs(time.time() - time.mktime(time.strptime(line.pop("time")[:19], "%Y-%m-%dT%H:%M:%S"))) < 86_400
    assert line == {"stream": "stdout", "name": "web", "text": 'grün "x"'}
    assert [json.loads(line)["text"] for line in whole(tmp_path).decode().splitlines()[1:]] == numbers(200)


# reading back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True])
async def test_a_cursor_reaches_back_into_files(tmp_path, compress):
    logs = LogSpec(file="web.log", max_size=30_000, keep=100, compress=compress, ring=4096)
    command = sh("echo first; read go < go; seq 1 30000")
    os.mkfifo(tmp_path / "go")
    async with Agent() as agent:
        with deadline():
            web = await agent.start("web", command, cwd=str(tmp_path), logs=logs, until="running")
            async with web.logs(follow=True) as lines:
                first = await anext(lines)
            await anyio.to_thread.run_sync((tmp_path / "go").write_text, "go\n")
            await web.wait("stopped")
            if compress:
                await until(lambda: all(path.suffix == ".gz" for path in tmp_path.glob("web.log.2*")))
            assert await texts(web, since=first.cursor) == numbers(30_000)
            assert len(await texts(web)) < 30_000


async def test_what_was_deleted_is_a_gap(tmp_path):
    logs = LogSpec(file="web.log", max_size=5000, keep=2, ring=4096)
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["seq", "1", "60000"], cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
            await until(lambda: len(list(tmp_path.glob("web.log.2*"))) == 2)
            epoch = (await _lines(web))[0].cursor.partition(".")[0]
            lines = await _lines(web, since=f"{epoch}.{web.uuid}.0")
            assert lines[0].lost > 100_000
            got = sum(len(line.text) + 1 for line in lines[1:])
            assert (lines[0].lost + got, lines[-1].text) == (len("\n".join(numbers(60_000))) + 1, "60000")


async def test_another_agent_reads_what_is_in_the_file_by_time(tmp_path):
    logs = LogSpec(file="web.log", ring=4096)
    for text in ("one", "two"):
        async with Agent() as agent:
            with deadline():
                web, _ = await finished(agent, "web", ["echo", text], cwd=str(tmp_path), logs=logs)
                await web.wait("stopped")
                before = await texts(web, after=time.time() - 100)
    assert before == ["one", "two"]


async def test_a_time_leaves_out_what_came_before(tmp_path):
    logs = LogSpec(file="web.log", ring=4096)
    async with Agent() as agent:
        with deadline():
            command = sh("seq 1 5000; sleep 0.3; seq 5001 10000; sleep 0.3; seq 10001 10005")
            web, record = await finished(agent, "web", command, cwd=str(tmp_path), logs=logs)
            await web.wait("stopped")
            assert await texts(web, after=record.at - 0.45) == [str(n) for n in range(5001, 10_006)]
            assert await texts(web, after=record.at - 0.15) == [str(n) for n in range(10_001, 10_006)]
            assert await texts(web, after=record.at + 100) == []


async def test_several_processes_are_read_back_in_the_order_of_time(tmp_path):
    async with Agent() as agent:
        with deadline():
            for name in ("a", "b"):
                command = sh(f"for i in 1 2 3 4; do seq 1 1000 | sed s/.*/${{i}}{name}/; sleep 0.2; done")
                logs = LogSpec(file=f"{name}.log", ring=4096)
                await agent.start(name, command, cwd=str(tmp_path), logs=logs)
                await anyio.sleep(0.1)
            await agent.wait(until="stopped")
            async with agent.logs(after=time.time() - 100) as lines:
                found = [line async for line in lines]
    assert len(found) == 8000
    assert [line.time for line in found] == sorted(line.time for line in found)
    assert list(dict.fromkeys(line.text[:2] for line in found)) == ["1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b"]


async def _lines(process, **options):
    async with process.logs(**options) as lines:
        return [line async for line in lines]


# filters --------------------------------------------------------------------------------------------------------


async def test_lines_are_chosen_at_the_source(tmp_path):
    async with Agent() as agent:
        with deadline():
            command = sh("seq 1 2000; printf 'no break 77'")
            web, _ = await finished(agent, "web", command)
            await web.wait("stopped")
            assert await texts(web, grep=r"^1\d*77$|break") == [
                "177",
                "1077",
                "1177",
                "1277",
                *(f"1{n}77" for n in range(3, 10)),
                "no break 77",
            ]


async def test_a_pattern_that_would_take_for_ever_takes_no_time():
    async with Agent() as agent:
        with deadline():
            command = sh("head -c 50000 /dev/zero | tr '\\0' a; echo b; echo ab")
            web, _ = await finished(agent, "web", command)
            await web.wait("stopped")
            assert await texts(web, grep="^(a+)+$") == []
            assert await texts(web, grep="^(a+)+b$") == ["a" * 50_000 + "b", "ab"]


async def test_a_pattern_that_is_none_is_refused():
    from procctl import Refused

    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", ["true"])
            for pattern in ("(", r"(a)\1", "(?<=a)b", "a{1000}{1000}"):
                with pytest.raises(Refused, match=r"at \$\.grep"):
                    await texts(web, grep=pattern)


async def test_a_cursor_of_any_line_goes_on_behind_it():
    async with Agent() as agent:
        with deadline():
            web, _ = await finished(agent, "web", sh("printf 'ä\nöö\nü\n'"))
            await web.wait("stopped")
            lines = await _lines(web)
            rest = [await texts(web, since=line.cursor) for line in lines]
            assert rest == [["öö", "ü"], ["ü"], []]


# trouble --------------------------------------------------------------------------------------------------------


async def test_reopening_after_somebody_has_moved_the_file_away(tmp_path):
    command = sh("echo one; read go < go; echo two; exec sleep 1000")
    os.mkfifo(tmp_path / "go")
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="web.log", ring=4096)
            web = await agent.start("web", command, cwd=str(tmp_path), logs=logs, ready=ready.log("one"))
            (tmp_path / "web.log").rename(tmp_path / "mine")
            (item,) = await agent.reopen("web")
            await anyio.to_thread.run_sync((tmp_path / "go").write_text, "go\n")
            await until(lambda: (tmp_path / "web.log").read_text() == "two\n")
            assert (item.name, (tmp_path / "mine").read_text()) == ("web", "one\n")
            await web.kill()


async def _troubled(tmp_path, path="web.log"):
    """What an agent says of a process whose file is no good, and of its run."""
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file=path)
            web, record = await finished(agent, "web", ["seq", "1", "5000"], cwd=str(tmp_path), logs=logs)
            assert (record.code, await texts(web)) == (0, numbers(5000))
            return (await web.refresh()).trouble


async def test_a_fifo_that_nobody_reads_blocks_nothing(tmp_path):
    os.mkfifo(tmp_path / "web.log")
    assert "no regular file" in await _troubled(tmp_path)


async def test_a_fifo_whose_reader_does_not_read_blocks_nothing(tmp_path):
    os.mkfifo(tmp_path / "web.log")
    reader = os.open(tmp_path / "web.log", os.O_RDONLY | os.O_NONBLOCK)
    assert "no regular file" in await _troubled(tmp_path)
    os.close(reader)


async def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "web.log").mkdir()
    assert "Is a directory" in await _troubled(tmp_path)


async def test_a_file_that_becomes_a_folder(tmp_path):
    command = sh("echo one; read go < go; seq 1 5000; echo end; exec sleep 1000")
    os.mkfifo(tmp_path / "go")
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="web.log", max_size=4096)
            declared = {"cwd": str(tmp_path), "logs": logs, "ready": ready.log("end")}
            web = await agent.start("web", command, until="running", **declared)
            await until(lambda: (tmp_path / "web.log").read_text() == "one\n")
            (tmp_path / "web.log").rename(tmp_path / "moved")
            (tmp_path / "web.log").mkdir()
            await anyio.to_thread.run_sync((tmp_path / "go").write_text, "go\n")
            await web.wait("ready")
            moved = (tmp_path / "moved").read_text().splitlines()
            assert moved == ["one", *numbers(5000), "end"]  # it cannot be rotated, and goes on
            await web.kill()


async def test_two_processes_do_not_share_a_file(tmp_path):
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file="web.log")
            a, _ = await finished(agent, "a", ["echo", "one"], cwd=str(tmp_path), logs=logs)
            b, _ = await finished(agent, "b", ["echo", "two"], cwd=str(tmp_path), logs=logs)
            assert "another process" in (await b.refresh()).trouble
            assert (await a.refresh()).trouble == ""
            assert ((tmp_path / "web.log").read_text(), await texts(b)) == ("one\n", ["two"])


@pytest.mark.parametrize("form", ["raw", "json"])
async def test_a_full_disk_holds_nobody_up_and_the_gap_is_exact(small_disk, tmp_path, form, caplog):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(150_000))
    command = sh("seq 1 60000; echo end; read go < go; sleep 1.1; echo after; echo done; exec sleep 1000")
    os.mkfifo(tmp_path / "go")
    async with Agent() as agent:
        with deadline():
            logs = LogSpec(file=str(small_disk / "web.log"), format=form, ring=1 << 20)
            web = await agent.start("web", command, cwd=str(tmp_path), logs=logs, ready=ready.log("end"))
            assert "No space left" in (await web.refresh()).trouble
            ballast.unlink()
            await anyio.to_thread.run_sync((tmp_path / "go").write_text, "go\n")
            async with web.logs(follow=True) as lines:
                async for line in lines:
                    if line.text == "done":
                        break
            assert (await web.refresh()).trouble == ""
            await web.kill()
            written = (small_disk / "web.log").read_text()
    size = sum(len(n) + 1 for n in [*numbers(60_000), "end"])
    if form == "raw":
        mark = r"(.*?)\n?--- (\d+) bytes of output could not be written here ---\n(.*)"
        head, gap, tail = re.fullmatch(mark, written, re.DOTALL).groups()
        assert (len(head) + int(gap) - size in (0, -1), tail) == (True, "after\ndone\n")
    else:
        lost = [json.loads(line)["lost"] for line in written.splitlines() if '"lost"' in line]
        assert len(lost) == 1
        assert json.loads(written.splitlines()[-1])["text"] == "done"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
