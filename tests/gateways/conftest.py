"""An agent behind a listener that wants credentials; certificates made for one run."""

import pytest
import trustme
from attrs import frozen

from procctl import Agent
from procctl.link.door import Door
from procctl.link.reception import Reception

from .asking import Known, client


@frozen
class Certificates:
    """Options of both ends; `stranger` has a certificate of another authority."""

    server: dict
    client: dict
    trusting: dict
    stranger: dict


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")

    def written(name, authority, **names):
        made = authority.issue_cert(*names.pop("hosts", ()), **names)
        made.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        return {"cert": str(folder / f"{name}.pem"), "key": str(folder / f"{name}.key")}

    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    ca = {"ca": str(folder / "ca.pem")}
    return Certificates(
        server=written("server", ours, hosts=("127.0.0.1", "localhost")) | ca,
        client=written("client", ours, hosts=("web-01.example.com",), common_name="web-01") | ca,
        trusting=ca,
        stranger=written("stranger", theirs, hosts=("web-01.example.com",), common_name="web-01") | ca,
    )


DOOR = Door(credentials=Known())


@pytest.fixture
def doors(monkeypatch):
    """Listeners whose peers have to show a credential."""
    plain = Reception.__init__
    monkeypatch.setattr(
        Reception, "__init__", lambda self, service, attach, *_, **__: plain(self, service, attach, lambda *_: DOOR)
    )


@pytest.fixture
async def agent(doors):
    async with Agent("here", listen="http://127.0.0.1:0") as agent:
        yield agent


@pytest.fixture
async def rest(agent):
    """A client with the owner's token."""
    async with client(agent.urls[0]) as made:
        yield made
