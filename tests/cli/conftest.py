"""A command line on both backends, and an agent behind it."""

import pytest

from .running import Cli


@pytest.fixture
def cli(place, anyio_backend):
    return Cli(place, anyio_backend)


@pytest.fixture
def agent(cli):
    """An agent in the foreground of its own, on the usual socket."""
    with cli.begin("agent") as going:
        going.until("listens on")
        yield going
        if going.popen.poll() is None:
            going.signal()
            going.end()
