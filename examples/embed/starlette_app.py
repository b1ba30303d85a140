"""A web application of one's own with an agent behind it, and the agent's REST interface mounted in it."""

import os
import sys

import anyio
import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import procctl
from procctl.gateways.http import asgi, lifespan
from procctl.link.door import Door, Grant


class OneToken:
    """Credentials: a single token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def by_token(self, token: str) -> Grant | None:
        return Grant(name="operator", roles=frozenset({"operator"})) if token == self._token else None

    def by_identity(self, identity: str) -> Grant | None:
        return None


agent = procctl.Agent("here")
rest = asgi(agent, door=Door(credentials=OneToken("swordfish")), hosts=["testserver"])


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await agent.processes())} process")


app = Starlette(
    routes=[Route("/", home), Mount("/procctl", rest)],
    lifespan=lifespan(agent, rest),
)
"""Run it by ``uvicorn starlette_app:app`` or ``hypercorn starlette_app:app``."""


async def main() -> None:
    """Without a server: the client speaks to the application itself."""
    async with lifespan(agent, rest)(app):
        web = await agent.start("web", [sys.executable, "-m", "http.server", os.environ.get("PORT", "8000")])
        transport = httpx2.ASGITransport(app=app)
        token = {"authorization": "Bearer swordfish"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver", headers=token) as client:
            print((await client.get("/")).text)
            answer = await client.post(f"/procctl/processes/{web.uuid}/stop")
            print(answer.json()["name"], "is", answer.json()["state"])
            refused = await client.post("/procctl/processes", json={"spec": {"name": "sh", "command": ["sh"]}})
            print(refused.status_code, refused.json()["code"])


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
