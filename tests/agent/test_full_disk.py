"""The disk with the state folder is full: nothing that runs is harmed, who asks is told, and nothing is lost after."""

import contextlib
import json

import pytest
from helpers import SLEEP, alive, deadline, sh, until

from procctl import Agent, ready
from procctl.agent.journal import Journal
from procctl.core.process import Process
from procctl.core.specs import ProcessSpec
from procctl.errors import Refused
from procctl.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


def fill(disk):
    """Not a byte is left."""
    with open(disk / "ballast", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))


async def test_what_happens_meanwhile_is_put_down_when_there_is_room(small_disk, caplog):
    options = {"on_exit": "keep", "state_dir": small_disk / "state"}
    async with Agent("here", **options) as agent:
        with deadline():
            web = await agent.start("web", sh("echo up; exec sleep 1000"), ready=ready.log("up"))
            shot = await agent.start("shot", SLEEP)
            await agent.start("gone", ["true"], until="exit")
            fill(small_disk)
            with pytest.raises(Refused, match=r"cannot be recorded in the state folder: .*disk is full"):
                await agent.start("late", SLEEP)
            late = await agent.process("late")
            assert "cannot go to files of its own (No space left on device)" in late.item.trouble
            await shot.kill()
            await agent.delete("gone")
            assert ((await web.refresh()).state, alive(web.pid)) == ("running", True)
            (small_disk / "ballast").unlink()
            service = agent._engine.inner
            await until(lambda: not service._unrecorded and not service._unforgotten)
            await late.start()
            assert (late.item.trouble, service.hands.outputs[late.uuid].is_straight) == ("", True)
            pids = web.pid, late.pid
    said = [record.message for record in caplog.records if record.name == "procctl.agent.journal"]
    assert [text.partition(":")[0] for text in said] == [
        "nothing can be recorded",
        "the state folder can be written to again",
    ]
    async with Agent("here", **options) as agent:
        with deadline():
            found = {p.name: p for p in await agent.processes()}
            assert set(found) == {"web", "shot", "late"}
            assert (found["web"].pid, found["late"].pid) == pids
            assert (found["shot"].state.word, found["shot"].exit.signal) == ("stopped", "SIGKILL")
            await agent.stop_all()


class Full(MemoryStore):
    """It can be full."""

    full = False

    def put(self, key, value):
        if self.full:
            raise OSError("database or disk is full")
        super().put(key, value)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_tokens_and_declared_names_come_later_too(anyio_backend):
    store = Full()
    journal = Journal(store, "mark")
    spec = ProcessSpec(name="web", command=("true",))
    store.full = True
    assert "disk is full" in journal.save(Process(uuid="u", name="web", spec=spec, token=7), None)
    journal.declare(frozenset({"web"}))
    assert store.items() == []
    store.full = False
    assert journal.save(Process(uuid="v", name="other", spec=spec, token=3), None) == ""
    found = dict(store.items())
    assert (found["token"], json.loads(found["declared"])) == ("7", ["web"])
    assert [key for key in found if key.startswith("process/")] == ["process/v"]
