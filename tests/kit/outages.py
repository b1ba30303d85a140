"""A transport over something that can be out of order: what is sent meanwhile waits."""

from contextlib import asynccontextmanager

import anyio
from attrs import evolve

from .wrapping import Wrapped, Wrapper


class Between:
    """What lies between. Attributes: out: Whether it is out of order."""

    def __init__(self):
        self.out = False

    @asynccontextmanager
    async def outage(self):
        self.out = True
        try:
            yield
        finally:
            self.out = False


class Waits(Wrapped):
    """One that waits for what lies between."""

    between = Between()

    @property
    def suspended(self):
        return self.between.out

    async def send(self, frame):
        while self.between.out:
            await anyio.sleep(0.01)
        await super().send(frame)


class Loses(Waits):
    """One that loses what is sent meanwhile."""

    async def send(self, frame):
        if not self.between.out:
            await super().send(frame)


class Silent(Waits):
    """One that does not say so."""

    suspended = False


def suspending(kind):
    """A transport of such connections."""

    class Suspending(Wrapper):
        connection = kind

        def __init__(self):
            super().__init__()
            self.traits = evolve(self.traits, suspends=True)

    return Suspending()
