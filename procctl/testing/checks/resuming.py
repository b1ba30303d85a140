"""A line over connections that are cut, and to a peer that is killed and started again."""

from __future__ import annotations

import anyio
from attrs import define, field

from ...abc import Call, Connection
from ...core.messages import Batch, Hello, LogChunk, Logs, Restart
from ...core.rights import LOCAL
from ...link.line import Line
from ..grouping import tasks
from ..peers import Far, ProcessPeer
from ..promises import BrokenPromise, Promise
from ..serving import Bounded, refuse
from ..stage import Stage
from .losing import served

__all__ = ["check_resume"]

_COMMANDS = 30
_CUTS = 3


@define
class _Reader:
    """What a stream has given. Attributes: wrong: The first number that was not due, and the one that was."""

    last: int = 0
    wrong: tuple[int, int] | None = None
    seen: anyio.Event = field(factory=anyio.Event)

    async def read(self, line: Line) -> None:
        """For ever."""
        async with line.stream(Logs(name="numbers"), LOCAL) as items:
            async for item in items:
                number = int(item.text) if isinstance(item, LogChunk) else -1
                if number != self.last + 1 and self.wrong is None:
                    self.wrong = (number, self.last + 1)
                self.last = number
                self.seen.set()
                self.seen = anyio.Event()

    async def more(self, count: int) -> None:
        """Wait for so many further ones."""
        until = self.last + count
        while self.last < until and self.wrong is None:
            await self.seen.wait()


async def check_resume(stage: Stage, far: Far) -> None:
    """Links are cut under commands and a stream; then the peer itself dies, where it can."""
    async with tasks() as group:
        await served(stage, far)
        line = _line(stage)
        with stage.expect(Promise.REACHED, "a line to the peer", 3 * stage.patience):
            await group.start(line.run)
        reader = _Reader()
        group.start_soon(reader.read, line)
        await _commands(stage, far, line, reader)
        await far.do("leave")
        async with stage.peer() as again:
            await served(stage, again)
            await _goes_on(stage, line, reader, "the peer has left and come again")
            if isinstance(again, ProcessPeer):
                await again.kill()
                async with stage.process() as last:
                    await served(stage, last)
                    await _goes_on(stage, line, reader, "the peer was killed and started again")


def _line(stage: Stage) -> Line:
    async def dial() -> Connection:
        return Bounded(await stage.connect("line"), stage.patience)

    return Line(
        dial,
        lambda: Hello(name="line", heartbeat=stage.heartbeat),
        refuse,
        patience=stage.silence + 60 * stage.patience,
    )


async def _commands(stage: Stage, far: Far, line: Line, reader: _Reader) -> None:
    """Commands one after the other, while links are cut under them: each is answered, and carried out once."""
    with stage.expect(Promise.RESUMES, "commands while links are cut", stage.silence + 12 * stage.patience):
        async with tasks() as group:
            group.start_soon(_cut, far)
            for number in range(_COMMANDS):
                reply = await line.submit(Call(request=Restart(name=str(number)), key=str(number))).wait()
                if not isinstance(reply, Batch):
                    raise BrokenPromise(Promise.RESUMES, f"command {number}, cut off, was answered by {reply!r}")
        carried = await far.do("carried")
        often = {name: count for name, count in carried.items() if count != 1}
        if often or len(carried) != _COMMANDS:
            raise BrokenPromise(
                Promise.RESUMES, f"of {_COMMANDS} commands {len(carried)} were carried out, not once: {often}"
            )
        await reader.more(10)
        _no_gap(reader, "links were cut")


async def _cut(far: Far) -> None:
    for _ in range(_CUTS):
        await anyio.sleep(0.15)
        await far.do("cut")
    await anyio.sleep_forever()


async def _goes_on(stage: Stage, line: Line, reader: _Reader, when: str) -> None:
    with stage.expect(Promise.RESUMES, f"a line after {when}", stage.silence + 6 * stage.patience):
        reply = await line.submit(Call(request=Restart(name=when), key=when)).wait()
        if not isinstance(reply, Batch):
            raise BrokenPromise(Promise.RESUMES, f"{when}, and a command is answered by {reply!r}")
        await reader.more(10)
        _no_gap(reader, when)


def _no_gap(reader: _Reader, when: str) -> None:
    if reader.wrong is not None:
        came, due = reader.wrong
        raise BrokenPromise(Promise.RESUMES, f"{when}, and a stream gave {came} where {due} was due")
