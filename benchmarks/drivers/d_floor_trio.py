"""Our own bare loop in `floor.py`, on trio."""

from drivers import d_floor_asyncio


class D(d_floor_asyncio.D):
    name = "floor_trio"
    backend = "trio"
