"""A store that has lost something says so: each of its files is cut, emptied, altered and removed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from urllib.parse import quote

import pytest

from procctl.errors import BadConfig
from procctl.stores.sqlite import SqliteStore

WRITES = 5
KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from procctl.stores.sqlite import SqliteStore

    store = SqliteStore()
    store.open(sys.argv[1])
    for n in range(int(sys.argv[2])):
        store.put(f"lease/{n}", "x" * 2000)
    os.kill(os.getpid(), signal.SIGKILL)
    """
)


def opened(path, options="?durable=yes"):
    store = SqliteStore()
    store.open(f"sqlite://{quote(str(path))}{options}")
    return store


def again(path):
    """What is in it when it is opened once more."""
    store = opened(path)
    items = store.items()
    store.close()
    return items


def killed(path, options="?durable=yes", writes=WRITES):
    """A store whose program was killed after some writes."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, f"sqlite://{quote(str(path))}{options}", str(writes)], check=False
    )
    assert -signal.SIGKILL == done.returncode


def cut(share):
    def cut(path):
        os.truncate(path, int(path.stat().st_size * share))

    return cut


def flip(share):
    def flip(path):
        data = bytearray(path.read_bytes())
        data[min(int(len(data) * share), len(data) - 1)] ^= 1
        path.write_bytes(data)

    return flip


def remove(path):
    path.unlink()


@pytest.fixture
def path(place):
    (place / "state of it").mkdir()
    return place / "state of it" / "leases.sqlite"


@pytest.fixture
def wal(path):
    return path.with_name("leases.sqlite-wal")


@pytest.fixture
def seal(path):
    return path.with_name("leases.sqlite-seal")


@pytest.mark.parametrize("options", ["?durable=yes", "", "?boot=this"])
def test_what_was_put_is_there_after_a_kill(path, options):
    killed(path, options)
    for _ in range(2):
        store = opened(path, options)
        assert [f"lease/{n}" for n in range(WRITES)] == [key for key, _ in store.items()]
        store.close()


@pytest.mark.parametrize("spoil", [cut(0.75), cut(0.5), cut(0), flip(0.5), flip(0.8), remove])
@pytest.mark.parametrize("options", ["?durable=yes", "?boot=this"])
def test_a_log_that_has_lost_something_is_refused_with_a_way_out(path, wal, options, spoil):
    killed(path, options)
    spoil(wal)
    left = wal.read_bytes() if wal.exists() else b""
    for _ in range(2):  # a refusal changes nothing
        with pytest.raises(
            BadConfig, match=r"(is empty, and \d+ writes were|the last \d+ writes to it are lost)"
        ) as caught:
            opened(path, options)
        assert left == (wal.read_bytes() if wal.exists() else b"")
    subprocess.run(["sh", "-c", caught.value.hint.rpartition(": ")[2]], check=True)
    store = opened(path, options)
    assert [] == store.items()
    store.close()


@pytest.mark.parametrize("spoil", [cut(0.75), cut(0.5), cut(0), *(flip(n / 10) for n in range(10)), remove])
def test_a_file_that_has_lost_something_is_refused_too(path, wal, spoil):
    killed(path)
    opened(path).close()
    assert not wal.exists()
    spoil(path)
    try:
        store = opened(path)
    except BadConfig:
        pass
    else:  # that byte was one that nothing is kept in
        assert [(f"lease/{n}", "x" * 2000) for n in range(WRITES)] == store.items()
        store.close()
        assert spoil.__name__ == "flip"


def test_every_byte_that_is_kept_is_looked_at(path):
    killed(path)
    opened(path).close()
    whole = path.read_bytes()
    for at in (whole.index(b"x" * 2000) + 7, whole.index(b"lease/3") + 6):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BadConfig, match=r"contents are not what was written|index"):
            opened(path)
    path.write_bytes(whole)
    store = opened(path)
    assert WRITES == len(store.items())
    store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM documents WHERE key = 'lease/3'",
        "UPDATE documents SET value = 'y' WHERE key = 'lease/3'",
        "INSERT INTO documents VALUES ('lease/9', 'y')",
        "DELETE FROM documents WHERE key = ''",
        "UPDATE documents SET value = 'y' WHERE key = ''",
    ],
)
def test_what_was_changed_by_other_means_is_refused(path, sql):
    killed(path)
    with sqlite3.connect(path) as base:
        base.execute(sql)
    base.close()
    with pytest.raises(BadConfig, match="contents are not what was written"):
        opened(path)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (remove, "which says how far it goes, is missing"),
        (cut(0), "which says how far it goes, cannot be read"),
        (cut(0.5), "which says how far it goes, cannot be read"),
        (flip(0.1), r"the last \d+ writes|cannot be read|are not what"),
        (flip(0.5), r"contents are not what was written|cannot be read"),
    ],
)
def test_its_seal_is_missed(path, seal, spoil, why):
    killed(path)
    spoil(seal)
    with pytest.raises(BadConfig, match=why):
        opened(path)


def test_all_of_it_emptied_but_the_seal(path, wal):
    killed(path)
    cut(0)(path)
    cut(0)(wal)
    with pytest.raises(BadConfig, match=rf"it is empty, and {WRITES + 1} writes were made to it"):
        opened(path)
    path.unlink()
    wal.unlink()
    with pytest.raises(BadConfig, match=rf"it is missing, and {WRITES + 1} writes were made to it"):
        opened(path)
    assert not path.exists()


def test_its_log_and_its_seal_are_lost_together(path, wal, seal):
    """Of one that was never closed, and is in its log but for what it is."""
    killed(path)
    wal.unlink()
    seal.unlink()
    with pytest.raises(BadConfig, match="-seal, which says how far it goes, is missing"):
        opened(path)


def test_an_older_copy_of_it(path, wal, place):
    killed(path)
    shutil.copy(path, place / "copy")
    shutil.copy(wal, place / "copy-wal")
    killed(path, writes=2)
    shutil.copy(place / "copy", path)
    shutil.copy(place / "copy-wal", wal)
    with pytest.raises(BadConfig, match="the last 2 writes to it are lost"):
        opened(path)


def test_a_seal_that_is_behind_is_no_loss(path, seal):
    killed(path, writes=1)
    behind = seal.read_bytes()
    killed(path)
    seal.write_bytes(behind)  # as after a power cut: nobody waits for it to reach the disk
    store = opened(path)
    assert WRITES == len(store.items())
    store.close()
    assert seal.read_bytes() != behind


@pytest.mark.parametrize(("now", "taken"), [("another", True), ("", True), ("this", False)])
def test_without_fsync_what_an_earlier_boot_has_left_is_taken_as_it_is(path, wal, now, taken):
    killed(path, "?boot=this")
    cut(0.5)(wal)
    if not taken:
        with pytest.raises(BadConfig, match="are lost"):
            opened(path, f"?boot={now}")
        return
    store = opened(path, f"?boot={now}")
    assert 0 < len(store.items()) < WRITES
    store.put("lease/9", "y")
    store.close()
    store = opened(path, f"?boot={now}")
    assert ("lease/9", "y") in store.items()
    store.close()


def test_one_of_the_first_format_goes_on(path, seal):
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE documents (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        base.execute("INSERT INTO documents VALUES ('a', '1')")
        base.execute(f"PRAGMA application_id={0x50524343}")
        base.execute("PRAGMA user_version=1")
    base.close()
    store = opened(path)
    assert [("a", "1")] == store.items()
    store.write([("a", None), ("b", "2")])
    store.close()
    assert [("b", "2")] == again(path)


def test_two_programs_never_share_one(path):
    store = opened(path)
    with pytest.raises(BadConfig, match="is in use by another program") as caught:
        opened(path)
    assert "stop that one, or use another folder" == caught.value.hint
    store.close()


@pytest.mark.parametrize("name", ["leases.sqlite", "leases.sqlite-wal", "leases.sqlite-seal"])
def test_what_was_moved_away_under_it_is_noticed(path, name):
    place = path.parent
    store = opened(path)
    store.put("a", "1")
    (place / name).rename(place / "elsewhere")
    for write in (lambda: store.put("b", "2"), lambda: store.write([("b", "2")]), lambda: store.delete("a")):
        with pytest.raises(OSError, match=rf"{name} was moved away or replaced"):
            write()
    (place / "elsewhere").rename(place / name)
    store.put("b", "2")
    store.close()
    assert [("a", "1"), ("b", "2")] == again(path)


def test_what_could_not_be_sealed_is_sealed_before_the_next_write(path, seal, monkeypatch):
    store = opened(path)
    write = os.pwrite
    full = []

    def pwrite(fd, data, offset):
        if full:
            raise OSError(28, "No space left on device")
        return write(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    full.append(True)
    store.put("a", "1")  # is written
    with pytest.raises(OSError, match="No space left"):
        store.put("b", "2")
    full.clear()
    store.put("c", "3")
    store.close()
    assert [("a", "1"), ("c", "3")] == again(path)


def test_what_fails_changes_nothing(path):
    store = opened(path)
    store.put("a", "1")
    with pytest.raises(OSError, match=r"bind|type"):
        store.write([("a", "2"), ("b", object())])
    store.put("c", "3")
    store.close()
    assert [("a", "1"), ("c", "3")] == again(path)


def test_a_disk_that_takes_nothing_is_no_reason_to_begin_anew(path):
    opened(path).close()
    before = path.read_bytes()
    program = (
        "import resource, signal, sys\n"
        "from procctl.errors import BadConfig\n"
        "from procctl.stores.sqlite import SqliteStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: SqliteStore().open(sys.argv[1])\n"
        "except BadConfig as error: print(error)\n"
    )
    url = f"sqlite://{quote(str(path))}?durable=yes"
    told = subprocess.run([sys.executable, "-c", program, url], check=True, capture_output=True, text=True).stdout
    assert told.startswith(f"cannot use {path}: ")
    assert "see to the disk" in told
    assert "anew" not in told
    assert before == path.read_bytes()


def test_a_folder_in_its_place(path):
    path.mkdir()
    with pytest.raises(BadConfig, match=r"cannot open .*: Is a directory .see to that file, or use another folder"):
        opened(path)


def test_folders_may_have_any_name(place):
    folder = place / "what? 100% #1"
    folder.mkdir()
    store = opened(folder / "s.sqlite")
    store.put("a", "1")
    store.close()
    assert (folder / "s.sqlite").exists()
