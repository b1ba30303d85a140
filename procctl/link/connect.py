"""`connect`: a fleet, near or far, as a block."""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..abc import Connection, Service
from ..aio.block import Block
from ..core.auth import Auth
from ..core.messages import Failure, Hello, Welcome
from ..service.arguments import expect
from ..service.fleet import Fleet
from ..service.urls import options_for, transport_for
from ..version import __version__
from .line import Line
from .session import Session
from .tokens import bearer, with_token

__all__ = ["HEARTBEAT", "connect"]

HEARTBEAT = 5.0
"""Seconds between signs of life that a client asks for."""


@asynccontextmanager
async def connect(
    url: str, *, token: str = "", auth: Auth | None = None, name: str = "", patience: float = 10.0
) -> AsyncGenerator[Fleet]:
    """A fleet at a URL.

    Args:
        url: Where an agent or a controller listens: ``unix:///run/procctl/agent.sock``, ``memory:name``, ….
        token: A bearer's credential, where the listener wants one.
        auth: The file that has the token, if it is not given itself; read anew for each link.
        name: What to call oneself, for their records; default: user and pid.
        patience: Seconds to try again when the link is lost. Requests under way are sent again with the same key and
            are carried out once; streams go on behind what was read, and show a gap as a gap.

    Yields:
        The fleet: the methods of an `procctl.Agent`.

    Raises:
        Denied: The listener does not let us in.
        PeerGone: Nobody is there. Later, from the fleet's methods: it went away and has not come back.
        BadConfig: The URL or the token file cannot be used.

    Cancellation: closes the link; commands under way go on over there.
    """
    expect("url", url, str)
    transport = transport_for(url)
    shown = bearer(url, token, auth)
    options = options_for(url, auth)
    name = name or f"{_user()}[{os.getpid()}]"

    async def dial() -> Connection:
        return await transport.connect(url, name, options | with_token(shown()))

    def hello() -> Hello:
        return Hello(name=name, role="client", version=__version__, heartbeat=HEARTBEAT, token=shown())

    line = Line(dial, hello, _nothing, patience=patience)
    async with Block(f"the link to {url}", _leave) as block:
        await block.start(line.run)
        yield Fleet(line, keyed=True)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


async def _leave() -> None:
    """There is nothing to finish: what is under way goes on over there."""


def _nothing(session: Session, hello: Hello | None) -> tuple[Service, Welcome] | Failure:
    return Failure(code="unknown-command", message="a client answers no commands")
