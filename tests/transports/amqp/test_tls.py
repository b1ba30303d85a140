"""amqps: whom to trust is said by files or by the system, and nobody else is."""

import pytest

from procctl.errors import BadConfig, PeerGone
from procctl.service.urls import options_of, transport_for

from .conftest import WORKER

pytestmark = [pytest.mark.anyio, pytest.mark.seconds(60)]


def secure(broker, host="localhost", **options):
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"amqps://{host}:{broker.ports['tls']}/{WORKER}?{query}"


async def test_frames_over_tls(broker):
    url = secure(broker, tls_ca=broker.folder / "cert.pem")
    transport = transport_for(url)
    listener = await transport.listen(url, options_of(url))
    near = await transport.connect(url, "near", options_of(url))
    far = await listener.accept()
    for size in (1, 20_000, 500_000):
        await near.send(b"x" * size)
        assert len(await far.receive()) == size
    await near.aclose()
    with pytest.raises(PeerGone):
        await far.receive()
    await far.aclose()
    await listener.aclose()


async def test_a_broker_that_is_not_to_be_trusted(broker):
    url = secure(broker)
    with pytest.raises(BadConfig, match="certificate is not to be trusted"):
        await transport_for(url).connect(url, "near", options_of(url))


async def test_a_broker_of_another_name(broker):
    url = secure(broker, "127.0.0.2", tls_ca=broker.folder / "cert.pem")
    with pytest.raises((BadConfig, PeerGone)):
        await transport_for(url).connect(url, "near", options_of(url))


async def test_tls_with_who_has_none(broker):
    url = f"amqps://localhost:{broker.port}/"
    with pytest.raises(PeerGone, match="no TLS with"):
        await transport_for(url).connect(url, "near", options_of(url))
    url = f"amqp://localhost:{broker.ports['tls']}/"
    with pytest.raises(PeerGone):
        await transport_for(url).connect(url, "near", options_of(url))


async def test_files_that_are_not_there(broker):
    url = secure(broker, tls_cert="/no/such/file")
    with pytest.raises(BadConfig, match="/no/such/file cannot be"):
        await transport_for(url).connect(url, "near", options_of(url))
