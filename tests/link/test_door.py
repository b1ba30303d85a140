"""Who may come in, and what they may say."""

import pytest
from helpers import SLEEP, deadline

import procctl
from procctl import Agent, Controller, Denied, connect
from procctl.abc import Peer, Traits
from procctl.core import messages
from procctl.core.rights import AGENT, OPERATOR, OWNER, VIEWER, Caller, may
from procctl.link.door import Door, Grant
from procctl.link.reception import Reception
from procctl.transports.memory import MemoryTransport

pytestmark = pytest.mark.anyio


class Known:
    """Credentials by heart."""

    def by_token(self, token):
        return {
            "looks": Grant(name="eve", roles=frozenset({"viewer"})),
            "joins": Grant(name="web", roles=frozenset({"agent"})),
            "starts": Grant(name="cron", roles=frozenset({"start"})),
            "works": Grant(name="ann", roles=frozenset({"operator"})),
        }.get(token)

    def by_identity(self, identity):
        return Grant(name="bob", roles=OWNER) if identity == "curve:bob" else None


DOOR = Door(credentials=Known())


@pytest.fixture
def guarded(monkeypatch):
    """Listeners whose peers have to show a credential."""
    plain = Reception.__init__
    monkeypatch.setattr(MemoryTransport, "traits", Traits(in_process=True))
    monkeypatch.setattr(Reception, "__init__", lambda self, *args, **_: plain(self, *args, lambda url, listener: DOOR))


def test_the_owner_of_the_machine_needs_nothing():
    assert Door(owner=True).admit(Peer(name="ann", identity="uid:0")).roles == OWNER


@pytest.mark.parametrize(("peer", "roles"), [(Peer(token="looks"), {"viewer"}), (Peer(identity="curve:bob"), OWNER)])
def test_a_credential_gives_what_it_says(peer, roles):
    assert DOOR.admit(peer).roles == roles


def test_whose_a_credential_is_cannot_be_made_up():
    named = [DOOR.admit(Peer(name=name, token="looks", identity="uid:0")) for name in ("root", "eve", "")]
    assert [caller.name for caller in named] == ["eve/root", "eve", "eve"]
    assert {caller.identity for caller in named} == {"token:eve"}
    assert DOOR.admit(Peer(name="root", identity="curve:bob")).name == "bob/root"


@pytest.mark.parametrize("peer", [Peer(), Peer(token="wrong"), Peer(identity="curve:eve"), Peer(name="bob")])
def test_without_one_there_is_no_way_in(peer):
    with pytest.raises(Denied) as caught:
        DOOR.admit(peer)
    assert caught.value.code == "unauthorized"


def test_what_a_listener_says_of_all_is_for_those_without_a_credential():
    door = Door(default=frozenset({"viewer"}), credentials=Known())
    assert door.admit(Peer(name="x")).roles == {"viewer"}
    with pytest.raises(Denied):
        door.admit(Peer(name="x", token="wrong"))


def test_every_verb_of_a_role_is_one():
    later = {"hosts"}  # a verb of controllers
    assert (VIEWER | OPERATOR | AGENT) - messages.REQUESTS.keys() <= later


@pytest.mark.parametrize(
    ("roles", "command", "allowed"),
    [
        ({"viewer"}, "status", True),
        ({"viewer"}, "start", False),
        ({"operator"}, "stop", True),
        ({"operator"}, "add", False),
        ({"agent"}, "lease.permit", True),
        ({"agent"}, "approve", False),
        ({"start"}, "start", True),
        ({"start"}, "status", False),
        ({"ops"}, "status", False),
        ({"owner"}, "agent.stop", True),
    ],
)
def test_roles_and_verbs(roles, command, allowed):
    assert may(Caller(name="x", roles=frozenset(roles)), command) is allowed


async def test_a_viewer_looks_and_changes_nothing(guarded):
    async with Agent("a", listen="memory:a") as agent:
        with deadline():
            await agent.start("web", SLEEP)
            async with connect("memory:a", token="looks") as fleet:
                assert [p.name for p in await fleet.processes()] == ["web"]
                with pytest.raises(Denied, match="may not stop") as caught:
                    await fleet.stop("web")
                assert caught.value.code == "forbidden"
                with pytest.raises(Denied):
                    await fleet.start("sh", ["sh"])
                async with fleet.logs("web") as lines:
                    assert [line async for line in lines] == []
            async with connect("memory:a", token="works") as fleet:
                await fleet.stop("web")
            async with connect("memory:a", token="starts") as fleet:
                await fleet.start("web")
                with pytest.raises(Denied):
                    async with fleet.logs("web") as lines:
                        await anext(lines)


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_stranger_is_told_so(guarded, token):
    async with Agent("a", listen="memory:a"):
        with pytest.raises(Denied) as caught:
            async with connect("memory:a", token=token):
                pass
        assert caught.value.code == "unauthorized"


async def test_an_agent_joins_with_a_credential_for_it(guarded):
    async with Controller(listen=["memory:c"]) as controller:
        with pytest.raises(Denied, match="may not join"):
            async with Agent("a", join="memory:c", token="works"):
                pass
        async with Agent("a", join="memory:c", token="joins") as agent:
            with deadline():
                assert (await agent.start("web", SLEEP)).state == procctl.State.RUNNING
                await controller.stop("web")


async def test_a_token_is_no_part_of_a_url():
    with pytest.raises(procctl.errors.BadConfig, match="no part of a URL"):
        async with connect("memory:a?token=secret"):
            pass


def test_a_token_is_not_shown():
    shown = f"{Peer(token='secret')!r} {messages.Hello(name='x', token='secret')!r}"
    assert "secret" not in shown
