"""Ways to reach a controller or an agent: what is true of one has to be true of each."""

from contextlib import asynccontextmanager

import pytest
from attrs import field, frozen
from helpers import free_port

from procctl import Auth
from procctl.link.tokens import add_line, line_of, new_token

OWNER = frozenset({"owner"})


@frozen
class Way:
    """Attributes: name: Of the transport. url: Makes the URL to listen on, in a folder. query: Behind it."""

    name: str
    url: object = field(repr=False)
    query: str = ""
    wire: bool = True

    def __str__(self):
        return f"{self.name}{self.query}"


WAYS = [
    Way("memory", lambda folder, what: f"memory:{folder}/{what}", wire=False),
    Way("unix", lambda folder, what: f"unix://{folder}/{what}"),
    Way("unix", lambda folder, what: f"unix://{folder}/{what}", "?as=nobody"),
    Way("http", lambda folder, what: f"http://127.0.0.1:{free_port()}"),
    Way("zmq", lambda folder, what: f"zmq+tcp://127.0.0.1:{free_port()}"),
]
"""A transport is added by a line; what needs credentials finds them."""
WIRES = [way for way in WAYS if way.wire]
"""Those that another process can use."""

each_unix = pytest.mark.parametrize("way", [way for way in WIRES if way.name == "unix"], ids=str)
each_way = pytest.mark.parametrize("way", WAYS, ids=str)
each_wire = pytest.mark.parametrize("way", WIRES, ids=str)


class Keys:
    """A token file for listeners, and tokens that are in it."""

    def __init__(self, folder):
        self.file = folder / "known"
        self.folder = folder
        self.owner = self.add("owner", OWNER)

    def add(self, name, roles):
        made = new_token(name, frozenset(roles), None)
        add_line(self.file, line_of(made, hashed=True))
        own = self.folder / f"{name}.token"
        if not own.exists():
            add_line(own, line_of(made))
        return made.token

    @property
    def auth(self):
        """What a listener knows."""
        return Auth(token_file=self.file)

    def __call__(self, name):
        """What somebody shows."""
        return Auth(token_file=self.folder / f"{name}.token")


@asynccontextmanager
async def listening(make, *ways, folder, what):
    """An agent or a controller on several ways at once, and the URLs to reach it by."""
    async with make(listen=[way.url(folder, f"{what}{i}") + way.query for i, way in enumerate(ways)]) as made:
        yield made, list(made.urls)
