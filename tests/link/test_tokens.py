"""Token files as they lie on a disk: whose they are, when they change, when they end."""

import os
import time

import pytest
from helpers import SLEEP, deadline, until

from procctl import Agent, Auth, Controller, Denied, PeerGone, connect
from procctl.aio import wall
from procctl.core.credentials import line_of
from procctl.errors import BadConfig
from procctl.link.tokens import (
    TokenFile,
    add_line,
    bearer,
    first_token,
    new_token,
    own_file,
    own_token,
    write_new,
)


@pytest.fixture
def home(place, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "config"))
    return place


def token(file, can="viewer", name="ann", expires=None, hashed=False):
    """One more token in a file."""
    made = new_token(name, frozenset(can.split(",")), expires)
    add_line(file, line_of(made, hashed=hashed))
    return made.token


def test_it_is_its_owners_alone(home):
    file = home / "t"
    shown = token(file)
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert TokenFile(file).by_token(shown).roles == {"viewer"}
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(BadConfig, match=rf"mode 0{mode:o}.*chmod 600"):
            TokenFile(file).read()
        with pytest.raises(BadConfig):
            first_token(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_it_is_nobody_elses(home):
    token(home / "t")
    os.chown(home / "t", 12345, 0)
    with pytest.raises(BadConfig, match="belongs to another user"):
        TokenFile(home / "t").read()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(home, make):
    make(home / "t", 0o600)
    with pytest.raises(BadConfig):
        TokenFile(home / "t").read()


def test_a_listener_wants_to_know_what_a_line_gives(home):
    write_new(home / "t", "0123456789abcdef")
    assert first_token(home / "t") == "0123456789abcdef"
    with pytest.raises(BadConfig, match=r"t:1: it does not say what it gives \(add can=viewer"):
        TokenFile(home / "t").read()


def test_a_digest_is_known_and_cannot_be_shown(home):
    shown = token(home / "t", hashed=True)
    assert TokenFile(home / "t").by_token(shown).name == "ann"
    with pytest.raises(BadConfig, match="no token in"):
        first_token(home / "t")


def test_a_change_counts_at_once(home):
    file, known = home / "t", TokenFile(home / "t")
    first, second = token(file), token(file, "owner", "bob")
    assert (known.by_token(first).name, known.by_token(second).name) == ("ann", "bob")
    file.write_text(file.read_text().splitlines()[1] + "\n")
    assert (known.by_token(first), known.by_token(second).name) == (None, "bob")


def test_a_file_that_became_wrong_lets_nobody_in_and_says_so_once(home, caplog):
    file, known = home / "t", TokenFile(home / "t")
    shown = token(file)
    good = file.read_text()
    file.write_text("nonsense here\n")
    assert (known.by_token(shown), known.by_token(shown)) == (None, None)
    assert caplog.text.count("nobody is let in") == 1
    file.unlink()
    assert known.by_token(shown) is None
    write_new(file, good.strip())
    assert known.by_token(shown).name == "ann"


def test_an_end_by_the_wall_clock(home):
    now = [1000.0]
    known = TokenFile(home / "t", lambda: now[0])
    shown = token(home / "t", expires=2000.0)
    assert known.by_token(shown).expires == 2000.0
    now[0] = 2000.0
    assert known.by_token(shown) is None


def test_an_identity(home):
    write_new(home / "t", "identity curve:abc for=web can=agent")
    assert TokenFile(home / "t").by_identity("curve:abc").name == "web"
    assert TokenFile(home / "t").by_identity("curve:abd") is None


def test_the_users_own_is_made_once(home):
    assert own_file() == home / "config" / "procctl" / "token"
    first = own_token().read_text()
    assert (own_token().read_text(), os.stat(own_file()).st_mode & 0o777) == (first, 0o600)
    assert os.stat(own_file().parent).st_mode & 0o777 == 0o700


def test_a_new_file_replaces_nothing(home):
    write_new(home / "t", "one")
    with pytest.raises(FileExistsError):
        write_new(home / "t", "two")
    assert [p.name for p in home.iterdir()] == ["t"]


def test_a_line_is_not_added_to_what_is_no_token_file(home):
    write_new(home / "t", "[section]\nkey = 1")
    with pytest.raises(BadConfig):
        token(home / "t")
    assert "token" not in (home / "t").read_text()


def test_the_users_own_is_not_made_for_the_owner(home):
    assert bearer(f"unix://{home}/a", "", Auth())() == ""
    assert bearer("memory:a", "given", Auth())() == "given"
    assert not own_file().exists()


def test_a_token_that_was_had_outlives_its_file(home, caplog):
    shown = token(home / "t")
    show = bearer(f"unix://{home}/a", "", Auth(token_file=home / "t"))
    assert show() == shown
    (home / "t").chmod(0o644)
    assert show() == shown
    assert "that was read before" in caplog.text
    with pytest.raises(BadConfig):
        bearer(f"unix://{home}/a", "", Auth(token_file=home / "t"))()


# on links -------------------------------------------------------------------------------------------------------


@pytest.fixture
def url(home):
    return f"unix://{home}/a?as=nobody"


@pytest.mark.anyio
async def test_a_viewer_by_its_file(home, url):
    token(home / "ann")
    token(home / "bob", "operator", "bob")
    with (home / "all").open("w") as out:
        (home / "all").chmod(0o600)
        out.write((home / "ann").read_text() + (home / "bob").read_text())
    async with Agent("a", listen=url, auth=Auth(token_file=home / "all")) as agent:
        await agent.start("web", SLEEP)
        async with connect(url, auth=Auth(token_file=home / "ann")) as fleet:
            assert [p.name for p in await fleet.processes()] == ["web"]
            with pytest.raises(Denied, match="may not stop") as caught:
                await fleet.stop("web")
            assert caught.value.code == "forbidden"
        async with connect(url, auth=Auth(token_file=home / "bob")) as fleet:
            await fleet.stop("web")
        with pytest.raises(Denied, match="wants a credential"):
            async with connect(url):
                pass


@pytest.mark.anyio
async def test_a_revoked_token_opens_no_new_link(home, url):
    shown = token(home / "t")
    other = token(home / "t", "owner", "bob")
    async with Agent("a", listen=url, auth=Auth(token_file=home / "t")):
        async with connect(url, token=shown) as fleet:
            (home / "t").write_text((home / "t").read_text().splitlines()[1])
            with pytest.raises(Denied):
                async with connect(url, token=shown):
                    pass
            assert await fleet.processes() == []  # a link that is there goes on
        async with connect(url, token=other) as fleet:
            assert await fleet.processes() == []


@pytest.mark.anyio
async def test_a_link_ends_with_its_token(home, url, monkeypatch):
    clock, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: clock() + ahead[0])
    monkeypatch.setattr(wall, "_LOOK", 0.05)
    shown = token(home / "t", expires=clock() + 1000)
    async with Agent("a", listen=url, auth=Auth(token_file=home / "t")):
        with deadline():
            async with connect(url, token=shown, patience=0.5) as fleet, fleet.events() as events:
                await anext(events)
                ahead[0] = 1000.0
                with pytest.raises((Denied, PeerGone)):
                    await anext(events)
                with pytest.raises(Denied, match="not known here, or has expired"):
                    await fleet.processes()


