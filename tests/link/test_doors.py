"""Which door each listener gets."""

import pytest

from procctl import Agent, Auth
from procctl.abc import Peer, Traits
from procctl.core.rights import OWNER
from procctl.errors import BadConfig, Denied
from procctl.link.doors import Doors
from procctl.service import urls
from procctl.service.urls import is_local, options_for
from procctl.transports.memory import MemoryTransport
from procctl.transports.unix import UnixTransport


class Net(MemoryTransport):
    """A transport that proves nothing."""

    traits = Traits()


class Broker(MemoryTransport):
    traits = Traits(broker=True, identity=True)


SCHEMES = {
    "net": Net(),
    "https": Net(),
    "x+ipc": Net(),
    "broker": Broker(),
    "unix": UnixTransport(),
    "memory": MemoryTransport(),
}


@pytest.fixture(autouse=True)
def schemes(monkeypatch, place):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place))
    for module in ("procctl.service.urls", "procctl.link.doors"):
        monkeypatch.setattr(f"{module}.scheme_for", lambda url: SCHEMES[urls.scheme_of(url)])


def door(url, auth=None):
    return Doors(auth or Auth())(url, None)


@pytest.mark.parametrize("url", ["unix:///run/x", "memory:x"])
def test_the_owners_transports(url):
    assert door(url).admit(Peer()).roles == OWNER


@pytest.mark.parametrize("url", ["net://127.0.0.1:1", "net://localhost:1", "net://0.0.0.0:1", "broker://localhost"])
def test_nobody_by_default_on_loopback_too(url):
    with pytest.raises(Denied, match="wants a credential"):
        door(url).admit(Peer(name="x"))


@pytest.mark.parametrize(
    ("url", "roles"),
    [
        ("net://127.0.0.1:1?as=viewer", {"viewer"}),
        ("net://127.0.0.1:1?as=operator", {"operator"}),
        ("net://[::1]:1?as=owner", OWNER),
        ("net://example.com:1?as=viewer", {"viewer"}),
        ("net://0.0.0.0:1?as=owner&insecure=yes", OWNER),
        ("broker://127.0.0.1/?as=operator&insecure=yes", {"operator"}),
        ("unix:///run/x?as=viewer", {"viewer"}),
    ],
)
def test_what_those_may_be_who_show_nothing(url, roles):
    assert door(url).admit(Peer(name="x")).roles == roles


@pytest.mark.parametrize(
    "url", ["net://0.0.0.0:1?as=owner", "net://example.com?as=operator", "broker://127.0.0.1/?as=owner&insecure=no"]
)
def test_more_than_looking_is_not_for_a_whole_network(url):
    with pytest.raises(BadConfig, match=r"gives that to everybody.*insecure=yes"):
        door(url)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("net://127.0.0.1?as=vewer", "did you mean 'viewer'"),
        ("net://127.0.0.1?as=", "there are nobody, viewer"),
        ("net://127.0.0.1?insecure=true", "neither yes nor no"),
    ],
)
def test_wrong_options_are_said(url, text):
    with pytest.raises(BadConfig, match=text):
        door(url)


def test_where_nobody_could_get_in_it_is_said():
    with pytest.raises(BadConfig, match=r"lets nobody in.*procctl\.Auth\(token_file=…\)"):
        Doors(None)("net://127.0.0.1:1", None)
    assert Doors(None)("net://127.0.0.1:1?as=viewer", None).admit(Peer()).roles == {"viewer"}


def test_a_bad_token_file_is_said_before_anybody_comes(place):
    (place / "t").write_text("nonsense here")
    (place / "t").chmod(0o600)
    with pytest.raises(BadConfig, match="begins with token or identity"):
        door("net://127.0.0.1:1", Auth(token_file=place / "t"))


@pytest.mark.anyio
async def test_an_agent_says_it_when_it_is_entered(place):
    with pytest.raises(BadConfig, match="lets nobody in"):
        async with Agent("a", listen=f"unix://{place}/a?as=nobody"):
            pass


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("unix:///x", True),
        ("memory:x", True),
        ("x+ipc:///tmp/x", True),
        ("net://127.9.9.9:1", True),
        ("net://localhost", True),
        ("net://[::1]:1", True),
        ("net://10.0.0.1", False),
        ("net://127.0.0.1.example.com", False),
        ("net://*:1", False),
        ("net:", False),
        ("broker://127.0.0.1", False),
    ],
)
def test_what_is_of_this_machine(url, local):
    assert is_local(url) is local


def test_what_a_transport_is_told():
    auth = Auth(cert="c", ca="ca")
    assert options_for("https://x?as=viewer&a=1&tls_ca=mine", auth) == {"a": "1", "tls_ca": "mine", "tls_cert": "c"}
    assert options_for("net://x?as=viewer&insecure=yes", auth) == {"insecure": "yes"}


def test_the_password_goes_to_a_broker_only():
    auth = Auth(password_file="p", ca="a")
    assert options_for("amqp://me@x", auth) == {"password_file": "p"}
    assert options_for("amqps://me@x?password_file=mine", auth) == {"password_file": "mine", "tls_ca": "a"}
    assert options_for("https://x", auth) == {"tls_ca": "a"}
