"""What a controller grants is durable before anybody hears of it, and comes back with the next one."""

import json
import os
import shutil
import sqlite3
import threading
import time

import pytest
from helpers import SLEEP, becomes, deadline, until

from procctl import Agent, Controller, Denied, NoSuchTarget
from procctl.abc import LOCAL
from procctl.controller.journal import JOURNAL, Journal
from procctl.core.gate import Note, Strike
from procctl.core.leases import Lease
from procctl.core.messages import Permit
from procctl.errors import BadConfig
from procctl.stores.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


def lease(token, **more):
    return Lease(token=token, slot="web", hostname="a", uuid=f"u{token}", mode="one", ttl=30.0, **more)


def written(journal, *batch):
    """Put down at once, without a loop."""
    from procctl.controller.journal import _changes

    journal._store.write(_changes(batch))


@pytest.fixture
def folder(place):
    return place / "state"


# the file -----------------------------------------------------------------------------------------------------------


async def test_it_says_what_is_out_and_begins_another_life(folder):
    journal = Journal.of(folder)
    first = journal.begin(100.0)
    assert ((), 0, 100_000, 100_000) == (first.leases, first.token, first.epoch, first.born)
    written(journal, Note(lease(1), given=True), Note(lease(2), given=True), Strike(2), Note(lease(1, revoked="ann")))
    journal.close()
    journal = Journal.of(folder)
    second = journal.begin(1.0)  # the clock was set back
    assert ((lease(1, revoked="ann"),), 2, 100_001, 100_000) == (second.leases, second.token, second.epoch, second.born)
    journal.close()
    assert [oct(path.stat().st_mode)[-3:] for path in (folder, folder / JOURNAL)] == ["700", "600"]


async def test_a_batch_is_put_down_whole_or_not_at_all(folder):
    journal = Journal.of(folder)
    journal.begin(1.0)
    with pytest.raises(OSError, match=r"bind|type"):
        journal._store.write([("lease/1", "{}"), ("lease/2", object())])
    assert "lease/1" not in dict(journal._store.items())
    journal.close()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.write_bytes(b"SQLite format 3\0" + os.urandom(8192)), r"cannot be used.*begin anew"),
        (lambda path: path.write_bytes(path.read_bytes()[:4096] + os.urandom(4096)), r"cannot be used.*begin anew"),
        (lambda path: _sql(path, "PRAGMA user_version=9"), "newer procctl"),
        (
            lambda path: _sql(path, "DELETE FROM documents WHERE key='lease/1'"),
            "not what was written to it.*begin anew",
        ),
        (lambda path: _put(path, "lease/1", "{"), "lease/1 .*cannot be read.*move"),
        (lambda path: _put(path, "epoch", "x"), "cannot be read.*move"),
    ],
)
async def test_one_that_is_torn_or_foreign_is_refused_with_a_way_out(folder, spoil, why):
    journal = Journal.of(folder)
    journal.begin(1.0)
    written(journal, Note(lease(1), given=True))
    journal.close()
    spoil(folder / JOURNAL)
    with pytest.raises(BadConfig, match=why):
        async with Controller(state_dir=folder):
            pass


def _put(path, key, text):
    store = SqliteStore()
    store.open(f"sqlite://{path}")
    store.put(key, text)
    store.close()


def _sql(path, text):
    with sqlite3.connect(path) as base:
        base.execute(text)
    base.close()