@pytest.mark.anyio
async def test_an_agent_shows_what_is_in_its_file_now(home):
    url = f"unix://{home}/c?as=nobody"
    token(home / "known", "agent", "web")
    first = (home / "known").read_text()
    write_new(home / "own", first.strip())
    async with Controller(listen=url, auth=Auth(token_file=home / "known")) as controller:
        async with Agent("web", join=url, auth=Auth(token_file=home / "own")):
            (host,) = await controller.hosts()
            assert (host.identity, host.roles, host.transport) == ("token:web", ("agent",), "unix")
            token(home / "known", "agent", "web")
            changed = (home / "known").read_text().splitlines()[1]
            (home / "own").write_text(changed)
            (home / "known").write_text(changed)
            session = controller._links["web"].session
            session.end("for the test")
            await until(lambda: "web" in controller._links and controller._links["web"].session is not session)


@pytest.mark.anyio
async def test_tokens_are_told_to_nobody(home, url, caplog):
    shown = token(home / "t", "owner")
    listing = [url]
    async with (
        Controller(listen=f"unix://{home}/c?as=nobody", auth=Auth(token_file=home / "t")) as controller,
        Agent(
            "a", listen=listing, join=f"unix://{home}/c?as=nobody", token=shown, auth=Auth(token_file=home / "t")
        ) as agent,
        connect(url, token=shown) as fleet,
    ):
        await fleet.start("web", ["sh", "-c", "cat /proc/self/environ; exec sleep 1000"])
        async with fleet.logs("web") as lines:
            said = [line.text async for line in lines]
        told = (await fleet.info(), await fleet.hosts(), await controller.hosts(), await controller.info(), said)
        told = f"{told!r} {agent._engine._join!r} {caplog.text}"
        with pytest.raises(Denied) as caught:
            async with connect(url, token=f"{shown}x"):
                pass
    assert shown not in f"{told} {caught.value!r} {caplog.text}"
