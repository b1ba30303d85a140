"""Output that children write straight to files: it outlives agents, and no cursor loses or doubles a line."""

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path

import pytest

from procctl import LogSpec
from procctl.agent.output.chores import Chores
from procctl.agent.output.means import Means
from procctl.agent.output.output import Output
from procctl.agent.output.tails import Tails
from procctl.aio.poller import TaskPoller

HERE = Path(__file__).parent
LINES = 100_000
KILLS = 5
WRITER = """
import os, sys, time
count = int(sys.argv[1])
for start in range(1, count + 1, 100):
    lines = range(start, min(start + 100, count + 1))
    os.write(1, "".join(f"{n}\\n" for n in lines).encode())
    time.sleep(0.004)
"""


class Agent:
    """One run of the tailing program, and what it has told."""

    def __init__(self, folder, cursor, backend, size, without, number):
        arguments = [str(folder), cursor, backend, str(size), without, f"{number:012x}"]
        self.process = subprocess.Popen([sys.executable, HERE / "tailing.py", *arguments], stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.buffer = b""

    def pieces(self, seconds):
        """Whole lines that it prints in that time: cursor and text."""
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0:
            if self.selector.select(left):
                data = self.process.stdout.read()
                if data == b"":
                    raise AssertionError(f"the tailing program ended with {self.process.wait()}")
                *whole, self.buffer = (self.buffer + (data or b"")).split(b"\n")
                for line in whole:
                    yield json.loads(line)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.selector.close()


def begin_writing(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    ends = [os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for name in ("stdout", "stderr")]
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(count)], stdout=ends[0], stderr=ends[1])
    for fd in ends:
        os.close(fd)
    return writer


@pytest.mark.parametrize(
    ("backend", "size", "without"),
    [("trio", 65_536, ""), ("asyncio", 65_536, "punch,inotify")],
    ids=["rotating", "without"],
)
def test_agents_are_killed_and_no_line_is_lost_or_doubled(tmp_path, backend, size, without):
    folder = tmp_path / "web"
    agent = Agent(folder, "", backend, size, without, 0)
    cursor, _ = next(agent.pieces(20))  # it is there
    writer = begin_writing(folder, LINES)
    found, lines, cursors = [], 0, {cursor}
    for run in range(1, KILLS + 2):
        for cursor, piece in agent.pieces(30):
            assert piece is not None, "a gap"
            found.append(piece)
            cursors.add(cursor)
            lines += piece.count("\n")
            if lines >= min(LINES, run * LINES // (KILLS + 1)):
                break
        agent.kill()
        agent = Agent(folder, cursor, backend, size, without, run) if run <= KILLS else agent
    text = "".join(found)
    assert writer.wait() == 0
    assert text.splitlines() == [str(n) for n in range(1, LINES + 1)]
    assert {cursor.partition(".")[0] for cursor in cursors} == {"0" * 12}  # every agent has the first one's epoch
    if size and "punch" not in without:
        assert list(folder.glob("stdout.*"))  # how many were finished depends on when the agents were killed
        assert os.stat(folder / "stdout").st_blocks * 512 < os.stat(folder / "stdout").st_size


def numbers_of(folder, since="", wait=1):
    """The pieces that an agent of its own has: it is started for it and killed."""
    agent = Agent(folder, since, "asyncio", 0, "", 1)
    found = []
    for cursor, piece in agent.pieces(20):
        found.append((cursor, piece))
        if "".join(text for _, text in found).count("\n") >= wait:
            break
    agent.kill()
    return found


def test_a_later_agent_has_the_last_lines_in_memory(tmp_path):
    folder = tmp_path / "web"
    assert begin_writing(folder, 500).wait() == 0
    expected = "".join(f"{n}\n" for n in range(1, 501))
    first = numbers_of(folder, wait=500)
    again = numbers_of(folder, wait=500)
    assert "".join(text for _, text in first) == "".join(text for _, text in again) == expected
    assert first[-1][0] == again[-1][0]


def test_two_agents_do_not_tail_one_folder(tmp_path):
    means = Means(epoch="0" * 12, chores=Chores(), tails=Tails(TaskPoller(), False), punch=True)
    output = Output("web", LogSpec(), None, means, straight=tmp_path / "web")
    with pytest.raises(OSError, match="another process"):
        Output("web", LogSpec(), None, means, straight=tmp_path / "web")
    output.close()
    Output("web", LogSpec(), None, means, straight=tmp_path / "web").close()


def test_what_nobody_watched_is_marked_and_what_was_watched_is_not(tmp_path):
    means = Means(epoch="0" * 12, chores=Chores(), tails=Tails(TaskPoller(), False), punch=True)
    folder = tmp_path / "web"
    output = Output("web", LogSpec(), None, means, straight=folder)
    ends = output.ends()
    os.write(ends[0], b"watched\n")
    output.drain()
    output.close()
    os.write(ends[1], b"alone\n")
    os.utime(folder / "stderr", (1000, 1000))
    output = Output("web", LogSpec(), None, means, straight=folder)
    output.drain()
    os.write(ends[0], b"again\n")
    output.drain()
    chunks, _, lost = output.ring.take(0, 1000)
    assert [(c.stream, c.data, c.approximate) for c in chunks] == [
        (0, b"watched\n", False),
        (1, b"alone\n", True),
        (0, b"again\n", False),
    ]
    assert (lost, chunks[1].time, output.ring.end) == (0, 1000, 20)
    output.close()
    for fd in ends:
        os.close(fd)
