"""The gateway in somebody else's application, under somebody else's server."""

import signal
import subprocess
import sys

import anyio
import httpx2
import pytest
from helpers import DEADLINE, free_port

from procctl import connect

from .asking import client

pytestmark = [pytest.mark.anyio, pytest.mark.in_turn]

PROGRAM = """
import sys
from starlette.applications import Starlette
from starlette.routing import Mount
import procctl
from procctl.gateways.http import Links, asgi, lifespan
from procctl.link.door import Door
from procctl.link.reception import Reception
from gateways.asking import Known

DOOR = Door(credentials=Known())
plain = Reception.__init__
Reception.__init__ = lambda self, service, attach, *_, **__: plain(self, service, attach, lambda *_: DOOR)
links = Links()
agent = procctl.Agent("here", listen=[links])
rest = asgi(agent, door=DOOR, links=links)
app = Starlette(routes=[Mount("/deep/procctl", rest)], lifespan=lifespan(agent, rest))
"""


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "hypercorn on trio"])
async def test_under_a_server(server, place):
    (place / "program.py").write_text(PROGRAM)
    port = free_port()
    words = {
        "uvicorn": ["uvicorn", "program:app", "--port", str(port), "--timeout-graceful-shutdown", "2"],
        "hypercorn": ["hypercorn", "program:app", "--bind", f"127.0.0.1:{port}"],
        "hypercorn on trio": ["hypercorn", "program:app", "--bind", f"127.0.0.1:{port}", "-k", "trio"],
    }[server]
    env = {"PYTHONPATH": ":".join((str(place), *filter(None, sys.path))), "PATH": "/usr/bin:/bin"}
    process = await anyio.open_process([sys.executable, "-m", *words], env=env, stdout=subprocess.DEVNULL, stderr=None)
    async with process:
        url = f"http://127.0.0.1:{port}/deep/procctl"
        try:
            await there(url)
            async with connect(url, token="owns") as fleet, client(url) as rest:
                await fleet.start("web", ["sleep", "1000"])
                answer = await rest.post("/processes/stop?name=web")
                assert answer.json()["items"][0]["state"] == "stopped"
                answer = await rest.post("/processes", json={"spec": {"name": "x", "command": ["sleep", "9"]}})
                assert answer.headers["location"].startswith("/deep/procctl/processes/")
                assert (await rest.get("/openapi.json")).json()["servers"] == [{"url": "/deep/procctl"}]
        finally:
            process.send_signal(signal.SIGTERM)
            with anyio.fail_after(DEADLINE):
                await process.wait()


async def there(url):
    """Wait until a server answers."""
    async with client(url) as rest:
        with anyio.fail_after(2 * DEADLINE):
            while True:
                try:
                    if (await rest.get("/agent")).status_code == 200:
                        return
                except httpx2.TransportError:
                    await anyio.sleep(0.05)


async def test_without_libraries_it_says_which_extra(monkeypatch):
    from procctl.errors import Unsupported
    from procctl.gateways import http

    monkeypatch.setitem(sys.modules, "procctl.gateways.http.mounting", None)
    monkeypatch.delattr(http, "mounting", raising=False)
    with pytest.raises(Unsupported) as caught:
        http.asgi  # noqa: B018
    assert caught.value.hint == "pip install 'procctl[http]'"
