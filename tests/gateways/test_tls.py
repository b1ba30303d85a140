"""TLS and mutual TLS."""

import logging

import pytest
from helpers import SLEEP, deadline

import procctl
from procctl import Agent, Denied, PeerGone, connect
from procctl.transports.http.tls import client_context, identity_of

from .asking import client

pytestmark = pytest.mark.anyio


def with_options(url, options):
    return url + "?" + "&".join(f"{name}={value}" for name, value in options.items())


@pytest.fixture
async def one_way(doors, certificates):
    options = {name: certificates.server[name] for name in ("cert", "key")}
    async with Agent("here", listen=with_options("https://127.0.0.1:0", options)) as agent:
        yield agent.urls[0]


@pytest.fixture
async def both_ways(doors, certificates):
    async with Agent("here", listen=with_options("https://127.0.0.1:0", certificates.server)) as agent:
        yield agent.urls[0]


async def test_a_token_over_tls(one_way, certificates):
    assert one_way.startswith("https://127.0.0.1:")
    async with connect(with_options(one_way, certificates.trusting), token="owns") as fleet:
        with deadline():
            assert (await fleet.start("web", SLEEP)).state == procctl.State.RUNNING
    async with client(one_way, verify=client_context(one_way, certificates.trusting)) as rest:
        assert (await rest.get("/processes")).json()["items"][0]["name"] == "web"


async def test_a_listener_that_is_not_trusted(one_way, caplog):
    caplog.set_level(logging.ERROR)
    with pytest.raises(PeerGone) as caught:
        async with connect(one_way, token="owns"):
            pass
    assert "ca=FILE" in caught.value.hint
    assert caplog.text == ""


async def test_a_certificate_is_a_credential(both_ways, certificates):
    async with connect(with_options(both_ways, certificates.client)) as fleet:
        with deadline():
            await fleet.start("web", SLEEP)


@pytest.mark.parametrize("who", ["trusting", "stranger"])
async def test_without_the_right_one_there_is_no_way_in(both_ways, certificates, who):
    with pytest.raises(PeerGone):
        async with connect(with_options(both_ways, getattr(certificates, who)), token="owns"):
            pass


async def test_one_that_names_somebody_unknown(both_ways, certificates):
    known_to_nobody = certificates.server  # signed by the same authority, for another
    with pytest.raises(Denied, match="wants a credential"):
        async with connect(with_options(both_ways, known_to_nobody)):
            pass


async def test_plain_speech_to_tls(one_way):
    plain = one_way.replace("https", "http")
    with pytest.raises(PeerGone):
        async with connect(plain, token="owns"):
            pass


def test_whom_a_certificate_names():
    assert identity_of(None) is None
    assert identity_of({}) is None
    assert identity_of({"subject": ((("commonName", "web"),),)}) == "cert:web"
    assert identity_of({"subject": (), "subjectAltName": (("DNS", "web.x"), ("DNS", "y"))}) == "cert:web.x"