async def test_a_log_that_has_lost_grants_is_refused_with_a_way_out(folder, place):
    journal = Journal.of(folder)
    journal.begin(1.0)
    for token in range(1, 6):
        written(journal, Note(lease(token), given=True))
    lost = place / "lost"
    shutil.copytree(folder, lost)  # as SIGKILL would have left it
    journal.close()
    log = lost / f"{JOURNAL}-wal"
    os.truncate(log, log.stat().st_size // 2)
    with pytest.raises(
        BadConfig, match=r"the last \d writes to it are lost.*agents have joined.*mkdir .* && mv .*leases.sqlite\* "
    ):
        async with Controller(state_dir=lost):
            pass


async def test_two_controllers_never_share_one(folder):
    async with Controller(state_dir=folder):
        with pytest.raises(BadConfig, match=rf"{folder} is in use by the controller with pid {os.getpid()}.*stop that"):
            async with Controller(state_dir=folder):
                pass
    async with Controller(state_dir=folder), Agent("a", state_dir=folder):  # each has files of its own
        pass


async def test_a_controller_whose_journal_was_taken_away_grants_nothing(folder, caplog):
    async with Controller(state_dir=folder) as controller, Agent("a", join=controller) as agent:
        with deadline():
            await agent.start("web", SLEEP, mode="one")
            (folder / JOURNAL).rename(folder / "elsewhere")
            for name in ("other", "another"):
                with pytest.raises(Denied, match=rf"cannot put it down: .*{JOURNAL} was moved away or replaced"):
                    await agent.start(name, SLEEP, mode="one")
            (folder / "elsewhere").rename(folder / JOURNAL)
            assert (await agent.start("other"))[0].state == "running"
    assert ["nothing can be put down", "what is granted can be"] == [
        record.message[:23] if record.levelname == "ERROR" else record.message[:22]
        for record in caplog.records
        if record.name == "procctl.controller"
    ]


# the order ----------------------------------------------------------------------------------------------------------


async def test_nothing_starts_before_it_is_durable_and_the_rest_shares_the_next_commit(folder, monkeypatch):
    gate, batches = threading.Event(), []
    commit = Journal._commit

    def slow(self, changes):
        batches.append(sum(key.startswith("lease/") and text is not None for key, text in changes))
        assert gate.wait(10)
        return commit(self, changes)

    monkeypatch.setattr(Journal, "_commit", slow)
    async with Controller(state_dir=folder) as controller, Agent("a", join=controller) as agent:
        with deadline():
            for i in range(6):
                await agent.start(f"p{i}", SLEEP, until="accepted")
            await until(lambda: batches)
            assert {"pending"} == {p.item.state for p in await agent.processes()}
            gate.set()
            await agent.wait(until="running")
            assert (batches[0], sum(batches), len(batches) < 6) == (1, 6, True)
            stored = dict(controller._journal._store.items())
            assert 6 == sum(key.startswith("lease/") for key in stored)
            assert json.loads(stored["lease/1"])["slot"] == "p0"


async def test_where_it_cannot_be_put_down_nothing_is_granted(folder, monkeypatch):
    async with Controller(state_dir=folder) as controller, Agent("a", join=controller) as agent:
        with deadline():
            web = await agent.start("web", SLEEP, mode="one")
            monkeypatch.setattr(Journal, "_commit", lambda self, changes: "disk is full")
            with pytest.raises(Denied, match="the gate cannot put it down: disk is full"):
                await agent.start("other", SLEEP, mode="one")
            assert (await web.refresh()).state == "running"
            monkeypatch.undo()
            assert (await agent.start("other"))[0].state == "running"


async def test_what_is_being_written_when_the_controller_ends_is_written(folder, monkeypatch):
    busy, batches = threading.Event(), []
    write = SqliteStore.write

    def slow(self, changes):
        batches.append(changes)
        busy.set()
        time.sleep(0.2)  # the controller's end comes in the middle of it
        write(self, changes)

    async with Controller(state_dir=folder) as controller:
        monkeypatch.setattr(SqliteStore, "write", slow)
        for i in range(2):
            permit = Permit(rid=f"r{i}", slot=f"s{i}", uuid=f"u{i}", hostname="a", mode="one")
            controller.door.submit(permit, LOCAL, "run")
            await until(busy.is_set)
    assert 2 == len(batches)
    journal = Journal.of(folder)
    assert ["s0", "s1"] == [held.slot for held in journal.begin(1.0).leases]
    journal.close()


# coming back --------------------------------------------------------------------------------------------------------


async def test_what_was_granted_is_held_after_a_restart(folder):
    async with Controller(state_dir=folder) as controller, Agent("a", join=controller) as agent:
        with deadline():
            await agent.start("web", SLEEP, mode="one")
            controller.door.gate.book.change(controller.door.gate.leases[1])
            kept = dict(controller._journal._store.items())["lease/1"]
    journal = Journal.of(folder)  # as a controller that was killed has left it
    journal._store.write([("lease/1", kept)])
    journal.close()
    async with Controller(state_dir=folder) as controller, Agent("b", join=controller) as other:
        with deadline():
            assert [(1, "a")] == [(held.token, held.hostname) for held in controller.door.gate.holders("web")]
            with pytest.raises(Denied, match=r"web runs on a since .*Z"):
                await other.start("web", SLEEP, mode="one")
            waiting = await other.start("web", standby=True, until="accepted")
            assert waiting[0].why.code in ("asking", "queued")
            with pytest.raises(NoSuchTarget):
                await controller.free("web", "elsewhere")
            await controller.free("web", "a")
            web = await other.process("web")
            await becomes(web, lambda item: item.state == "running")
            assert 2 == controller.door.gate.holders("web")[0].token


async def test_a_refusal_names_the_holder():
    async with Controller() as controller, Agent("a", join=controller) as one, Agent("b", join=controller) as other:
        with deadline():
            web = await one.start("web", SLEEP, mode="one")
            await until(lambda: controller.registry.processes("web"))
            with pytest.raises(Denied, match=rf"web runs on a \(pid {web.pid}\) since 20..-..-..T..:..:..Z"):
                await other.start("web", SLEEP, mode="one")
            link = controller._links["b"]
            reply = await link.submit(_call(Permit(rid="x", slot="web", uuid="y", hostname="b", mode="one"))).wait()
            assert (web.uuid, "a", web.pid) == (reply.holder, reply.hostname, reply.pid)
            assert reply.since > 1e9


def _call(request):
    from procctl.abc import LOCAL, Call

    return Call(request=request, caller=LOCAL)


async def test_one_that_stands_by_starts_by_itself():
    async with Controller() as controller, Agent("a", join=controller) as one, Agent("b", join=controller) as other:
        with deadline():
            web = await one.start("web", SLEEP, mode="one")
            waits = await other.start("web", SLEEP, mode="one", standby=True, until="accepted")
            await becomes(waits, lambda item: item.why.code == "queued")
            assert "waits for the slot: web runs on a" in waits.item.why.text
            await web.stop()
            await becomes(waits, lambda item: item.state == "running")
