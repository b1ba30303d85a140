"""Keys are made in files, and only their paths are printed."""

import stat

import pytest

from .running import Cli

pytestmark = pytest.mark.in_turn


@pytest.fixture
def cli(place):
    return Cli(place, "asyncio")


def test_a_pair_in_the_users_configuration(cli, place):
    done = cli("key", "new")
    secret = place / ".config" / "procctl" / "key"
    assert done.stdout == f"{secret}\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    public = (secret.parent / "key.pub").read_text().strip()
    assert (len(public), f"curve:{public}" in done.stderr) == (64, True)
    assert secret.read_text().strip() not in done.stdout + done.stderr


def test_nothing_is_written_over(cli, place):
    cli("key", "new", "--out", "mine")
    before = (place / "mine").read_text(), (place / "mine.pub").read_text()
    done = cli("key", "new", "--out", "mine", code=2)
    assert "mine.pub: File exists" in done.stderr
    (place / "mine.pub").rename(place / "elsewhere")
    cli("key", "new", "--out", "mine", code=2)
    assert ((place / "mine").read_text(), (place / "mine.pub").exists()) == (before[0], False)


def test_as_data(cli, place):
    (item,) = cli.json("key", "new", "--out", "mine")["items"]
    public = (place / "mine.pub").read_text().strip()
    assert item == {"file": "mine", "public": public, "identity": f"curve:{public}"}


def test_trying_it_out(cli, place):
    cli("key", "new", "--out", "mine", "--dry-run")
    assert not (place / "mine").exists()
