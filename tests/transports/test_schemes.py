"""URLs and what stands behind them; links within one program."""

from importlib.metadata import EntryPoint

import anyio
import pytest
from helpers import SLEEP, deadline

from procctl import Agent, PeerGone, connect
from procctl.errors import BadConfig, Unsupported
from procctl.service import urls

pytestmark = pytest.mark.anyio


@pytest.fixture
def points(monkeypatch):
    """Entry points as a test wants them."""

    def install(**points):
        made = {name: [EntryPoint(name, value, urls.GROUP) for value in values] for name, values in points.items()}
        monkeypatch.setattr(urls, "_schemes", lambda: made)

    return install


async def test_a_scheme_that_nobody_has():
    with pytest.raises(BadConfig, match="no transport for the scheme 'unixx'") as caught:
        async with connect("unixx:///x"):
            pass
    assert caught.value.hint == "did you mean 'unix'?"


@pytest.mark.parametrize("url", ["", "nothing", "/run/x.sock", "7://x", ":x"])
async def test_what_is_no_url(url):
    with pytest.raises(BadConfig, match="is no URL"):
        async with connect(url):
            pass


async def test_a_scheme_that_two_claim(points):
    points(x=["one:A", "two:B"])
    with pytest.raises(BadConfig, match="the scheme 'x' is claimed by one:A, two:B"):
        urls.transport_for("x://y")


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
async def test_a_scheme_that_is_not_installed_whole(points, scheme):
    points(**{scheme: ["no_such_module_here:A"]})
    with pytest.raises(Unsupported, match="needs no_such_module_here") as caught:
        urls.transport_for(f"{scheme}://y")
    assert caught.value.hint == "pip install 'procctl[amqp]'"


async def test_an_option_that_is_there_twice():
    with pytest.raises(BadConfig, match="twice"):
        async with connect("unix:///x?a=1&a=2"):
            pass


async def test_passwords_are_not_shown():
    assert urls.redacted("amqp://me:secret@host/x") == "amqp://me:***@host/x"
    with pytest.raises(BadConfig) as caught:
        urls.transport_for("nowhere://me:secret@host/x")
    assert "secret" not in str(caught.value)


async def test_memory():
    async with Agent("here", listen=["memory:one"]) as agent:
        with deadline():
            async with connect("memory:one", name="me") as fleet:
                web = await fleet.start("web", SLEEP)
                assert ((await agent.process("web")).pid, web.item.why.by) == (web.pid, "me")
                await web.kill()


async def test_memory_has_each_name_once():
    async with Agent(listen=["memory:one"]):
        with pytest.raises(BadConfig):
            async with Agent(listen=["memory:one"]):
                pass
    with pytest.raises(PeerGone):
        async with connect("memory:one"):
            pass


async def test_a_client_ends_when_its_agent_does():
    async def serve(*, task_status):
        async with Agent(listen=["memory:one"]):
            task_status.started()
            await over.wait()

    over = anyio.Event()
    async with anyio.create_task_group() as group:
        await group.start(serve)
        async with connect("memory:one", patience=0.1) as fleet:
            over.set()
            with pytest.raises(PeerGone):
                while True:
                    await fleet.processes()
